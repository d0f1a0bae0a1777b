"""How sure a number is: bootstrap intervals for metrics, and exact ones where the bootstrap would lie.

A metric is a function of summed per-row statistics (`core.metrics.base`), so resampling rows is one matrix product:
weights (B, n) @ statistics (n, k) gives the sums of B resamples at once.

The percentile bootstrap has no width at 0 % and 100 % and too little of it on few rows. A metric that only counts
right and wrong rows therefore gets the Wilson score interval instead (Brown, Cai and DasGupta 2001, "Interval
Estimation for a Binomial Proportion"), and so does any other metric whose resamples are all alike: a variable in [0, 1]
varies at most as much as a coin of the same mean, so that interval is rather too wide than too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.base import overall, per_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from core.metrics.base import Metric

CONFIDENCE = 0.95
Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""
REPLICATES = 1000
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A value and the 95 % interval around it. NaN where it does not exist."""

    value: float
    low: float
    high: float


UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


@lru_cache(maxsize=4)
def bootstrap_weights(n: int, replicates: int = REPLICATES, seed: int = 0) -> NDArray[Any]:
    """How often each of n rows is drawn in each resample: shape (replicates, n), every line sums to n.

    The draw depends on the arguments alone, so all trials over the same rows share it and their differences are paired.
    """
    generator = np.random.default_rng(seed)
    # Small ones are kept as the product takes them; large ones in a quarter of the memory.
    weights = np.empty((replicates, n), dtype=np.float32 if replicates * n <= _BLOCK else np.uint8)
    for line in weights:
        line[:] = np.bincount(generator.integers(n, size=n), minlength=n)
    weights.flags.writeable = False
    return weights


def weighted_totals(weights: NDArray[Any], statistics: NDArray[Any]) -> NDArray[np.float64]:
    """Sums of the statistics in every resample: (B, n) @ (n, k) → (B, k).

    The product runs in float32, block by block: counts stay exact up to 2^24, other sums to seven digits.
    """
    columns = np.ascontiguousarray(statistics, dtype=np.float32)
    step = max(1, _BLOCK // max(1, weights.shape[1]))
    blocks = [
        weights[start : start + step].astype(np.float32, copy=False) @ columns for start in range(0, len(weights), step)
    ]
    return np.concatenate(blocks).astype(np.float64)


def wilson(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of the 95 % Wilson score interval of a proportion; NaN where n is 0. Broadcasts."""
    successes, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = successes / n
        centre = share + Z**2 / (2 * n)
        half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
        low, high = (centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)
    return np.clip(low, 0, share), np.clip(high, share, 1)


def percentile_bounds(replicates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle 95 % of the last axis. Resamples in which the metric is undefined are left out."""
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    undefined = np.isnan(replicates)
    if undefined.all(axis=-1).any():
        nothing = np.full(replicates.shape[:-1], np.nan)
        return nothing, nothing
    quantile = np.nanquantile if undefined.any() else np.quantile
    low, high = quantile(replicates, tails, axis=-1)
    return low, high


def score(
    metric: Metric,
    statistics: NDArray[Any],
    labels: Sequence[str],
    options: Mapping[str, Any],
    weights: NDArray[Any] | None = None,
) -> Interval:
    """The metric over these rows, with its 95 % interval.

    Args:
        metric: What to compute.
        statistics: Per-row sufficient statistics, shape (n, k), as `metric.rows` gave them.
        labels: Label names of the data set.
        options: The metric's options, complete.
        weights: Resampling weights (B, n) to share with other trials; drawn here when None.
    """
    if not len(statistics):
        return UNDEFINED
    if metric.binary:
        return interval(metric, statistics, labels, options, replicates=np.empty(0))
    if weights is None:
        weights = bootstrap_weights(len(statistics))
    return interval(metric, statistics, labels, options, resampled(metric, statistics, weights, labels, options))


def resampled(
    metric: Metric,
    statistics: NDArray[Any],
    weights: NDArray[Any],
    labels: Sequence[str],
    options: Mapping[str, Any],
) -> NDArray[np.float64]:
    """The metric in every resample: statistics (n, k), weights (B, n) → (B,)."""
    if metric.summed:
        return metric.value(weighted_totals(weights, statistics), labels, options)
    return metric.weighted(statistics, weights, labels, options)


def wilson_of(
    metric: Metric, value: float, statistics: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
) -> tuple[float, float]:
    """The Wilson interval of a metric between 0 and `metric.upper`, over the rows that have a score at all."""
    rows = int(np.isfinite(per_row(metric, statistics, labels, options)).sum()) if metric.summed else len(statistics)
    upper = metric.upper or 1.0
    low, high = wilson(value / upper * rows, rows)
    return float(low) * upper, float(high) * upper


def interval(
    metric: Metric,
    statistics: NDArray[Any],
    labels: Sequence[str],
    options: Mapping[str, Any],
    replicates: NDArray[np.float64],
) -> Interval:
    """As `score`, from the metric's values in the resamples (B,), which a binary metric does not need."""
    value = overall(metric, statistics, labels, options)
    if np.isnan(value):
        return UNDEFINED
    if metric.binary:
        low, high = wilson_of(metric, value, statistics, labels, options)
        return Interval(value, low, high)
    low, high = map(float, percentile_bounds(replicates))
    if np.isclose(low, high, rtol=1e-6):
        if metric.upper is None or not 0 <= value <= metric.upper:
            return Interval(value, float("nan"), float("nan"))
        low, high = wilson_of(metric, value, statistics, labels, options)
    # A biased metric's resamples can all lie on one side of its value on a handful of rows.
    return Interval(value, min(low, value), max(high, value))
