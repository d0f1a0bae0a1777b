"""Precision, recall and F1 of a classifier, averaged over classes as people choose.

All three come from the same counts: tp (rightly given this label), fp (wrongly given it), fn (should have got it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Summed, ratio
from core.metrics.labels import positions, positive_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

AVERAGES = ("macro", "micro", "weighted", "binary")
OTHER = "(another label)"
"""The class of every name that is none of the data set's labels."""

OPTIONS = {
    "average": Option(
        "macro",
        AVERAGES,
        "macro: mean over the classes; micro: all rows in one count; weighted: mean over the classes by their number "
        "of references; binary: the class `positive` alone.",
    ),
    "positive": Option(None, help="The label that counts when the average is binary.", kind="label"),
}


@dataclass(frozen=True)
class ClassScore(Summed):
    """tp / (tp + a·fp + b·fn), averaged: precision (a=1, b=0), recall (0, 1), F1 (½, ½).

    Values equal scikit-learn's `precision_recall_fscore_support` with `zero_division=0`, in which the classes are those
    that occur among references or answers. A resample follows the same rule: a class that it misses does not count.
    `binary` is the score of one class against all the rest, however many there are.

    Statistics, shape (n, 3 · (labels + 1)), 0 or 1: columns 3c, 3c+1 and 3c+2 are tp, fp and fn of class c, in
    the order of `labels`; the last three are those of `OTHER`: all names that are not among `labels` are one class.
    """

    name: str
    title: str
    false_positives: float
    """How much a fp weighs in the denominator (a)."""
    false_negatives: float
    """How much a fn weighs (b)."""

    kinds = ("label",)
    higher_is_better = True
    percent = True
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """Statistics of each row. Raises PlanError where the average is binary and `positive` is not a label."""
        import numpy as np

        if options["average"] == "binary":
            self._positive(labels, options)
        answers = [prediction["answer"] for prediction in predictions]
        classes = len(labels) + 1
        # The unknown stand at -1, which is the last class.
        answered, wanted = positions(answers, labels) % classes, positions(references, labels) % classes
        # Two different names that are both unknown share a class, yet the row is wrong.
        right = np.array(
            [answer == reference for answer, reference in zip(answers, references, strict=True)], dtype=bool
        )
        statistics = np.zeros((len(answers), 3 * classes), dtype=np.int8)
        row = np.arange(len(answers))
        statistics[row[right], 3 * answered[right]] = 1
        statistics[row[~right], 3 * answered[~right] + 1] = 1
        statistics[row[~right], 3 * wanted[~right] + 2] = 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The score from summed rows; NaN of no rows."""
        import numpy as np

        counts = np.asarray(totals, dtype=np.float64).reshape(*totals.shape[:-1], -1, 3)
        occurs = counts.any(axis=-1)
        if options["average"] == "micro":
            scores = self._score(counts.sum(axis=-2))
        elif options["average"] == "binary":
            scores = self._score(counts[..., self._positive(labels, options), :])
        else:
            weights = counts[..., 0] + counts[..., 2] if options["average"] == "weighted" else occurs
            scores = ratio((self._score(counts) * weights).sum(axis=-1), weights.sum(axis=-1), undefined=0.0)
        return np.where(occurs.any(axis=-1), scores, np.nan)

    def _score(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score of counts (…, 3); 0 where there is nothing to divide by."""
        tp, fp, fn = counts[..., 0], counts[..., 1], counts[..., 2]
        return ratio(tp, tp + self.false_positives * fp + self.false_negatives * fn, undefined=0.0)

    def _positive(self, labels: Sequence[str], options: Mapping[str, Any]) -> int:
        return positive_label(f"{self.name}_positive", options["positive"], labels)


METRIC = (
    ClassScore("precision", "Precision", false_positives=1, false_negatives=0),
    ClassScore("recall", "Recall", false_positives=0, false_negatives=1),
    ClassScore("f1", "F1", false_positives=0.5, false_negatives=0.5),
)
