"""Cross-entropy: how much of the truth the probabilities leave open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.labels import positions, probabilities, share_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class LogLoss(Summed):
    """Mean of -ln(probability of the reference) in nats, as scikit-learn's `log_loss`.

    Probabilities are kept between ε and 1 - ε of float64, as there: a reference that was given none costs 36 nats.

    Statistics, shape (n, 2): nats, and 1.
    """

    name = "log_loss"
    title = "Log loss"
    kinds = ("label",)
    needs = ("probabilities",)
    higher_is_better = False
    upper = None

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import numpy as np

        share = share_of(probabilities(predictions, labels), positions(references, labels))
        epsilon = np.finfo(np.float64).eps
        return np.column_stack((-np.log(share.clip(epsilon, 1 - epsilon)), np.ones(len(share))))

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The mean from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = LogLoss()
