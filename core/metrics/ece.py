"""Calibration: whether a model that is 90 % sure is right nine times of ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

BINS = 15


class CalibrationError(Summed):
    """Expected calibration error of Guo et al. 2017 ("On Calibration of Modern Neural Networks"): Σ over bins of
    |right - confidence|, over all rows.

    The confidence is the `score` of the answer. There are 15 bins of equal width, each with its upper edge.

    Statistics, shape (n, 16): right - confidence in the column of the row's bin, and 1.
    """

    name = "ece"
    title = "Calibration error (ECE)"
    kinds = ("label",)
    needs = ("answer", "score")
    higher_is_better = False
    percent = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import numpy as np

        confidence = np.array([prediction["score"] for prediction in predictions], dtype=np.float64)
        right = [one["answer"] == wanted for one, wanted in zip(predictions, references, strict=True)]
        edges = np.linspace(0, 1, BINS + 1)[1:-1]
        statistics = np.zeros((len(confidence), BINS + 1))
        statistics[np.arange(len(confidence)), np.searchsorted(edges, confidence)] = right - confidence
        statistics[:, BINS] = 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The error from summed rows; NaN of no rows."""
        import numpy as np

        return ratio(np.abs(totals[..., :BINS]).sum(axis=-1), totals[..., BINS])


METRIC = CalibrationError()
