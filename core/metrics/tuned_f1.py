"""F1 of several labels at a threshold that was chosen on other rows.

A task answers at the threshold of its plan, and it is those answers that people read and that the exported program
gives: no metric changes them. What a better threshold would bring is therefore a metric of its own, over the same
probabilities. It needs references, which a task never sees, and all rows, which a sum of rows does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Resampled, ratio
from core.metrics.labels import indicators, probabilities
from core.metrics.resampling import blocks, grouping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

STEPS = 100
"""Thresholds are 0.01, 0.02 … 0.99: what a person writes into a plan."""


@dataclass(frozen=True)
class _Counts:
    """Of every label (L), at every threshold (T), in every resample (b)."""

    right: NDArray[np.float64]
    """Rows rightly given the label, shape (L, T, b)."""
    given: NDArray[np.float64]
    """Rows given the label, shape (L, T, b)."""
    wanted: NDArray[np.float64]
    """Rows that have the label, shape (L, 1, b)."""

    def f1(self, average: str) -> NDArray[np.float64]:
        """F1 at every threshold (T, b); 0 where there is nothing to divide by. Macro: of labels that occur."""
        whole = self.given + self.wanted
        if average == "micro":
            return ratio(2 * self.right.sum(axis=0), whole.sum(axis=0), undefined=0.0)
        occurs = whole > 0
        return ratio(ratio(2 * self.right, whole, undefined=0.0).sum(axis=0), occurs.sum(axis=0), undefined=0.0)

    def best(self, average: str) -> NDArray[np.intp]:
        """The threshold of the highest F1 in each resample (b,). Of equals that nearest to ½, where nobody tuned."""
        import numpy as np

        order = np.argsort(np.abs(np.arange(1, STEPS) - STEPS / 2), kind="stable")
        chosen: NDArray[np.intp] = order[self.f1(average)[order].argmax(axis=0)]
        return chosen

    def at(self, threshold: NDArray[np.intp]) -> _Counts:
        """At one threshold per resample (b,)."""
        import numpy as np

        place = threshold[None, None, :]
        return _Counts(
            np.take_along_axis(self.right, place, axis=1), np.take_along_axis(self.given, place, axis=1), self.wanted
        )

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(self.right + other.right, self.given + other.given, self.wanted + other.wanted)


class TunedF1(Resampled):
    """F1 where each half of the rows is answered at the threshold that is best on the other half.

    One threshold for all labels; a row has every label whose probability is over it. The halves swap roles and their
    counts are added (two-fold cross-fitting), so no row is judged at a threshold that it helped to choose, and each
    resample chooses anew, so the interval covers the choice.

    Statistics, shape (n, 1 + 2 · labels): the row's half, 0 or 1; whether it has each label; the probabilities. The
    half is drawn from the row's own content: copies of a row, as resamples make them, never stand in both.
    """

    name = "tuned_f1"
    title = "F1 at a tuned threshold"
    kinds = ("labels",)
    needs = ("probabilities",)
    higher_is_better = True
    percent = True
    # They are the predictions' own probabilities.
    stored = False
    options: Mapping[str, Option] = {
        "average": Option(
            "micro", ("micro", "macro"), "micro: all labels in one count; macro: mean over the labels that occur."
        )
    }

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import zlib

        import numpy as np

        content = np.hstack((indicators(references, labels), probabilities(predictions, labels)))
        halves = [zlib.crc32(row.tobytes()) % 2 for row in content]
        return np.column_stack((np.array(halves, dtype=np.float64), content))

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """F1 in each resample; NaN of no rows."""
        import numpy as np

        found = np.full(len(weights), np.nan)
        halves = [statistics[:, 0] == half for half in (0, 1)]
        for chosen, block in blocks(weights, len(labels) * STEPS):
            first, second = (_counts(statistics[half, 1:], block[half], len(labels)) for half in halves)
            together = first.at(second.best(options["average"])) + second.at(first.best(options["average"]))
            found[chosen] = np.where(block.any(axis=0), together.f1(options["average"])[0], np.nan)
        return found


def best_threshold(statistics: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> float:
    """The threshold of the highest F1 over all these rows: what to write into a plan for rows to come.

    Args:
        statistics: Of `TunedF1`.
        labels: Label names of the data set.
        options: The metric's options, complete.
    """
    import numpy as np

    counts = _counts(statistics[:, 1:], np.ones((len(statistics), 1)), len(labels))
    return float(counts.best(options["average"])[0] + 1) / STEPS


def _counts(content: NDArray[np.float64], block: NDArray[np.float64], labels: int) -> _Counts:
    """Counts at all thresholds.

    Args:
        content: Whether the rows have each label, and the probabilities, shape (n, 2 · labels).
        block: How often each row counts, shape (n, b).
        labels: How many labels there are.
    """
    import numpy as np

    has, scores = content[:, :labels] > 0, content[:, labels:]
    row = np.broadcast_to(np.arange(len(scores))[:, None], scores.shape)
    # How many thresholds a probability is over.
    level = np.searchsorted(np.arange(1, STEPS) / STEPS, scores)
    group = np.arange(labels) * STEPS + level

    def over(entries: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of these entries (n, L), the rows whose probability is over at least 0, 1, … thresholds: (L, STEPS, b)."""
        mass = grouping(group[entries], labels * STEPS, row[entries], len(content)) @ block
        levels = mass.reshape(labels, STEPS, -1)
        counts: NDArray[np.float64] = levels[:, ::-1].cumsum(axis=1)[:, ::-1]
        return counts

    right, given = over(has), over(np.ones_like(has))
    return _Counts(right[:, 1:], given[:, 1:], right[:, :1])


METRIC = TunedF1()
