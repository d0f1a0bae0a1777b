"""How models that write do it: when the first token comes, how long each further one takes, and tokens per second.

The words are those of MLPerf Inference's benchmarks of language models and of vLLM's: time to first token (TTFT), and
time per output token (TPOT), (last token - first token) / (tokens - 1). Ours differ from a server's in two things. The
first token is waited for from the start of the request, with preprocessing. And a batch is written in step, so its rows
share their times: they wait for the longest among them.

Both depend on what a model has to say. Tokens per second are therefore taken from a second series in which every row of
every model is written to the same length (`core.engine.latency.measure`): whole calls, first token included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.analysis import latency_ratio
from core.analysis.intervals import UNDEFINED, Interval
from core.analysis.timing import LEAST_CALLS, quantile
from core.analysis.wording import milliseconds, three_digits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis, TrialSummary
    from core.records import FixedLengthSeries, LatencySeries

WORDS = (
    "MLPerf and vLLM call these TTFT, time to first token, here from the start of the request, preprocessing included; "
    "and TPOT, time per output token, from the first token to the last over the tokens after the first. Rows of a "
    "batch get their tokens together. At a fixed length every row of every model is as long as the plan allows, so "
    "that a model of few words is no faster for it."
)


@dataclass(frozen=True)
class Writing:
    """One trial at one batch size."""

    batch_size: int
    first_token_ms: Mapping[int, Interval]
    """50, 90, 95, 99 → value with interval. One that lacks calls is absent."""
    token_ms: Interval
    """Median over the calls of the time per output token; NaN where no text had a second one."""
    tokens_per_row: float
    """Mean of what was written, the token that ends a text included."""
    fixed_tokens: float = float("nan")
    """The same in the series at a fixed length: less than the plan says where a model has no room for it. NaN where
    that was not measured."""
    tokens_per_second: Interval = UNDEFINED
    """Median over the calls of that series, of all rows of a call together."""

    @property
    def in_words(self) -> str:
        """What a user waits for, in a clause."""
        first, tail = self.first_token_ms[50], self.first_token_ms.get(95)
        words = [
            f"first token after {milliseconds(first.value)}" + (f" (p95 {milliseconds(tail.value)})" if tail else "")
        ]
        if not np.isnan(self.token_ms.value):
            words.append(f"then {milliseconds(self.token_ms.value)} per token")
        if not np.isnan(self.tokens_per_second.value):
            speed = three_digits(self.tokens_per_second.value)
            words.append(f"{speed} tokens/s at {self.fixed_tokens:.4g} tokens a row")
        return ", ".join(words)


def from_series(series: LatencySeries) -> Writing | None:
    """Times of tokens from raw nanoseconds; None for a series in which nothing was written."""
    if not series.tokens:
        return None
    first = np.sort(np.asarray(series.first_token_ns, dtype=np.float64)) / 1e6
    steps = np.asarray(series.decode_steps)
    later = np.sort(np.asarray(series.decode_ns, dtype=np.float64)[steps > 0] / steps[steps > 0]) / 1e6
    fixed = series.fixed_length
    return Writing(
        batch_size=series.batch_size,
        first_token_ms={q: quantile(first, q / 100) for q, least in LEAST_CALLS.items() if len(first) >= least},
        token_ms=quantile(later, 0.5) if len(later) else UNDEFINED,
        tokens_per_row=float(np.mean(series.tokens)),
        fixed_tokens=float(np.mean(fixed.tokens)) / series.batch_size if fixed else float("nan"),
        tokens_per_second=quantile(np.sort(_rates(fixed)), 0.5) if fixed else UNDEFINED,
    )


def writings(trial: TrialSummary) -> dict[int, Writing]:
    """Batch size → how the trial wrote, ascending; empty for models that do not write."""
    found = (from_series(one) for one in sorted(trial.outcome.latency, key=lambda one: one.batch_size))
    return {one.batch_size: one for one in found if one}


def speed_ratios(analysis: Analysis, against: str, batch_size: int) -> list[latency_ratio.Ratio]:
    """Tokens per second at a fixed length: every other finished trial over one, fastest first.

    Those that were not timed together with it are left out.

    Args:
        analysis: The run.
        against: Id of the trial that all others are divided by.
        batch_size: Rows of a request.
    """
    other = _series(analysis.trial(against), batch_size)
    found = []
    for trial in analysis.finished:
        mine = _series(trial, batch_size)
        if trial.id == against or mine is None or other is None or mine.session != other.session:
            continue
        calls = _paired(mine.fixed_length, other.fixed_length)
        if len(calls):
            median = latency_ratio.median_interval(calls)
            ratio = latency_ratio.Ratio(
                trial.id, against, batch_size, median.value, median.low, median.high, len(calls)
            )
            found.append(ratio)
    return sorted(found, key=lambda one: -one.ratio)


@dataclass(frozen=True)
class WritingRow:
    """One trial in the table of those that write."""

    trial: str
    name: str
    writing: Writing
    beside: Interval
    """Its tokens per second over those of the trial all are compared with; NaN for that one, and where the two were not
    timed together."""


@dataclass(frozen=True)
class WritingTable:
    """How trials write at a batch size."""

    against: str
    """Name of the trial that the others are compared with."""
    rows: tuple[WritingRow, ...]
    """The earliest first token first."""


def smallest(analysis: Analysis) -> list[WritingRow]:
    """The finished trials that write, each at its smallest batch size; the earliest first token first."""
    found = [(trial, next(iter(writings(trial).values()), None)) for trial in analysis.finished]
    rows = [WritingRow(trial.id, trial.name, writing, UNDEFINED) for trial, writing in found if writing]
    return sorted(rows, key=lambda row: row.writing.first_token_ms[50].value)


def table(analysis: Analysis, ranking: Ranking, batch_size: int) -> WritingTable | None:
    """What the Latency tab shows of models that write; None where none does."""
    wrote = [(trial, writings(trial).get(batch_size)) for trial in analysis.finished]
    against = latency_ratio.baseline(analysis, ranking, batch_size)
    if against is None or not any(writing for _, writing in wrote):
        return None
    ratios = {one.a: Interval(one.ratio, one.low, one.high) for one in speed_ratios(analysis, against, batch_size)}
    rows = [
        WritingRow(trial.id, trial.name, writing, ratios.get(trial.id, UNDEFINED))
        for trial, writing in wrote
        if writing
    ]
    return WritingTable(
        analysis.trial(against).name, tuple(sorted(rows, key=lambda row: row.writing.first_token_ms[50].value))
    )


def _rates(series: FixedLengthSeries) -> NDArray[np.float64]:
    """Tokens per second of each call."""
    rates: NDArray[np.float64] = np.asarray(series.tokens) * 1e9 / np.asarray(series.total_ns)
    return rates


def _series(trial: TrialSummary, batch_size: int) -> LatencySeries | None:
    """The raw times, where they come from a joint measurement."""
    return next((one for one in trial.outcome.latency if one.batch_size == batch_size and one.session), None)


def _paired(mine: FixedLengthSeries | None, other: FixedLengthSeries | None) -> NDArray[np.float64]:
    """One's tokens per second over the other's for each request that both answered, (n,)."""
    if mine is None or other is None:
        return np.empty(0)
    _, first, second = np.intersect1d(mine.requests, other.requests, assume_unique=True, return_indices=True)
    return _rates(mine)[first] / _rates(other)[second]
