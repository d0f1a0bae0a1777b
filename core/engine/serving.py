"""The server scenario: requests come when they come, and the model answers as many as wait.

MLPerf Inference (Reddi et al. 2020, "MLPerf Inference Benchmark") asks in this scenario for the highest rate of Poisson
arrivals at which the 99th percentile of the latencies stays under a bound. So does this module, in short: MLPerf wants
270,336 requests at least, here a rate is tried with 1,000 or somewhat more.

A request's latency runs from the moment it was due to its answer. A model that is behind does not keep requests from
coming, so the time they wait counts; a client that sends the next request after the last answer would not see it
("coordinated omission", Gil Tene). All requests that wait when the model is free run as one batch, up to `max_batch`:
dynamic batching, as inference servers do it (Crankshaw et al. 2017, "Clipper"), without waiting for more.

Nothing here knows a model or a process.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from core.engine.latency import Dropout
from core.engine.request import Clock
from core.errors import PlanError
from core.records import LatencySeries, Protocol, ServerSeries

LEAST_REQUESTS = 1000
"""Fewer do not tell a 99th percentile."""
LATE_PERCENT = 1
"""Of the requests may miss the bound: that is what a 99th percentile under it says."""
TOLERANCE = 0.1
"""The search ends when the lowest rate that did not hold is at most this much above the highest that did."""
FIRST_LOAD = 0.5
"""The first rate, as a share of what the model answers one request after the other."""
MAX_RATES = 20
"""More than the search takes unless a machine answers as it likes."""
SEED = 0
"""Every candidate gets the same arrivals, closer or further apart."""
MARGIN_NS, NAP_NS = 1_000_000, 50_000
"""A sleep is never shorter than asked for, but may be longer: the last millisecond is slept in naps."""

Sleep = Callable[[float], None]
"""Seconds."""


def arrivals(requests: int, rate: float, seed: int = SEED) -> list[int]:
    """When so many requests are due: nanoseconds from the start, `rate` per second on average, by a Poisson process.

    One seed gives one pattern: at another rate all gaps are longer or shorter by the same factor.
    """
    import numpy as np

    gaps = np.random.default_rng(seed).exponential(1e9 / rate, size=requests)
    return [int(moment) for moment in np.cumsum(gaps)]


@dataclass
class Taken:
    """What became of the requests that were answered."""

    latency_ns: list[int] = field(default_factory=list)
    """In order of arrival."""
    batch_sizes: list[int] = field(default_factory=list)
    """Requests of each batch that ran, in order."""


def serve(
    answer: Callable[[range], object],
    due: Sequence[int],
    *,
    max_batch: int,
    bound_ns: float,
    clock: Clock = time.perf_counter_ns,
    sleep: Sleep = time.sleep,
) -> Taken:
    """Answer requests as they become due; stop as soon as too many were late for the 99th percentile to hold.

    Args:
        answer: Answers the requests of these numbers together.
        due: When each of them arrives, nanoseconds from now, ascending.
        max_batch: Most requests of one batch.
        bound_ns: A request that takes longer is late.
        clock: Nanoseconds; for tests.
        sleep: For tests.
    """
    taken, late, first = Taken(), 0, 0
    start = clock()
    while first < len(due) and late <= allowed_late(len(due)):
        wait_until(start + due[first], clock, sleep)
        now, last = clock() - start, first + 1
        while last < len(due) and last - first < max_batch and due[last] <= now:
            last += 1
        answer(range(first, last))
        answered = clock() - start
        took = [answered - moment for moment in due[first:last]]
        late += sum(one > bound_ns for one in took)
        taken.latency_ns += took
        taken.batch_sizes.append(last - first)
        first = last
    return taken


def warmup_sizes(max_batch: int) -> list[int]:
    """Batches that a model answers before the first request is due: it was idle, and others had the caches."""
    sizes = [size for size in (1, 2, 4, 8, 16, 32, 64) if size < max_batch]
    return [*sizes, max_batch]


def wait_until(moment: int, clock: Clock = time.perf_counter_ns, sleep: Sleep = time.sleep) -> None:
    """Sleep until the clock shows `moment`. Never spins: others may use the machine."""
    while (left := moment - clock()) > 0:
        sleep((left - MARGIN_NS if left > MARGIN_NS + NAP_NS else min(left, NAP_NS)) / 1e9)


def allowed_late(requests: int) -> int:
    """How many of so many requests may miss the bound."""
    return requests * LATE_PERCENT // 100


def held(series: ServerSeries, bound_ms: float) -> bool:
    """Whether all requests of a rate were answered, and 99 % of them within the bound."""
    late = sum(took > bound_ms * 1e6 for took in series.latency_ns)
    return len(series.latency_ns) == series.requests and late <= allowed_late(series.requests)


def steady_seconds(bound_ms: float) -> float:
    """How long a rate must be kept up at least: so long that a model which is too slow by `TOLERANCE` is found out.

    Each second its queue grows by that share of a second's requests; it shows once it has grown by the bound.
    """
    return bound_ms / 1e3 / TOLERANCE


def highest_bound_ms(max_seconds: float) -> float:
    """The bound whose rates must be kept up that long."""
    return max_seconds * 1e3 * TOLERANCE


def requests_at(rate: float, protocol: Protocol) -> int:
    """How many requests a rate is tried with."""
    assert protocol.server_p99_ms is not None
    seconds = max(protocol.min_seconds, steady_seconds(protocol.server_p99_ms))
    return max(LEAST_REQUESTS, math.ceil(rate * seconds))


def lowest_rate(protocol: Protocol) -> float:
    """Requests per second below which `LEAST_REQUESTS` of them take longer than `max_seconds`: nothing can be told."""
    return LEAST_REQUESTS / protocol.max_seconds


def rows_per_second(series: LatencySeries) -> float:
    """What a model answers one call after the other: where a search begins."""
    calls = zip(series.preprocess_ns, series.forward_ns, series.postprocess_ns, strict=True)
    return series.batch_size * 1e9 / max(statistics.median(map(sum, calls)), 1)


def check(protocol: Protocol) -> None:
    """Refuse a protocol that cannot measure the scenario it asks for. Raises PlanError."""
    bound = protocol.server_p99_ms
    if bound is None:
        return
    if not protocol.latency_batch_sizes:
        raise PlanError(
            "latency.server needs the time of single calls to start from, but latency.batch_sizes is empty.",
            "batch_sizes: [1]",
        )
    if steady_seconds(bound) > protocol.max_seconds:
        raise PlanError(
            f"latency.server.p99_ms is {bound:g}: a rate must be kept up for {steady_seconds(bound):g} seconds to show "
            f"whether it holds, and latency.max_seconds is {protocol.max_seconds:g}.",
            "Lower p99_ms or raise max_seconds.",
        )


class Search:
    """Looks for the highest rate that holds: by doubling or halving until it is enclosed, then by bisection.

    In ratios, so that a fast and a slow model take equally many steps. It takes a rate that held for a sign that all
    lower ones do.
    """

    def __init__(self, start: float, lowest: float) -> None:
        """Begin at the rate `start`; nothing below `lowest` is tried."""
        self._start, self._lowest = max(start, lowest), lowest
        self._held: float | None = None
        self._failed: float | None = None
        self._tried = 0

    def next(self) -> float | None:
        """The rate to try now; None at the end."""
        if self._tried >= MAX_RATES:
            return None
        if self._failed is None:
            return self._start if self._held is None else self._held * 2
        if self._held is None:
            return None if self._failed <= self._lowest else max(self._failed / 2, self._lowest)
        if self._failed <= self._held * (1 + TOLERANCE):
            return None
        return math.sqrt(self._held * self._failed)

    def tell(self, rate: float, *, held: bool) -> None:
        """Take in how a rate went."""
        self._tried += 1
        if held:
            self._held = rate
        else:
            self._failed = rate


@dataclass(frozen=True)
class Subject:
    """Something that answers requests."""

    serve: Callable[[float, int], ServerSeries]
    """Tries a rate with so many requests. Raises Dropout."""
    rows_per_second: float
    """What it answers one call after the other."""


def joint(subjects: Sequence[Subject], protocol: Protocol, *, session: str = "") -> list[tuple[ServerSeries, ...]]:
    """Search the highest rate of all subjects, taking turns: each tries one rate, in an order drawn anew each time.

    So none of them is measured an hour after another. One that drops out keeps what it has.

    Args:
        subjects: What to measure.
        protocol: The bound, and how long a rate may take.
        session: Name of the measurement; the order is drawn from it.

    Returns:
        The tried rates of each subject, in the order they were tried.
    """
    assert protocol.server_p99_ms is not None
    lowest = lowest_rate(protocol)
    searches = [Search(FIRST_LOAD * one.rows_per_second, lowest) for one in subjects]
    tried: list[list[ServerSeries]] = [[] for _ in subjects]
    rng = random.Random(session)  # noqa: S311 - an order, no secret
    going = list(range(len(subjects)))
    while going:
        rng.shuffle(going)
        for index in tuple(going):
            rate = searches[index].next()
            if rate is None:
                going.remove(index)
                continue
            try:
                series = subjects[index].serve(rate, requests_at(rate, protocol))
            except Dropout:
                going.remove(index)
                continue
            tried[index].append(replace(series, session=session))
            searches[index].tell(rate, held=held(series, protocol.server_p99_ms))
    return [tuple(rates) for rates in tried]
