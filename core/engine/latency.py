"""The latency pass: how long one request takes, stage by stage, on real rows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.engine.backends.base import Session
from core.records import LatencySeries, Protocol
from core.tasks.base import DecodeContext, Task

Clock = Callable[[], int]
Rows = Sequence[Mapping[str, Any]]

SEED = 0
"""Every candidate gets the same rows in the same order."""
ROUND = 5
"""Calls in one round of warm-up; each round repeats the same requests, so that rounds can be compared."""
STABLE = 0.1
"""Warm once a round takes at most this much longer or shorter than the one before."""
MAX_WARMUP = 100
"""A machine that is not steady by then will not be: the spread of the calls shows it."""


@dataclass(frozen=True)
class Subject:
    """What is timed: a loaded model with its task."""

    session: Session
    task: Task
    context: DecodeContext


@dataclass(frozen=True)
class Call:
    """Nanoseconds of one request."""

    preprocess: int
    forward: int
    postprocess: int

    @property
    def total(self) -> int:
        """The whole request."""
        return self.preprocess + self.forward + self.postprocess


def call(subject: Subject, rows: Rows, clock: Clock = time.perf_counter_ns) -> Call:
    """Time one request: tokenise, run (the session synchronises its device), decode."""
    task, session = subject.task, subject.session
    start = clock()
    encodings = task.encode(session.tokenizer, rows)
    encoded = clock()
    outputs = session.forward(encodings)
    ran = clock()
    task.decode(session.tokenizer, outputs, subject.context)
    return Call(encoded - start, ran - encoded, clock() - ran)


def first_call(subject: Subject, inputs: Rows, clock: Clock = time.perf_counter_ns) -> int:
    """Nanoseconds of the first request after loading, one row, which pays for everything that is set up lazily."""
    return call(subject, next(requests(inputs, 1)), clock).total


def requests(inputs: Rows, batch_size: int) -> Iterator[Rows]:
    """An endless stream of batches: a seeded shuffle of the rows, from the start again where they run out."""
    import numpy as np

    order = np.random.default_rng(SEED).permutation(len(inputs)).tolist()
    start = 0
    while True:
        yield [inputs[order[(start + offset) % len(order)]] for offset in range(batch_size)]
        start += batch_size


def measure(
    subject: Subject,
    inputs: Rows,
    batch_size: int,
    protocol: Protocol,
    *,
    first_call_ns: int,
    clock: Clock = time.perf_counter_ns,
) -> LatencySeries:
    """Time requests of one batch size until there are enough of them.

    Stops at `min_calls` calls and `min_seconds` seconds, or at `max_seconds` whatever the number of calls, but never
    before the first call. Warm-up takes at least `warmup` calls, goes on until two rounds take equally long, and gives
    up after `max_seconds`.

    Args:
        subject: The loaded model.
        inputs: The rows of the EvalSet; drawn with a fixed seed and repeated where they do not fill a batch.
        batch_size: Rows of one request.
        protocol: When to stop.
        first_call_ns: Carried into the series.
        clock: Nanoseconds; for tests.

    Raises:
        TrialFailed: `out_of_memory`.
    """
    stream = requests(inputs, batch_size)
    with _no_garbage_collection():
        warmup_calls = _warm_up(subject, [next(stream) for _ in range(ROUND)], protocol, clock)
        calls: list[Call] = []
        started = clock()
        while not _enough(len(calls), (clock() - started) / 1e9, protocol):
            calls.append(call(subject, next(stream), clock))
    return LatencySeries(
        batch_size=batch_size,
        preprocess_ns=tuple(one.preprocess for one in calls),
        forward_ns=tuple(one.forward for one in calls),
        postprocess_ns=tuple(one.postprocess for one in calls),
        first_call_ns=first_call_ns,
        warmup_calls=warmup_calls,
    )


def _enough(calls: int, seconds: float, protocol: Protocol) -> bool:
    if calls == 0:
        return False
    return seconds >= protocol.max_seconds or (calls >= protocol.min_calls and seconds >= protocol.min_seconds)


def _warm_up(subject: Subject, batches: Sequence[Rows], protocol: Protocol, clock: Clock) -> int:
    """Repeat the same few requests until they take equally long twice. Returns the number of calls."""
    started, calls, before = clock(), 0, 0
    while True:
        took = 0
        for batch in batches:
            took += call(subject, batch, clock).total
            calls += 1
            if clock() - started >= protocol.max_seconds * 1e9:
                return calls
        stable = abs(took - before) <= STABLE * before
        if calls >= protocol.warmup and (stable or calls >= MAX_WARMUP):
            return calls
        before = took


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a request would be charged to the model."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
