"""Rows through one loaded model: pieces of like length together, a row handed on when all of its pieces are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.engine.backends.base import Session
from core.engine.budget import Budget
from core.engine.compiling import Compiling, Work
from core.errors import TrialFailed
from core.tasks.base import Answered, Context, Piece
from core.tasks.finite import not_finite

Place = tuple[int, int]
"""A piece: the position of its row, and which of the row's pieces it is."""
Finish = Callable[[Mapping[int, Answered], float], None]
"""Takes the rows that a batch completed, by position, and the seconds that the batch took in the model."""


@dataclass(frozen=True)
class Passage:
    """A model, and how large its batches may be."""

    session: Session
    context: Context
    budget: Budget
    clock: Callable[[], float]
    finite: bool = True
    """Whether outputs that are no numbers fail the trial."""
    compiling: Compiling | None = None
    """Whether the layers may be compiled on the way."""

    def run(self, rows: Mapping[int, Sequence[Piece]], finish: Finish) -> float:
        """Run the pieces of these rows, the longest first.

        Args:
            rows: Position → pieces.
            finish: Called after each batch.

        Returns:
            Seconds in the model.

        Raises:
            TrialFailed: `out_of_memory` when not even one piece of a row fits; `unsupported` when outputs must be
                finite and are not.
        """
        spent = 0.0
        unfinished = {position: _OpenRow(pieces) for position, pieces in rows.items()}
        # A row without pieces (a text that has no word to tag, say) is done before it begins.
        empty = [position for position, pieces in rows.items() if not pieces]
        if empty:
            finish({position: unfinished.pop(position).answered() for position in empty}, 0.0)

        def piece(place: Place) -> Piece:
            return rows[place[0]][place[1]]

        def length(place: Place) -> int:
            return piece(place).length

        def run(batch: list[Place], ahead: Sequence[Place] = ()) -> float:
            nonlocal spent
            started = self.clock()
            now, then = [piece(place) for place in batch], [piece(place) for place in ahead]
            outputs = self.session.forward(now, self.context, then)
            seconds = self.clock() - started
            spent += seconds
            complete = self._taken(batch, outputs, unfinished)
            finish({position: unfinished.pop(position).answered() for position in complete}, seconds)
            return seconds

        places = [(position, index) for position in rows for index in range(len(rows[position]))]
        left = self.budget.search(places, length, run)
        if self.compiling is not None:

            def outputs(batch: Sequence[Place]) -> Sequence[Any]:
                return self.session.forward([piece(place) for place in batch], self.context)

            def grouped(some: Sequence[Place]) -> list[list[Place]]:
                return self.budget.batches(some, length)

            left = self.compiling.improve(left, Work(grouped, length, run, outputs))
        queue = deque(self.budget.batches(left, length))
        while queue:
            batch = queue.popleft()
            try:
                run(batch, queue[0] if queue else ())
            except TrialFailed as failed:
                if failed.kind != "out_of_memory" or len(batch) == 1:
                    raise
                self.budget.halve(len(batch), length(batch[0]))
                queue = deque(self.budget.batches([*batch, *(place for later in queue for place in later)], length))
        return spent

    def _taken(self, places: Sequence[Place], outputs: Sequence[Any], unfinished: Mapping[int, _OpenRow]) -> list[int]:
        """Hand each row its outputs; the rows that are complete now."""
        complete = []
        for (position, index), output in zip(places, outputs, strict=True):
            if self.finite:
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


def _check_finite(output: Any) -> None:
    import numpy as np

    if isinstance(output, np.ndarray | float) and not np.isfinite(output).all():
        raise not_finite()
