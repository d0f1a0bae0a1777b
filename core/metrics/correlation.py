"""Correlation of numbers with numbers: of their order (Spearman), of themselves (Pearson)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Resampled, ratio
from core.metrics.resampling import blocks, grouping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class Correlation(Resampled):
    """Both correlations: undefined where the answers or the references are all the same, or any is no number.

    Statistics, shape (n, 2): answer and reference.
    """

    kinds = ("number",)
    higher_is_better = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import numpy as np

        answers = np.array([prediction["answer"] for prediction in predictions], dtype=np.float64)
        return np.column_stack((answers, np.array(references, dtype=np.float64)))


class Spearman(Correlation):
    """Pearson's correlation of the ranks, equal values sharing their mean rank, as SciPy's `spearmanr`."""

    name = "spearman"
    title = "Spearman"

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The correlation in each resample, whose ranks are its own."""
        import numpy as np

        found = np.full(len(weights), np.nan)
        if np.isnan(statistics).any():
            return found
        ordered = [np.unique(column, return_inverse=True)[1] for column in statistics.T]
        for chosen, block in blocks(weights, len(statistics)):
            (x, spread_x), (y, spread_y) = (_ranks(order, block) for order in ordered)
            together = np.einsum("nb,nb,nb->b", block, x[ordered[0]], y[ordered[1]])
            found[chosen] = ratio(together, np.sqrt(spread_x * spread_y))
        return found.clip(-1, 1)


class Pearson(Correlation):
    """Pearson's product-moment correlation, as SciPy's `pearsonr`."""

    name = "pearson"
    title = "Pearson"

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The correlation in each resample."""
        import numpy as np

        found = np.full(len(weights), np.nan)
        if not len(statistics) or not np.isfinite(statistics).all():
            return found
        # Around the middle and of size 1, so that squares neither cancel nor overflow.
        centred = statistics - statistics.mean(axis=0)
        x, y = (centred / np.maximum(np.abs(centred).max(axis=0), np.finfo(float).tiny)).T
        moments = np.column_stack((np.ones(len(x)), x, y, x * x, y * y, x * y))
        for chosen, block in blocks(weights, len(x)):
            n, sum_x, sum_y, xx, yy, xy = moments.T @ block
            spread = (n * xx - sum_x**2).clip(0) * (n * yy - sum_y**2).clip(0)
            varied = _varies(x, block) & _varies(y, block)
            found[chosen] = np.where(varied, ratio(n * xy - sum_x * sum_y, np.sqrt(spread)), np.nan)
        return found.clip(-1, 1)


def _ranks(order: NDArray[np.intp], block: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ranks of the distinct values, less the mean rank (m, b), and the sum of their squares over the rows (b,).

    Args:
        order: The place of each row's value among the distinct ones, shape (n,).
        block: How often each row counts, shape (n, b).
    """
    import numpy as np

    count = int(order.max(initial=-1)) + 1
    mass = grouping(order, count, np.arange(len(order)), len(order)) @ block
    ranks = mass.cumsum(axis=0) - mass / 2 - mass.sum(axis=0) / 2
    return ranks, np.einsum("mb,mb,mb->b", mass, ranks, ranks)


def _varies(column: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the rows that count (n, b) have more than one value; a sum of squares could not tell for rounding."""
    import numpy as np

    order = np.argsort(column)
    counted = block[order] > 0
    first, last = counted.argmax(axis=0), len(column) - 1 - counted[::-1].argmax(axis=0)
    varies: NDArray[np.bool_] = column[order[first]] != column[order[last]]
    return varies


METRIC = (Spearman(), Pearson())
