"""Precision, recall and F1 of a classifier that gives a text several labels, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, ratio
from core.metrics.precision_recall_f1 import ClassScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

OPTIONS = {
    "average": Option(
        "micro",
        ("micro", "macro", "weighted", "samples"),
        "micro: all labels in one count; macro: mean over the labels; weighted: mean over the labels by their number "
        "of references; samples: mean over the rows.",
    )
}


@dataclass(frozen=True)
class LabelsScore(ClassScore):
    """`ClassScore` of every label by itself, whether a row has it or not.

    Values equal scikit-learn's `precision_recall_fscore_support` with `zero_division=0`: in the mean over rows, a row
    without labels scores 0 even where none was answered.

    Statistics, shape (n, 3 · (labels + 1)): as there, but a row may have several, and any number of unknown names in
    the last three columns. Averaged over `samples`, shape (n, 2): the row's score, and 1.
    """

    kinds = ("labels",)
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """Statistics of each row."""
        import numpy as np

        answers = [prediction["answer"] for prediction in predictions]
        counts = _counts(answers, references, labels)
        if options["average"] == "samples":
            return np.column_stack((self._score(counts.sum(axis=1)), np.ones(len(counts))))
        return counts.reshape(len(counts), 3 * (len(labels) + 1))

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The score from summed rows; NaN of no rows, and where no row has a label or is given one."""
        if options["average"] == "samples":
            return ratio(totals[..., 0], totals[..., 1])
        return super().value(totals, labels, options)


def _counts(
    answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]], labels: Sequence[str]
) -> NDArray[np.int16]:
    """True positives, false positives and false negatives of every label in every row, shape (n, labels + 1, 3)."""
    import numpy as np

    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(answers), len(labels) + 1, 3), dtype=np.int16)
    for row, names in enumerate(zip(answers, references, strict=True)):
        answered, wanted = map(set, names)
        for column, found in enumerate((answered & wanted, answered - wanted, wanted - answered)):
            for name in found:
                counts[row, place.get(name, -1), column] += 1
    return counts


METRIC = (
    LabelsScore("precision", "Precision", false_positives=1, false_negatives=0),
    LabelsScore("recall", "Recall", false_positives=0, false_negatives=1),
    LabelsScore("f1", "F1", false_positives=0.5, false_negatives=0.5),
)
