"""The quality pass: every row predicted once, as fast as is exact, and handed on while it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.engine.backends.base import Session
from core.engine.batching import batches
from core.engine.events import Event, Note, Rows
from core.errors import TrialFailed
from core.records import Protocol
from core.tasks.base import Answered, Context, Piece, Prediction, Task

Place = tuple[int, int]
"""A piece: the position of its row, and which of the row's pieces it is."""

COMMIT_SECONDS = 1.0
"""How much work a killed trial may lose."""


def run(
    session: Session,
    task: Task,
    inputs: Sequence[Mapping[str, Any]],
    context: Context,
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
        context: What the task needs to know; its protocol says how large a batch may be.
        done: Positions to leave out, because they are committed already.
        emit: Called with `Rows`, and with a `Note` when a batch had to be halved.
        clock: Seconds; for tests.

    Raises:
        TrialFailed: `out_of_memory` when not even one piece of a row fits; `unsupported` when outputs are not finite.
    """
    positions = [position for position in range(len(inputs)) if position not in done]
    chunk = _Chunk(emit, clock)
    work = _Pass(session, task, context, _Budget(context.protocol, emit), chunk, clock)
    for start in range(0, len(positions), task.rows_at_once):
        block = positions[start : start + task.rows_at_once]
        encoded = task.encode(session.processor, [inputs[position] for position in block], context)
        work.predict(dict(zip(block, encoded, strict=True)))
    chunk.flush()


@dataclass(frozen=True)
class _Pass:
    """The same model over block after block of rows."""

    session: Session
    task: Task
    context: Context
    budget: _Budget
    chunk: _Chunk
    clock: Callable[[], float]

    def predict(self, rows: Mapping[int, Sequence[Piece]]) -> None:
        """Run the pieces of these rows, those of like length together; decode a row when its last piece is done."""
        unfinished = {position: _OpenRow(pieces) for position, pieces in rows.items()}
        # A row without pieces (a text that has no word to tag, say) is done before it begins.
        self._close([position for position, pieces in rows.items() if not pieces], unfinished)
        queue = self.budget.batches(
            [(position, index) for position in rows for index in range(len(rows[position]))], rows
        )
        while queue:
            places = queue.popleft()
            pieces = [rows[position][index] for position, index in places]
            started = self.clock()
            try:
                outputs = self.session.forward(pieces, self.context)
            except TrialFailed as failed:
                if failed.kind != "out_of_memory" or len(places) == 1:
                    raise
                self.budget.halve(pieces)
                queue = self.budget.batches([*places, *(place for later in queue for place in later)], rows)
                continue
            self.chunk.spent(self.clock() - started)
            self._close(_taken(places, outputs, unfinished), unfinished)

    def _close(self, positions: Sequence[int], unfinished: dict[int, _OpenRow]) -> None:
        if not positions:
            return
        answered = [unfinished.pop(position).answered() for position in positions]
        predictions = self.task.decode(self.session.processor, answered, self.context)
        self.chunk.add(positions, predictions, sum(map(self.task.count, answered)))


def _taken(places: Sequence[Place], outputs: Sequence[Any], unfinished: Mapping[int, _OpenRow]) -> list[int]:
    """Hand each row its outputs; the rows that are complete now."""
    complete = []
    for (position, index), output in zip(places, outputs, strict=True):
        _check_finite(output)
        if unfinished[position].take(index, output):
            complete.append(position)
    return complete


class _OpenRow:
    """A row whose pieces have not all run yet."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = tuple(pieces)
        self._outputs: list[Any] = [None] * len(pieces)
        self._left = len(pieces)

    def take(self, index: int, output: Any) -> bool:
        """Keep a piece's output. True when it was the last one."""
        self._outputs[index] = output
        self._left -= 1
        return self._left == 0

    def answered(self) -> Answered:
        return Answered(self._pieces, tuple(self._outputs))


class _Budget:
    """How large a batch may be; less once memory has run out."""

    def __init__(self, protocol: Protocol, emit: Callable[[Event], None]) -> None:
        self._rows, self._tokens, self._emit = protocol.batch_size, protocol.batch_tokens, emit

    def batches(self, places: Sequence[Place], rows: Mapping[int, Sequence[Piece]]) -> deque[list[Place]]:
        lengths = [rows[position][index].length for position, index in places]
        return deque([places[index] for index in batch] for batch in batches(lengths, self._rows, self._tokens))

    def halve(self, failed: Sequence[Piece]) -> None:
        longest = failed[0].length
        self._rows = len(failed) // 2
        self._tokens = max(1, self._rows * longest)
        self._emit(Note(f"Out of memory with {len(failed)} rows of {longest} tokens: went on with {self._rows}."))


def _check_finite(output: Any) -> None:
    import numpy as np

    if isinstance(output, np.ndarray | float) and not np.isfinite(output).all():
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
        self._seconds, self._units = 0.0, 0.0

    def spent(self, seconds: float) -> None:
        """Time in the model, of rows that are done or still open."""
        self._seconds += seconds

    def add(self, positions: Sequence[int], predictions: Sequence[Prediction], units: float) -> None:
        self._positions += positions
        self._predictions += predictions
        self._units += units
        if self._clock() - self._since >= COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self._positions:
            self._emit(Rows(tuple(self._positions), tuple(self._predictions), self._seconds, self._units))
        self._clear()
