"""The share of rows that are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Accuracy:
    """Right rows over all rows, as scikit-learn's `accuracy_score`.

    Statistics, shape (n, 2): whether the answer equals the reference, and 1.
    """

    name = "accuracy"
    title = "Accuracy"
    higher_is_better = True
    percent = True
    binary = True
    options: Mapping[str, Option] = {}

    def rows(
        self, answers: Sequence[Any], references: Sequence[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        statistics = np.ones((len(answers), 2), dtype=np.int8)
        statistics[:, 0] = [answer == reference for answer, reference in zip(answers, references, strict=True)]
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Accuracy from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = Accuracy()
