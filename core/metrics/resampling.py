"""Sums over groups of rows, in every resample at once: what metrics of orders and ranks are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 2_000_000
"""Numbers of one array that is made for a block of resamples: 16 MB."""


def blocks(weights: NDArray[Any], width: int) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The resamples some at a time, turned: rows first, so that sums over rows run over whole lines of memory.

    Args:
        weights: How often each row counts, shape (B, n).
        width: Numbers per resample of the largest array that the caller makes of it.

    Yields:
        Which resamples, and their weights, shape (n, block).
    """
    import numpy as np

    step = max(1, _BLOCK // max(1, width, weights.shape[1]))
    for start in range(0, len(weights), step):
        chosen = slice(start, start + step)
        yield chosen, np.ascontiguousarray(weights[chosen].T, dtype=np.float64)


def grouping(groups: NDArray[np.integer], count: int, rows: NDArray[np.integer], n: int) -> Any:
    """A sparse matrix (count, n) that sums rows by group: `grouping(…) @ weights` with weights (n, block).

    Args:
        groups: The group of each entry, shape (m,).
        count: How many groups there are.
        rows: The row of each entry, shape (m,). A row may stand in several groups, or several times in one.
        n: How many rows there are.
    """
    import numpy as np
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(groups)), (groups, rows)), shape=(count, n))
