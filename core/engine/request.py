"""One request to a loaded model, timed stage by stage in the process that holds it; and which rows requests ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from core.engine.backends.base import Session
from core.engine.batching import batches
from core.engine.budget import START
from core.engine.events import Writing
from core.tasks.base import Answered, Context, Piece, Task

Clock = Callable[[], int]
"""Nanoseconds."""
Request = Sequence[int]
"""Positions of rows in the EvalSet."""

SEED = 0
"""Every candidate gets the same rows in the same order."""


@dataclass(frozen=True)
class Model:
    """What answers: a loaded model with its task."""

    session: Session
    task: Task
    context: Context


@dataclass(frozen=True)
class Call:
    """Nanoseconds of one request."""

    preprocess: int
    forward: int
    postprocess: int
    device: int | None = None
    """Of `forward`, what the GPU's own clock counted (`Session.device_ns`); None without one."""
    writing: Writing | None = None
    """None where no token was written."""

    @property
    def total(self) -> int:
        """The whole request."""
        return self.preprocess + self.forward + self.postprocess


def call(
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    clock: Clock = time.perf_counter_ns,
    *,
    fixed_length: bool = False,
) -> Call:
    """Time one request: encode, run (the session synchronises its device), decode.

    Args:
        model: What answers.
        rows: Of the request.
        clock: For tests.
        fixed_length: Whether each row is to get exactly `max_new_tokens` tokens, where the task writes.
    """
    task, session, seen = model.task, model.session, _Tokens(clock)
    context = replace(model.context, on_token=seen.take, fixed_length=fixed_length)
    start = clock()
    encoded = task.encode(session.processor, rows, context)
    began = clock()
    outputs, device = _run(session, context, [piece for pieces in encoded for piece in pieces], len(rows))
    ran = clock()
    left = iter(outputs)
    answered = [Answered(pieces, tuple(islice(left, len(pieces)))) for pieces in encoded]
    task.decode(session.processor, answered, context)
    took = Call(began - start, ran - began, clock() - ran, device)
    if seen.first is None:
        return took
    tokens = tuple(task.written(row) for row in answered)
    return replace(took, writing=Writing(seen.first - start, seen.decode, seen.steps, tokens))


class _Tokens:
    """When the tokens of a request came."""

    def __init__(self, clock: Clock) -> None:
        self.first: int | None = None
        self.decode = self.steps = 0
        self._clock, self._last = clock, 0

    def take(self, number: int) -> None:
        """Each row of a batch has so many tokens now."""
        now = self._clock()
        if self.first is None:
            self.first = now
        if number > 1:
            self.decode += now - self._last
            self.steps += 1
        self._last = now


def _run(session: Session, context: Context, pieces: Sequence[Piece], rows: int) -> tuple[Sequence[Any], int | None]:
    """All pieces of a request, and `Call.device`.

    One long text may have hundreds of pieces: those run as many at a time as in the quality pass.
    """
    if not pieces:
        return (), None
    if len(pieces) <= rows:
        return session.forward(pieces, context), session.device_ns
    device = 0
    outputs: list[Any] = [None] * len(pieces)
    lengths = [piece.length for piece in pieces]
    protocol = context.protocol
    at_once = protocol.batch_size and max(rows, protocol.batch_size)
    for batch in batches(lengths, at_once, protocol.batch_tokens or START["cpu"]):
        answers = session.forward([pieces[index] for index in batch], context)
        device += session.device_ns or 0
        for index, answer in zip(batch, answers, strict=True):
            outputs[index] = answer
    return outputs, device or None


def first_call(model: Model, inputs: Sequence[Mapping[str, Any]], clock: Clock = time.perf_counter_ns) -> int:
    """Nanoseconds of the first request after loading, one row, which pays for everything that is set up lazily."""
    return call(model, [inputs[position] for position in next(requests(len(inputs), 1))], clock).total


def requests(rows: int, batch_size: int) -> Iterator[Request]:
    """An endless stream of requests: a seeded shuffle of `rows` rows, from the start again where they run out."""
    import numpy as np

    order = np.random.default_rng(SEED).permutation(rows).tolist()
    start = 0
    while True:
        yield tuple(order[(start + offset) % rows] for offset in range(batch_size))
        start += batch_size
