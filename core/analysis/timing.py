"""Latency from raw times: percentiles only where there are calls enough to know them, with intervals.

The interval of a percentile needs no assumption about the distribution: the number of calls below the true q-quantile
is binomial(n, q), so two order statistics enclose it (David and Nagaraja 2003, "Order Statistics", section 7.1; the
same rule is Theorem 2.1 of Le Boudec 2010, "Performance Evaluation of Computer and Communication Systems"). It takes
calls as independent, so slow drift of the machine is not in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from core.records import Chunk, LatencySeries

LEAST_CALLS = {50: 1, 90: 1, 95: 100, 99: 1000}
"""Percentile → calls it takes to report it."""
STAGES = ("preprocess", "forward", "postprocess")


@dataclass(frozen=True)
class Latency:
    """Times of one batch size, milliseconds per call."""

    batch_size: int
    calls: int
    mean: float
    percentiles: dict[int, Interval]
    """50, 90, 95, 99 → value with interval. One that lacks calls is absent; a bound that does not exist is NaN."""
    stages: dict[str, float]
    """Mean per stage."""
    first_call: float
    values: NDArray[np.float64]
    """Every call, in order, shape (calls,)."""
    device: float = float("nan")
    """Mean of what the GPU's own clock counted of the forward pass; NaN where there is no such clock."""

    @property
    def median(self) -> Interval:
        """The 50th percentile."""
        return self.percentiles[50]

    @property
    def rows_per_second(self) -> float:
        """Rows answered per second at this batch size, one call after the other."""
        return self.batch_size * 1000 / self.mean

    def tail(self, percentile: int) -> Interval | None:
        """That percentile, or None where there are too few calls for it."""
        return self.percentiles.get(percentile)


def from_series(series: LatencySeries) -> Latency | None:
    """Milliseconds and percentiles from raw nanoseconds; None for a series without a call."""
    stages = np.array([series.preprocess_ns, series.forward_ns, series.postprocess_ns], dtype=np.float64) / 1e6
    values = stages.sum(axis=0)
    if not len(values):
        return None
    ordered = np.sort(values)
    return Latency(
        batch_size=series.batch_size,
        calls=len(values),
        mean=float(values.mean()),
        percentiles={q: quantile(ordered, q / 100) for q, least in LEAST_CALLS.items() if len(values) >= least},
        stages=dict(zip(STAGES, stages.mean(axis=1).tolist(), strict=True)),
        first_call=series.first_call_ns / 1e6,
        values=values,
        device=float(np.mean(series.device_ns)) / 1e6 if series.device_ns else float("nan"),
    )


def quantile(ordered: NDArray[np.float64], q: float) -> Interval:
    """The q-quantile of sorted values (n,), enclosed by two of them with 95 % confidence.

    A bound beyond the smallest or largest value does not exist, and is NaN.
    """
    n = len(ordered)
    first, last = _ranks(n, q)
    return Interval(
        float(np.quantile(ordered, q)),
        float(ordered[first - 1]) if first > 0 else float("nan"),
        float(ordered[last]) if last < n else float("nan"),
    )


@lru_cache
def _ranks(n: int, q: float) -> tuple[int, int]:
    """How many of n values lie below the true q-quantile at least, and at most, with 95 % confidence."""
    from scipy.special import bdtr

    below = bdtr(np.arange(n + 1), n, q)
    first, last = np.searchsorted(below, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return int(first), int(last)


@dataclass(frozen=True)
class Throughput:
    """Speed of the quality pass. NaN before the first row."""

    rows_per_second: float
    units_per_second: float
    """Of what the task counts (`Task.unit`)."""
    screened: str | None = None
    """Precision of the copy that answered first (`engine.screening`), e.g. `bfloat16`: the speed is of both."""
    rechecked: float = math.nan
    """Share of the screened rows that ran a second time; NaN where none was screened."""

    @property
    def real_time_factor(self) -> float:
        """Seconds of work per second of audio, where that is the unit; below 1 is faster than speech."""
        return 1 / self.units_per_second if self.units_per_second else float("nan")


def throughput(chunks: Sequence[Chunk], facts: Mapping[str, Any] | None = None) -> Throughput:
    """Rows and units per second of the forward passes of these chunks.

    Args:
        chunks: Of one trial.
        facts: `Outcome.environment`, which says whether rows were screened; known at the trial's end.
    """
    said, seconds = facts or {}, sum(chunk.seconds for chunk in chunks)
    how = said.get("screened"), float(said.get("rechecked", math.nan))
    if not seconds:
        return Throughput(math.nan, math.nan, *how)
    rows = sum(len(chunk.positions) for chunk in chunks)
    return Throughput(rows / seconds, sum(chunk.units for chunk in chunks) / seconds, *how)
