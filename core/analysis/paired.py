"""Trials against each other, row by row: whether a difference is more than chance, and how many rows would tell.

Every trial answered the same rows, so a pair is judged on the rows where the two differ, not on two separate intervals.
A metric that counts right and wrong rows gets McNemar's exact test and Newcombe's interval for paired proportions
(Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data",
method 10); every other metric a paired permutation test and a paired bootstrap interval.

P values are corrected by Holm's method (Holm 1979) over the family that is shown: one trial against all others, or all
pairs. Against the best, the first is enough to keep the truly best trial in the tie set (Hsu 1984, "Constrained
simultaneous confidence intervals for multiple comparisons with the best").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis.intervals import (
    REPLICATES,
    Z,
    bootstrap_weights,
    percentile_bounds,
    resampled,
    weighted_totals,
    wilson,
)
from core.metrics.base import overall, per_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from core.metrics.base import Metric

ALPHA = 0.05
_LEAST_DISCORDANT = 6
"""Fewer rows that only one of two models gets right cannot be significant: 2 · 0.5^5 > 0.05."""
_FEW = 10
_TIE = 1e-6


@dataclass(frozen=True)
class Pair:
    """Trial a minus trial b on one metric, over the rows both answered."""

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """Corrected for the family it was compared in."""
    error: float
    """Standard error of the difference."""
    rows: int

    @property
    def significant(self) -> bool:
        """Whether chance alone is an unlikely reason, at 5 % over the whole family."""
        return self.p_holm < ALPHA

    def seen_from(self, trial: str) -> Pair:
        """The same comparison with `trial` as a."""
        if trial == self.a:
            return self
        return replace(self, a=self.b, b=self.a, difference=-self.difference, low=-self.high, high=-self.low)


def compare(
    trials: Sequence[str],
    metric: Metric,
    statistics: Sequence[NDArray[Any]],
    labels: Sequence[str],
    options: Mapping[str, Any],
    baseline: str | None = None,
) -> list[Pair]:
    """One family of pairs, with Holm's correction over it: the baseline minus each other trial, or all pairs.

    Args:
        trials: Ids.
        metric: What to compare them on.
        statistics: One array (n, k) per trial, over the same n rows.
        labels: Label names of the data set.
        options: The metric's options, complete.
        baseline: Id of the trial to compare with all others; None for all pairs.
    """
    first, second = np.triu_indices(len(trials), k=1)
    if baseline is not None:
        place = trials.index(baseline)
        second = np.delete(np.arange(len(trials)), place)
        first = np.full_like(second, place)
    if not len(first) or not len(statistics[0]):
        return []
    values = np.array([overall(metric, rows, labels, options) for rows in statistics], dtype=np.float64)
    if metric.binary:
        scores = np.stack([per_row(metric, rows, labels, options) for rows in statistics])
        right = scores[:, np.isfinite(scores).all(axis=0)] > 0.5
        p, low, high, error = _compare_binary(right, first, second)
    else:
        p = _permutation(metric, statistics, labels, options, first, second)
        low, high, error = _bootstrap(metric, statistics, labels, options, first, second)
    columns = np.column_stack((values[first] - values[second], low, high, p, holm(p), error)).tolist()
    rows = len(statistics[0])
    return [
        Pair(trials[i], trials[j], metric.name, difference, low, high, p, p_holm, error, rows)
        for i, j, (difference, low, high, p, p_holm, error) in zip(
            first.tolist(), second.tolist(), columns, strict=True
        )
    ]


def mcnemar(only_a: ArrayLike, only_b: ArrayLike) -> NDArray[np.float64]:
    """Exact two-sided p from the rows only a, and only b, gets right. Broadcasts; 1 where there are none."""
    from scipy.special import bdtr

    only_a, only_b = np.asarray(only_a, dtype=np.int64), np.asarray(only_b, dtype=np.int64)
    p = 2 * bdtr(np.minimum(only_a, only_b).astype(np.float64), only_a + only_b, 0.5)
    return np.minimum(1.0, np.asarray(p, dtype=np.float64))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p values corrected for the family by Holm's step-down method, in the order given."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, stepped)
    return corrected


def rows_needed(pair: Pair, power: float = 0.8, alpha: float = ALPHA) -> int | None:
    """Rows in all that would show the difference seen, were it the true one, with this power.

    The sample size of McNemar's test (Connor 1987, "Sample size for testing differences in proportions for the
    paired-sample design") with the spread per row that was observed. None where no number of rows would.
    """
    from scipy.special import ndtri

    if not pair.difference or math.isnan(pair.difference):
        return None
    spread = pair.rows * pair.error**2
    square = pair.difference**2
    root = float(ndtri(1 - alpha / 2)) * math.sqrt(spread + square) + float(ndtri(power)) * math.sqrt(spread)
    return math.ceil(root**2 / square)


def detectable_difference(n: int, accuracy: float = 0.9, discordant: float | None = None) -> float | None:
    """The smallest difference in accuracy that n rows can tell from chance, as a share; None where they can tell none.

    McNemar's test with Edwards' continuity correction (1948): with m rows that only one model gets right, their counts
    must differ by more than z·√m + 1.

    Args:
        n: Rows.
        accuracy: What the models reach, roughly; only used without `discordant`.
        discordant: Share of rows that only one of the two gets right, once it is known. Without it: of two models whose
            mistakes have nothing to do with each other. Real ones trip over the same rows: this errs on the high side.
    """
    if discordant is None:
        discordant = 2 * accuracy * (1 - accuracy)
    counts = max(Z * math.sqrt(n * discordant) + 1, _LEAST_DISCORDANT)
    return counts / n if counts <= n else None


def _compare_binary(
    right: NDArray[np.bool_], first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.float64], ...]:
    """P, low, high and standard error of every pair, from which rows each trial got right (trials, n)."""
    n = right.shape[1]
    hits = right.astype(np.float64)
    both = (hits @ hits.T)[first, second]
    correct = hits.sum(axis=1)
    only_a, only_b = correct[first] - both, correct[second] - both
    low, high = newcombe(both, only_a, only_b, n - both - only_a - only_b)
    error = np.sqrt(np.maximum(only_a + only_b - (only_a - only_b) ** 2 / n, 0)) / n
    return mcnemar(only_a, only_b), low, high, error


def newcombe(
    both: NDArray[np.float64], only_a: NDArray[np.float64], only_b: NDArray[np.float64], neither: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % bounds of the difference of two paired proportions, a minus b (Newcombe 1998, method 10)."""
    n = both + only_a + only_b + neither
    share_a, share_b = (both + only_a) / n, (both + only_b) / n
    (low_a, high_a), (low_b, high_b) = wilson(both + only_a, n), wilson(both + only_b, n)
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    cross = both * neither - only_a * only_b
    cross = np.where(cross > 0, np.maximum(cross - n / 2, 0), cross)
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = np.where(margins > 0, cross / np.sqrt(margins), 0.0)
    down_a, up_a, down_b, up_b = share_a - low_a, high_a - share_a, share_b - low_b, high_b - share_b
    below = np.sqrt(np.maximum(down_a**2 - 2 * phi * down_a * up_b + up_b**2, 0))
    above = np.sqrt(np.maximum(up_a**2 - 2 * phi * up_a * down_b + down_b**2, 0))
    return share_a - share_b - below, share_a - share_b + above


