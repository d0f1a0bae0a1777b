"""Squared error of the probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.labels import positions, probabilities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class BrierScore(Summed):
    """Mean of Σ (probability - 1 or 0)² over the labels, as scikit-learn's `brier_score_loss`.

    Of two labels it is halved, as is the custom there, which is the squared error of the one label's probability: 0
    to 1. Of more it is the sum, as Brier (1950) has it: 0 to 2.

    Statistics, shape (n, 2): the row's score, and 1.
    """

    name = "brier_score"
    title = "Brier score"
    kinds = ("label",)
    needs = ("probabilities",)
    higher_is_better = False
    upper = 2.0
    mean_of_rows = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import numpy as np

        wanted = positions(references, labels)[:, None] == np.arange(len(labels))
        scores = ((probabilities(predictions, labels) - wanted) ** 2).sum(axis=1)
        return np.column_stack((scores / 2 if len(labels) == 2 else scores, np.ones(len(scores))))

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The mean from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = BrierScore()
