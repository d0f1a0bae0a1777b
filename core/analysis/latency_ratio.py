"""How many times longer one trial takes than another, and what the machine alone makes of that number.

Trials of a run are timed together (`core.engine.latency`): each request goes to all of them within moments. So a pair
of trials is compared call by call, and the ratio is the median of the calls' ratios: what the machine did meanwhile
hits both calls and drops out. Medians of whole series have no such protection.

The interval is the percentile interval of the pair bootstrap (Efron and Tibshirani 1993, "An Introduction to the
Bootstrap", chapter 13), without drawing: how a median is distributed over all resamples is known exactly (Efron 1979,
"Bootstrap methods: another look at the jackknife", section 3). That takes requests as independent, and a neighbour's
burst holds for dozens of them. So the calls are also cut into five consecutive batches, and where the medians of these
differ by more than that, their interval is taken (batch means: Schmeiser 1982, "Batch size effects in the analysis of
simulation output", Operations Research 30(3)).

One trial of each measurement was timed twice on every request (A/A). What the two differ by is the noise floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from core.analysis.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis, TrialSummary
    from core.records import LatencySeries

APART = (
    "timed at another time (another block, because not all models fit into memory together, or another run), and the "
    "machine may have changed since"
)
"""Why no ratio is given of two trials."""
LEAST_CALLS = 6
"""Fewer pairs give no interval: all of them lie on one side of the true median too often (2 · 0.5^5 > 5 %)."""
BATCHES = 5
"""Of calls, so long that bursts do not outlast them all, and enough to tell how much they differ."""
NOISY_RATIO = 0.05
"""A trial that is surely this much slower than itself was not timed fairly."""
NOISY_CV = 0.3
"""The same request's times vary this much where something doubles every third call; on a quiet machine by a tenth."""


@dataclass(frozen=True)
class Ratio:
    """What trial a took over what trial b took, or its speed over that one's, paired by request."""

    a: str
    b: str
    batch_size: int
    ratio: float
    low: float
    high: float
    calls: int
    """Requests that both answered."""


@dataclass(frozen=True)
class NoiseFloor:
    """A trial against itself."""

    trial: str
    batch_size: int
    ratio: Interval
    """The second time over the first, paired by request; 1 but for the machine."""
    cv: float
    """How much the same request's time varies, as a share of it: standard deviation over mean, from duplicates."""
    calls: int

    @property
    def floor(self) -> float:
        """A ratio this close to 1 may be the machine's doing, e.g. 0.02; NaN where there are too few calls."""
        return max(self.ratio.high, 1 / self.ratio.low) - 1

    @property
    def noisy(self) -> bool:
        """Whether the machine was too noisy to trust what was measured."""
        surely_off = self.ratio.low > 1 + NOISY_RATIO or self.ratio.high < 1 - NOISY_RATIO
        return surely_off or self.cv > NOISY_CV


def baseline(analysis: Analysis, ranking: Ranking, batch_size: int) -> str | None:
    """What trials are compared with: the chosen one, or else the fastest; None where nothing was timed at that size."""
    timed = [trial for trial in analysis.finished if batch_size in trial.latency]
    if any(trial.id == ranking.winner for trial in timed):
        return ranking.winner
    return min(timed, key=lambda trial: trial.latency[batch_size].median.value).id if timed else None


def ratios(analysis: Analysis, against: str, batch_size: int) -> list[Ratio]:
    """Every other finished trial over one, fastest first. Those that were not timed together with it are left out.

    Args:
        analysis: The run.
        against: Id of the trial that all others are divided by.
        batch_size: Rows of a request.
    """
    other = _series(analysis.trial(against), batch_size)
    if other is None:
        return []
    found = []
    for trial in analysis.finished:
        mine = _series(trial, batch_size)
        if trial.id == against or mine is None:
            continue
        calls = paired_ratios(mine, other)
        if len(calls):
            median = median_interval(calls)
            found.append(Ratio(trial.id, against, batch_size, median.value, median.low, median.high, len(calls)))
    return sorted(found, key=lambda one: one.ratio)


def apart(analysis: Analysis, against: str, batch_size: int) -> list[str]:
    """Ids of the trials that were timed at that size, but not together with that one: no ratio is given of them."""
    paired = {against, *(one.a for one in ratios(analysis, against, batch_size))}
    return [trial.id for trial in analysis.finished if batch_size in trial.latency and trial.id not in paired]


def together(trials: Sequence[TrialSummary], batch_size: int) -> bool:
    """Whether all of them that were timed at that size were timed in one measurement."""
    series = [one for trial in trials for one in trial.outcome.latency if one.batch_size == batch_size]
    return len(series) < 2 or (len({one.session for one in series}) == 1 and bool(series[0].session))


def noise_floor(analysis: Analysis, batch_size: int) -> NoiseFloor | None:
    """What the machine alone does at that batch size; of several measurements the noisiest. None: none was repeated."""
    floors = []
    for trial in analysis.finished:
        series = _series(trial, batch_size)
        if series is None or not series.again_ns:
            continue
        floors.append(against_itself(trial.id, series))
    return max(floors, key=lambda one: (one.noisy, one.cv), default=None)


@dataclass(frozen=True)
class RatioRow:
    """One trial's time over that of the trial all are compared with."""

    trial: str
    name: str
    ratio: Interval
    verdict: str
    """`slower` or `faster` where it is more than chance and the machine's noise, else `no difference seen`."""


@dataclass(frozen=True)
class RatioTable:
    """How long trials take beside one of them."""

    against: str
    """Name of that one."""
    rows: tuple[RatioRow, ...]
    """Fastest first."""
    missing: tuple[str, ...]
    """Names of trials that were timed, but not together with it."""
    floor: NoiseFloor | None


