"""MLPerf's scenarios of a trial: what came of the server scenario, and the names of the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.analysis.intervals import UNDEFINED, Interval
from core.analysis.timing import LEAST_CALLS, quantile
from core.analysis.wording import milliseconds, three_digits
from core.engine import serving

if TYPE_CHECKING:
    from core.analysis.summary import Analysis, TrialSummary
    from core.records import Outcome, ServerSeries

SCENARIOS = (
    "MLPerf's names: single-stream is one row per call, each sent when the last was answered; multi-stream is several "
    "rows per call; offline is all rows at once, as in the quality pass; server is requests that arrive by chance."
)
SHORTER = (
    "Requests of one row arrive by a Poisson process; those that wait when the model is free run as one batch (dynamic "
    "batching). A request's time runs from the moment it was due. MLPerf's server scenario asks for 270,336 requests "
    "at least; ours is shorter: 1,000 or somewhat more at each rate."
)


@dataclass(frozen=True)
class TriedRate:
    """One rate of requests, and what became of them."""

    rate: float
    """Per second."""
    requests: int
    """So many were to be answered."""
    answered: int
    late: int
    """Answered after the bound."""
    p50_ms: float
    p99_ms: Interval
    """The least time that 99 % of the requests do not pass, with its 95 % interval; NaN where the rate was given up,
    because those that were not answered any more would have taken longer."""
    mean_batch: float
    """Requests that ran together, on average."""
    held: bool
    sure: bool
    """Whether the interval of p99 lies on the same side of the bound as p99; so it does where a rate was given up."""


@dataclass(frozen=True)
class Server:
    """The server scenario of one trial."""

    bound_ms: float
    max_batch: int
    rates: tuple[TriedRate, ...]
    """Ascending."""
    least_rate: float
    """Per second; lower ones could not be told within the time that the plan allows."""

    @property
    def highest(self) -> float:
        """The highest rate that held, requests per second; NaN where none did."""
        return max((one.rate for one in self.rates if one.held), default=math.nan)

    @property
    def lost(self) -> float:
        """The lowest rate above it that did not hold; NaN where all that were tried did."""
        above = (one.rate for one in self.rates if not one.held and not one.rate <= self.highest)
        return min(above, default=math.nan)

    @property
    def enclosed(self) -> bool:
        """Whether the highest rate is known: one held, and one a little above it did not."""
        return self.highest < self.lost

    @property
    def in_words(self) -> str:
        """What is known, in a clause."""
        bound = f"p99 under {self.bound_ms:g} ms"
        if math.isnan(self.highest):
            if self.lost <= self.least_rate:
                return (
                    f"not {three_digits(self.lost)} requests/s with {bound}; whether fewer, {serving.LEAST_REQUESTS:,} "
                    "requests within the plan's max_seconds cannot tell"
                )
            return f"not {three_digits(self.lost)} requests/s with {bound}; the search was not ended"
        best = next(one for one in self.rates if one.rate == self.highest)
        reach = "" if best.sure else f" (its interval reaches {milliseconds(best.p99_ms.high)})"
        known = f"{three_digits(self.highest)} requests/s with {bound}{reach}"
        if math.isnan(self.lost):
            return f"at least {known}; the search was not ended"
        return f"{known}, and not {three_digits(self.lost)}"


def server(outcome: Outcome) -> Server | None:
    """The server scenario of a trial; None where it was not measured."""
    protocol = outcome.spec.protocol
    if not outcome.server or protocol.server_p99_ms is None:
        return None
    rates = (_tried(one, protocol.server_p99_ms) for one in outcome.server)
    return Server(
        protocol.server_p99_ms,
        protocol.server_max_batch,
        tuple(sorted(rates, key=lambda one: one.rate)),
        serving.lowest_rate(protocol),
    )


def _tried(series: ServerSeries, bound_ms: float) -> TriedRate:
    times = np.sort(np.asarray(series.latency_ns, dtype=np.float64)) / 1e6
    complete, held = len(times) == series.requests, serving.held(series, bound_ms)
    p99 = _p99(times) if complete and len(times) >= LEAST_CALLS[99] else UNDEFINED
    return TriedRate(
        rate=series.rate,
        requests=series.requests,
        answered=len(times),
        late=int((times > bound_ms).sum()),
        p50_ms=float(np.median(times)) if complete else math.nan,
        p99_ms=p99,
        mean_batch=float(np.mean(series.batch_sizes)) if series.batch_sizes else math.nan,
        held=held,
        sure=not complete or (p99.high <= bound_ms if held else p99.low > bound_ms),
    )


def _p99(ordered: np.ndarray) -> Interval:
    """A time that was taken (rank ⌈0.99 n⌉), none between two: it is under a bound when 99 % of the requests are."""
    around = quantile(ordered, 0.99)
    return Interval(float(np.quantile(ordered, 0.99, method="inverted_cdf")), around.low, around.high)


@dataclass(frozen=True)
class ScenarioRow:
    """One trial under the names of MLPerf's scenarios; NaN where something was not measured."""

    trial: str
    name: str
    single_stream_ms: float
    """90th percentile of the calls of one row."""
    multi_stream_ms: float
    """90th percentile of the calls of several rows, the most that were timed together."""
    multi_stream_rows: int | None
    offline: float
    """Rows per second of the quality pass."""
    screened: str | None
    """As in `Throughput`: the precision of a copy that answered most of them."""
    server: Server | None


def scenario(trial: TrialSummary) -> ScenarioRow:
    """What is known of a trial, under MLPerf's names."""
    single, most = trial.latency.get(1), max((size for size in trial.latency if size > 1), default=None)
    multi = trial.latency[most] if most else None
    return ScenarioRow(
        trial=trial.id,
        name=trial.name,
        single_stream_ms=((single and single.tail(90)) or UNDEFINED).value,
        multi_stream_ms=((multi and multi.tail(90)) or UNDEFINED).value,
        multi_stream_rows=most,
        offline=trial.speed.rows_per_second,
        screened=trial.speed.screened,
        server=server(trial.outcome),
    )


def scenarios(analysis: Analysis) -> list[ScenarioRow]:
    """All finished trials, those that hold the highest rate of requests first, then in plan order."""
    rows = [scenario(trial) for trial in analysis.finished]
    return sorted(rows, key=lambda row: -_highest(row.server))


def _highest(found: Server | None) -> float:
    return 0.0 if found is None or math.isnan(found.highest) else found.highest