def _bootstrap(
    metric: Metric,
    statistics: Sequence[NDArray[Any]],
    labels: Sequence[str],
    options: Mapping[str, Any],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Low, high and standard error of every pair, from resamples that all trials share."""
    weights = bootstrap_weights(len(statistics[0]))
    replicates = np.stack([resampled(metric, rows, weights, labels, options) for rows in statistics])
    differences = replicates[first] - replicates[second]
    low, high = percentile_bounds(differences)
    return low, high, np.nanstd(differences, axis=1)


def _permutation(
    metric: Metric,
    statistics: Sequence[NDArray[Any]],
    labels: Sequence[str],
    options: Mapping[str, Any],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    replicates: int = REPLICATES,
) -> NDArray[np.float64]:
    """Two-sided p of every pair: how often exchanging the two answers of random rows gives as large a difference.

    Where fewer than ten permutations reach the difference, their share is too rough for a correction over many pairs;
    the normal tail with the permutations' own spread takes its place (compare Knijnenburg et al. 2009, "Fewer
    permutations, more accurate P-values"), but never less than the 2^(1 - m) that m differing rows can reach at all.
    """
    from scipy.special import ndtr

    signs = np.random.default_rng(0).integers(0, 2, size=(replicates, len(statistics[0])), dtype=np.int8)
    signs = signs * np.int8(2) - np.int8(1)
    exchange = _exchange_sums if metric.summed else _exchange_rows
    values = [overall(metric, rows, labels, options) for rows in statistics]
    result = np.ones(len(first))
    pairs = zip(
        first.tolist(),
        second.tolist(),
        exchange(metric, statistics, labels, options, first, second, signs),
        strict=True,
    )
    for pair, (i, j, exchanged) in enumerate(pairs):
        differing = int(np.any(statistics[i] != statistics[j], axis=1).sum())
        if not differing:
            continue
        observed = abs(values[i] - values[j])
        reached = int((np.abs(exchanged) >= observed - _TIE).sum())
        spread = float(np.sqrt(np.nanmean(exchanged**2)))
        if reached >= _FEW:
            result[pair] = (reached + 1) / (replicates + 1)
        elif spread:
            result[pair] = max(2 * float(ndtr(-observed / spread)), 2.0 ** (1 - differing))
    return result


def _exchange_sums(
    metric: Metric,
    statistics: Sequence[NDArray[Any]],
    labels: Sequence[str],
    options: Mapping[str, Any],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    signs: NDArray[np.int8],
) -> Iterator[NDArray[np.float64]]:
    """Differences of every pair after each exchange: the exchanged sums are (A + B)/2 ± s @ (a - b)/2, so that one
    product per trial serves all its pairs.
    """
    swung = [weighted_totals(signs, rows) for rows in statistics]
    sums = [rows.sum(axis=0) for rows in statistics]
    for i, j in zip(first, second, strict=True):
        middle, half = (sums[i] + sums[j]) / 2, (swung[i] - swung[j]) / 2
        yield metric.value(middle + half, labels, options) - metric.value(middle - half, labels, options)


def _exchange_rows(
    metric: Metric,
    statistics: Sequence[NDArray[Any]],
    labels: Sequence[str],
    options: Mapping[str, Any],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    signs: NDArray[np.int8],
) -> Iterator[NDArray[np.float64]]:
    """The same for a metric that needs the rows: both trials' rows in one table, of which either half counts."""
    keep = signs > 0
    chosen, others = np.hstack((keep, ~keep)).astype(np.float32), np.hstack((~keep, keep)).astype(np.float32)
    for i, j in zip(first, second, strict=True):
        both = np.concatenate((statistics[i], statistics[j]))
        yield metric.weighted(both, chosen, labels, options) - metric.weighted(both, others, labels, options)
