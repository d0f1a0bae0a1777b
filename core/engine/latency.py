"""The latency pass: how long one request takes, stage by stage, on real rows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.engine.backends.base import Session
from core.engine.batching import batches
from core.records import LatencySeries, Protocol
from core.tasks.base import Answered, Context, Piece, Task

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
    context: Context


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
    """Time one request: encode, run (the session synchronises its device), decode."""
    task, session, context = subject.task, subject.session, subject.context
    start = clock()
    encoded = task.encode(session.processor, rows, context)
    began = clock()
    outputs = _run(subject, [piece for pieces in encoded for piece in pieces], len(rows))
    ran = clock()
    left = iter(outputs)
    task.decode(session.processor, [Answered(pieces, tuple(islice(left, len(pieces)))) for pieces in encoded], context)
    return Call(began - start, ran - began, clock() - ran)


def _run(subject: Subject, pieces: Sequence[Piece], rows: int) -> Sequence[Any]:
    """All pieces of a request. One long text may have hundreds: those run as many at a time as in the quality pass."""
    session, context = subject.session, subject.context
    if len(pieces) <= rows:
        return session.forward(pieces, context) if pieces else ()
    outputs: list[Any] = [None] * len(pieces)
    lengths = [piece.length for piece in pieces]
    for batch in batches(lengths, max(rows, context.protocol.batch_size), context.protocol.batch_tokens):
        answers = session.forward([pieces[index] for index in batch], context)
        for index, answer in zip(batch, answers, strict=True):
            outputs[index] = answer
    return outputs


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
