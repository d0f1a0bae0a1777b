"""One request to a loaded model, timed stage by stage in the process that holds it; and which rows requests ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.engine.backends.base import Session
from core.engine.batching import batches
from core.engine.budget import START
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

    @property
    def total(self) -> int:
        """The whole request."""
        return self.preprocess + self.forward + self.postprocess


def call(model: Model, rows: Sequence[Mapping[str, Any]], clock: Clock = time.perf_counter_ns) -> Call:
    """Time one request: encode, run (the session synchronises its device), decode."""
    task, session, context = model.task, model.session, model.context
    start = clock()
    encoded = task.encode(session.processor, rows, context)
    began = clock()
    outputs = _run(model, [piece for pieces in encoded for piece in pieces], len(rows))
    ran = clock()
    left = iter(outputs)
    task.decode(session.processor, [Answered(pieces, tuple(islice(left, len(pieces)))) for pieces in encoded], context)
    return Call(began - start, ran - began, clock() - ran)


def _run(model: Model, pieces: Sequence[Piece], rows: int) -> Sequence[Any]:
    """All pieces of a request. One long text may have hundreds: those run as many at a time as in the quality pass."""
    session, context = model.session, model.context
    if len(pieces) <= rows:
        return session.forward(pieces, context) if pieces else ()
    outputs: list[Any] = [None] * len(pieces)
    lengths = [piece.length for piece in pieces]
    protocol = context.protocol
    at_once = protocol.batch_size and max(rows, protocol.batch_size)
    for batch in batches(lengths, at_once, protocol.batch_tokens or START["cpu"]):
        answers = session.forward([pieces[index] for index in batch], context)
        for index, answer in zip(batch, answers, strict=True):
            outputs[index] = answer
    return outputs


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