def table(analysis: Analysis, ranking: Ranking, batch_size: int) -> RatioTable | None:
    """What the Latency tab shows at a batch size; None where nothing was timed."""
    against = baseline(analysis, ranking, batch_size)
    if against is None:
        return None
    floor, found = noise_floor(analysis, batch_size), ratios(analysis, against, batch_size)
    noise = floor.floor if floor and not math.isnan(floor.floor) else 0.0
    rows = [
        RatioRow(
            one.a,
            analysis.trial(one.a).name,
            Interval(one.ratio, one.low, one.high),
            _verdict(one, noise),
        )
        for one in found
    ]
    missing = tuple(analysis.trial(one).name for one in apart(analysis, against, batch_size))
    return RatioTable(analysis.trial(against).name, tuple(rows), missing, floor)


def _verdict(ratio: Ratio, noise: float) -> str:
    if ratio.low > 1 and ratio.ratio > 1 + noise:
        return "slower"
    return "faster" if ratio.high < 1 and 1 / ratio.ratio > 1 + noise else "no difference seen"


def noise_in_words(floor: NoiseFloor) -> str:
    """What the A/A repetition found, in a sentence or two."""
    found = f"One trial was timed twice on each of {floor.calls:,} requests: the second time took "
    found += f"{floor.ratio.value:.3f} × the first"
    if math.isnan(floor.ratio.low):
        return f"{found}. That is too few for an interval."
    return (
        f"{found} ({floor.ratio.low:.3f}–{floor.ratio.high:.3f}), so ratios within {floor.floor:.1%} of 1 may be the "
        f"machine's doing. Times of the same request vary by {floor.cv:.0%}."
    )


def against_itself(trial: str, series: LatencySeries) -> NoiseFloor:
    """What a series that was timed twice says of the machine."""
    first, second = _totals(series), np.array(series.again_ns, dtype=np.float64)
    ratio = median_interval(second / first)
    return NoiseFloor(trial, series.batch_size, ratio, duplicates_cv(first, second), len(first))


def paired_ratios(mine: LatencySeries, other: LatencySeries) -> NDArray[np.float64]:
    """One series' times over the other's for each request that both answered, (n,); none of different sessions."""
    if mine.session != other.session:
        return np.empty(0)
    _, first, second = np.intersect1d(mine.requests, other.requests, assume_unique=True, return_indices=True)
    return _totals(mine)[first] / _totals(other)[second]


def median_interval(values: NDArray[np.float64]) -> Interval:
    """The median of ratios (n,) in the order they were measured, with a 95 % interval; NaN bounds for fewer than six.

    The bootstrap's, or that of the batches' medians where it is wider, which is taken of logarithms.
    """
    found = bootstrap_interval(values)
    if math.isnan(found.low):
        return found
    spread = math.exp(_half_width_of_batches(np.log(values)))
    return Interval(found.value, min(found.low, found.value / spread), max(found.high, found.value * spread))


def _half_width_of_batches(values: NDArray[np.float64]) -> float:
    """Of Student's 95 % interval for the median, from the medians of consecutive batches."""
    from scipy.special import stdtrit

    medians = [np.median(batch) for batch in np.array_split(values, BATCHES)]
    return float(stdtrit(BATCHES - 1, (1 + CONFIDENCE) / 2) * np.std(medians, ddof=1) / math.sqrt(BATCHES))


def bootstrap_interval(values: NDArray[np.float64]) -> Interval:
    """The median of independent values (n,) with the percentile bootstrap's interval; NaN bounds for fewer than six."""
    ordered = np.sort(values)
    if len(ordered) < LEAST_CALLS:
        return Interval(float(np.median(ordered)), float("nan"), float("nan"))
    low, high = _bootstrap_ranks(len(ordered))
    return Interval(float(np.median(ordered)), float(ordered[low]), float(ordered[high]))


@lru_cache
def _bootstrap_ranks(n: int) -> tuple[int, int]:
    """Which of n sorted values bound the middle 95 % of all resampled medians, counted from 0.

    The m-th smallest of n draws is at most the k-th smallest value if at least m draws are: binomial(n, k / n). An even
    n has two middle draws; the lower one gives the lower bound and the higher one the upper.
    """
    from scipy.special import bdtr

    share = np.arange(1, n + 1) / n
    lower, upper = ((1 - bdtr(middle - 1, n, share)) for middle in ((n + 1) // 2, n // 2 + 1))
    low = int(np.searchsorted(lower, (1 - CONFIDENCE) / 2))
    high = int(np.searchsorted(upper, (1 + CONFIDENCE) / 2))
    return low, min(high, n - 1)


def duplicates_cv(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Coefficient of variation of a measurement from pairs (n,) of it: the root mean square of each pair's own.

    (Hyslop and White 2009, "Estimating precision using duplicate measurements".)
    """
    return float(np.sqrt(np.mean(2 * ((first - second) / (first + second)) ** 2)))


def _series(trial: TrialSummary, batch_size: int) -> LatencySeries | None:
    """The raw times, where they come from a joint measurement."""
    found = (one for one in trial.outcome.latency if one.batch_size == batch_size and one.session and one.requests)
    return next(found, None)


def _totals(series: LatencySeries) -> NDArray[np.float64]:
    """Nanoseconds of each call."""
    stages = (series.preprocess_ns, series.forward_ns, series.postprocess_ns)
    totals: NDArray[np.float64] = np.array(stages, dtype=np.float64).sum(axis=0)
    return totals
