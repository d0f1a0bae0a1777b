"""Wrong decisions of a classifier that gives several labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class HammingLoss(Summed):
    """Labels wrongly given or missed, over all rows and labels, as scikit-learn's `hamming_loss`.

    An answered name that is none of the labels is one more decision of its row, a wrong one.

    Statistics, shape (n, 2): wrong decisions, and decisions.
    """

    name = "hamming_loss"
    title = "Hamming loss"
    kinds = ("labels",)
    higher_is_better = False

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int16]:
        """Statistics of each row."""
        import numpy as np

        known = set(labels)
        statistics = np.empty((len(predictions), 2), dtype=np.int16)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            answered, wanted = set(prediction["answer"]), set(reference)
            statistics[row] = len(answered ^ wanted), len(known | answered | wanted)
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The loss from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = HammingLoss()
