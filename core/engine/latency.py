"""The latency pass: how long one request takes, of all candidates of a run in one joint measurement.

The models stay loaded, each in a process of its own that is idle while another one is timed. Every request goes to all
of them, in an order drawn anew for each request, so that whatever else the machine does hits all of them alike, and a
candidate is compared with another on pairs of calls that had the same rows at the same time. Measured one after the
other, a neighbour that comes and goes decides the comparison.

In the words of MLPerf Inference (Reddi et al. 2020, "MLPerf Inference Benchmark"): requests of one row, each sent when
the one before has been answered, are the single-stream scenario; those of several rows the multi-stream scenario. The
offline scenario is what the quality pass's rows per second say. The server scenario is `core.engine.serving`.

Of tasks that write, each call says besides when its first token came and how long the others took, as MLPerf's TTFT and
TPOT do; and because a model of few words is done sooner, a second series has every row written to the same length.

Nothing here knows a model or a process: a subject is a function that times a request.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from core.engine.events import Writing
from core.engine.request import Call, Clock, Request
from core.records import FixedLengthSeries, LatencySeries, Protocol

ROUND = 5
"""Calls in one round of warm-up; each round repeats the same requests, so that rounds can be compared."""
STABLE = 0.1
"""Warm once the calls of a round take at most this much longer or shorter than in the one before, in the median."""
MAX_WARMUP = 100
"""A machine that is not steady by then will not be: the spread of the calls shows it."""
FIXED_CALLS = 20
"""Calls of the series at a fixed length. Each does the same number of steps, so they differ far less than calls that
end where a model likes; and what is wanted of them is a median, no tail: six calls are enough for its interval."""
FIXED_SHARE = 0.25
"""Most seconds of that series, as a share of `max_seconds`."""


class Dropout(Exception):
    """Raised by a subject that cannot be timed any more; the others go on."""


@dataclass(frozen=True)
class Subject:
    """Something to time."""

    time: Callable[[Request], Call]
    """Answers a request. Raises Dropout."""
    first_call_ns: int = 0
    """Carried into the series."""
    time_fixed_length: Callable[[Request], Call] | None = None
    """The same with exactly `max_new_tokens` tokens for each row. Raises Dropout."""


def measure(
    subjects: Sequence[Subject],
    requests: Iterator[Request],
    protocol: Protocol,
    *,
    session: str = "",
    clock: Clock = time.perf_counter_ns,
) -> list[LatencySeries | None]:
    """`joint`; and those that write tokens once more, every row at the same length, in a short series of the same kind.

    How long a request takes depends on how much a model has to say. At a fixed length all do the same work.
    """
    found = joint(subjects, requests, protocol, session=session, clock=clock)
    writers = {
        number: replace(subject, time=subject.time_fixed_length)
        for number, (subject, series) in enumerate(zip(subjects, found, strict=True))
        if series is not None and series.tokens and subject.time_fixed_length is not None
    }
    if writers:
        fixed = joint(list(writers.values()), requests, shorter(protocol), session=session, clock=clock)
        for number, series in zip(writers, fixed, strict=True):
            found[number] = _with_fixed_length(found[number], series)
    return found


def shorter(protocol: Protocol) -> Protocol:
    """How the series at a fixed length is taken, where the first one goes by `protocol`."""
    calls, seconds = min(FIXED_CALLS, protocol.min_calls), FIXED_SHARE * protocol.max_seconds
    return replace(protocol, min_calls=calls, min_seconds=0.0, max_seconds=seconds, warmup=ROUND)


def joint(
    subjects: Sequence[Subject],
    requests: Iterator[Request],
    protocol: Protocol,
    *,
    session: str = "",
    clock: Clock = time.perf_counter_ns,
) -> list[LatencySeries | None]:
    """Time the same requests on all subjects, taking turns.

    Each subject is warmed up: at least `warmup` calls, until two rounds of the same requests take equally long, and
    never longer than `max_seconds`. Then every request goes to every subject, and to the first of them a second time
    (A/A): how much these two differ is what the machine alone does. The measurement ends once all subjects have
    `min_calls` calls and it took `min_seconds` for each of them on average, or `max_seconds`. A subject whose own calls
    took `max_seconds` has enough, so that a slow one does not keep the others from theirs. Each gets one call at least.

    Args:
        subjects: What to time.
        requests: Endless, all of one size.
        protocol: When to stop.
        session: Name of the measurement, carried into the series; the order is drawn from it, too.
        clock: Nanoseconds; for tests.

    Returns:
        One series per subject; None where it dropped out.
    """
    repeated = list(islice(requests, ROUND))
    tracks = [_Track(subject) for subject in subjects]
    for track in tracks:
        track.warm_up(repeated, protocol, clock)
    again = next((track for track in tracks if not track.out), None)
    turns = sum(not track.out for track in tracks) + 1
    rng = random.Random(session)  # noqa: S311 - an order, no secret
    began = clock()
    for number, request in enumerate(requests):
        active = [track for track in tracks if not track.has_enough(protocol)]
        if not active or _over(active, (clock() - began) / 1e9 / turns, protocol):
            break
        order = [(track, False) for track in active] + [(track, True) for track in active if track is again]
        rng.shuffle(order)
        for track, repeat in order:
            track.take(number, request, repeat=repeat)
    return [track.series(len(repeated[0]), session) for track in tracks]


def _over(active: Sequence[_Track], seconds: float, protocol: Protocol) -> bool:
    """Whether the subjects have what they need, after so many seconds for each of them on average."""
    calls = min(len(track.calls) for track in active)
    if calls == 0:
        return False
    return seconds >= protocol.max_seconds or (calls >= protocol.min_calls and seconds >= protocol.min_seconds)


class _Track:
    """One subject and its calls so far."""

    def __init__(self, subject: Subject) -> None:
        self.out = False
        self.calls: list[Call] = []
        self._subject = subject
        self._requests: list[int] = []
        self._again: list[int] = []
        self._seconds = 0.0
        self._warmup_calls = 0

    def warm_up(self, requests: Sequence[Request], protocol: Protocol, clock: Clock) -> None:
        """Repeat the same few requests until they take equally long twice."""
        began = clock()
        before: list[int] = []
        while not self.out:
            took = []
            for request in requests:
                answer = self._time(request)
                if answer is None:
                    return
                self._warmup_calls += 1
                took.append(answer.total)
                if clock() - began >= protocol.max_seconds * 1e9:
                    return
            if self._warmup_calls >= protocol.warmup and (_alike(took, before) or self._warmup_calls >= MAX_WARMUP):
                return
            before = took

    def take(self, number: int, request: Request, *, repeat: bool) -> None:
        """Time a request, as a call of the series or as its repetition."""
        answer = self._time(request)
        if answer is None:
            return
        if repeat:
            self._again.append(answer.total)
        else:
            self.calls.append(answer)
            self._requests.append(number)
            self._seconds += answer.total / 1e9

    def has_enough(self, protocol: Protocol) -> bool:
        """Whether nothing more is to be asked of it."""
        return self.out or self._seconds >= protocol.max_seconds

    def series(self, batch_size: int, session: str) -> LatencySeries | None:
        """What was found; None where the subject dropped out."""
        if self.out:
            return None
        found = LatencySeries(
            batch_size=batch_size,
            preprocess_ns=tuple(one.preprocess for one in self.calls),
            forward_ns=tuple(one.forward for one in self.calls),
            postprocess_ns=tuple(one.postprocess for one in self.calls),
            first_call_ns=self._subject.first_call_ns,
            warmup_calls=self._warmup_calls,
            requests=tuple(self._requests),
            session=session,
            again_ns=tuple(self._again),
            device_ns=tuple(one.device for one in self.calls if one.device is not None),
        )
        return _with_tokens(found, [one.writing for one in self.calls])

    def _time(self, request: Request) -> Call | None:
        """The call; None where the subject is out."""
        if self.out:
            return None
        try:
            return self._subject.time(request)
        except Dropout:
            self.out = True
            return None


def _with_tokens(series: LatencySeries, calls: Sequence[Writing | None]) -> LatencySeries:
    """The series with how the tokens of its calls came; as it is where not every call wrote."""
    written = [one for one in calls if one is not None]
    if len(written) < len(calls):
        return series
    return replace(
        series,
        first_token_ns=tuple(one.first_token_ns for one in written),
        decode_ns=tuple(one.decode_ns for one in written),
        decode_steps=tuple(one.steps for one in written),
        tokens=tuple(tokens for one in written for tokens in one.tokens),
    )


def _with_fixed_length(series: LatencySeries | None, fixed: LatencySeries | None) -> LatencySeries | None:
    """The series with what a second one at a fixed length says of the speed."""
    if series is None or fixed is None:
        return series
    stages = zip(fixed.preprocess_ns, fixed.forward_ns, fixed.postprocess_ns, strict=True)
    calls = range(0, len(fixed.tokens), fixed.batch_size)
    tokens = tuple(sum(fixed.tokens[start : start + fixed.batch_size]) for start in calls)
    return replace(series, fixed_length=FixedLengthSeries(tuple(map(sum, stages)), tokens, fixed.requests))


def _alike(took: Sequence[int], before: Sequence[int]) -> bool:
    """Whether the same requests took equally long. By the median: one disturbed call is no sign of a cold model."""
    if not before:
        return False
    return statistics.median(abs(new - old) / max(old, 1) for new, old in zip(took, before, strict=True)) <= STABLE
