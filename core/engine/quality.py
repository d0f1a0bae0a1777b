"""The quality pass: every row predicted once, as fast as is exact, and handed on while it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from core.engine.backends.base import Session
from core.engine.batching import batches
from core.engine.events import Event, Note, Rows
from core.errors import TrialFailed
from core.records import Protocol
from core.tasks.base import DecodeContext, Encoding, Prediction, Task

COMMIT_SECONDS = 1.0
"""How much work a killed trial may lose."""


def run(
    session: Session,
    task: Task,
    inputs: Sequence[Mapping[str, Any]],
    protocol: Protocol,
    context: DecodeContext,
    *,
    done: Collection[int],
    emit: Callable[[Event], None],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Predict every row that is not done yet, and emit `Rows` about once a second.

    Args:
        session: The loaded model.
        task: What kind of model it is.
        inputs: All rows of the EvalSet.
        protocol: Budgets of a batch and settings of generation.
        context: What turning outputs into predictions needs to know.
        done: Positions to leave out, because they are committed already.
        emit: Called with `Rows`, and with a `Note` when a batch had to be halved.
        clock: Seconds; for tests.

    Raises:
        TrialFailed: `out_of_memory` when not even one row fits; `unsupported` when outputs are not finite.
    """
    positions = [position for position in range(len(inputs)) if position not in done]
    encodings = task.encode(session.tokenizer, [inputs[position] for position in positions])
    chunk = _Chunk(emit, clock)
    max_rows, max_tokens = protocol.batch_size, protocol.batch_tokens
    queue = _queue(range(len(encodings)), encodings, max_rows, max_tokens)
    while queue:
        rows = queue.popleft()
        batch = [encodings[row] for row in rows]
        started = clock()
        try:
            outputs = session.forward(batch)
        except TrialFailed as failed:
            if failed.kind != "out_of_memory" or len(rows) == 1:
                raise
            max_rows = len(rows) // 2
            max_tokens = max(1, max_rows * _length(batch[0]))
            emit(Note(f"Out of memory with {len(rows)} rows of {_length(batch[0])} tokens: went on with {max_rows}."))
            queue = _queue([*rows, *(row for later in queue for row in later)], encodings, max_rows, max_tokens)
            continue
        seconds = clock() - started
        _check_finite(outputs)
        predictions = task.decode(session.tokenizer, outputs, context)
        units = _units(task, session, batch, outputs)
        chunk.add([positions[row] for row in rows], predictions, seconds, units)
    chunk.flush()


def _queue(rows: Sequence[int], encodings: Sequence[Encoding], max_rows: int, max_tokens: int) -> deque[list[int]]:
    lengths = [_length(encodings[row]) for row in rows]
    return deque([rows[index] for index in batch] for batch in batches(lengths, max_rows, max_tokens))


def _length(encoding: Encoding) -> int:
    return len(encoding["input_ids"])


def _units(task: Task, session: Session, batch: Sequence[Encoding], outputs: Any) -> int:
    """Tokens read, or tokens written where the task writes; padding does not count."""
    if not task.generates:
        return sum(map(_length, batch))
    return int((outputs != session.tokenizer.pad_token_id).sum())


def _check_finite(outputs: Any) -> None:
    import numpy as np

    array = np.asarray(outputs)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise TrialFailed(
            "unsupported",
            "The model gave outputs that are not finite numbers.",
            "Low precision can overflow: try bfloat16 or float32. At float32 the weights themselves are broken.",
        )


class _Chunk:
    """Rows that wait to be emitted together."""

    def __init__(self, emit: Callable[[Event], None], clock: Callable[[], float]) -> None:
        self._emit, self._clock = emit, clock
        self._clear()

    def _clear(self) -> None:
        self._since = self._clock()
        self._positions: list[int] = []
        self._predictions: list[Prediction] = []
        self._seconds, self._units = 0.0, 0

    def add(self, positions: Sequence[int], predictions: Sequence[Prediction], seconds: float, units: int) -> None:
        self._positions += positions
        self._predictions += predictions
        self._seconds += seconds
        self._units += units
        if self._clock() - self._since >= COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._positions:
            self._emit(Rows(tuple(self._positions), tuple(self._predictions), self._seconds, self._units))
        self._clear()
