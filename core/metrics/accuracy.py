"""The share of rows that are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind


@dataclass(frozen=True)
class Accuracy(Summed):
    """Right rows over all rows, as scikit-learn's `accuracy_score`.

    Of several labels per row, all must be right and none too many: scikit-learn's subset accuracy.

    Statistics, shape (n, 2): whether the answer equals the reference, and 1; both are 0 where a row has none.
    """

    title: str
    kinds: tuple[ReferenceKind, ...]

    name = "accuracy"
    higher_is_better = True
    percent = True
    binary = True
    mean_of_rows = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        statistics = np.ones((len(predictions), 2), dtype=np.int8)
        statistics[:, 0] = [one["answer"] == wanted for one, wanted in zip(predictions, references, strict=True)]
        statistics[:, 1] = [wanted is not None for wanted in references]
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Accuracy from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = (Accuracy("Accuracy", ("label", "word")), Accuracy("Subset accuracy", ("labels",)))
