"""Which trials no other one beats in quality and latency at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def front(gains: ArrayLike, costs: ArrayLike) -> NDArray[np.bool_]:
    """Whether each point is on the Pareto front: no other gains as much at no more cost, and is better in one of them.

    Args:
        gains: More is better, shape (n,).
        costs: Less is better, shape (n,). A point with a NaN is not on the front.
    """
    gains, costs = np.asarray(gains, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    no_worse = (gains[:, None] >= gains) & (costs[:, None] <= costs)
    better = (gains[:, None] > gains) | (costs[:, None] < costs)
    known = ~(np.isnan(gains) | np.isnan(costs))
    return np.asarray(known & ~(no_worse & better).any(axis=0))
