"""The quality pass: every row predicted once, as fast as is exact, and handed on while it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.engine.backends.base import Session
from core.engine.budget import Budget
from core.engine.compiling import Compiling, Layers
from core.engine.events import Event, Note, Rows
from core.engine.passage import Passage
from core.engine.screening import Screening
from core.tasks.base import Answered, Argmax, Context, Prediction, Task

COMMIT_SECONDS = 1.0
"""How much work a killed trial may lose."""


class QualityPass:
    """A loaded model over rows, all at once or round by round: what was found out about batches is kept between."""

    def __init__(
        self,
        session: Session,
        task: Task,
        context: Context,
        emit: Callable[[Event], None],
        *,
        device: str = "cpu",
        copy: Callable[[], Session | None] | None = None,
        layers: Callable[[], Layers | None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Get ready.

        Args:
            session: The loaded model.
            task: What kind of model it is.
            context: What the task needs to know; its protocol says how large a batch may be.
            emit: Called with `Rows`, and with a `Note` of what a reader must know.
            device: Of the variant.
            copy: Makes a copy of the model at low precision; None where rows are not screened (`screening.suits`).
            layers: Gives the part of the model that may be compiled; None where nothing is (`compiling.suits`).
            clock: Seconds; for tests.
        """

        def budget() -> Budget:
            return Budget(context.protocol, emit, device=device, generates=task.generates)

        self._session, self._task, self._context, self._emit = session, task, context, emit
        self._chunk, self._rows = _Chunk(emit, clock), 0
        exact = Passage(session, context, budget(), clock)
        self._compiling = None if layers is None else Compiling(layers, emit, clock)
        self._exact = replace(exact, compiling=self._compiling)
        self._screening: Screening | None = None
        if copy is not None and isinstance(task, Argmax):
            self._screening = Screening(exact, task, copy, budget, alone=self._exact)
        self.facts: dict[str, Any] = {}
        """For the record, once closed: `batch_tokens`, of texts `longest_input` (tokens that the model takes), and
        where rows were screened `screened` and `rechecked`, where layers were compiled what `Compiling.facts` says."""

    def run(self, inputs: Sequence[Mapping[str, Any]], done: Collection[int] = ()) -> None:
        """Predict every row that is not done yet, and emit `Rows` about once a second.

        Args:
            inputs: All rows of the EvalSet.
            done: Positions to leave out, because they are committed already.

        Raises:
            TrialFailed: `out_of_memory` when not even one piece of a row fits; `unsupported` when outputs are not
                finite.
        """
        positions = [position for position in range(len(inputs)) if position not in done]
        for start in range(0, len(positions), self._task.rows_at_once):
            block = positions[start : start + self._task.rows_at_once]
            chosen = [inputs[position] for position in block]
            encoded = self._task.encode(self._session.processor, chosen, self._context)
            rows = dict(zip(block, encoded, strict=True))
            if self._screening is None:
                self._exact.run(rows, self._keep)
            else:
                # In a race the others come in later rounds, if they come.
                self._screening.run(rows, self._keep, to_come=len(inputs) - self._rows)
            self._rows += len(block)
        self._chunk.flush()

    def close(self) -> None:
        """Say what was done, and let go of the copy and of what was compiled: rows that are run later are neither
        screened nor compiled. Again: nothing.
        """
        screening, self._screening = self._screening, None
        if self._compiling is not None:
            self._compiling.close()
            self.facts |= self._compiling.facts
        self.facts.setdefault("batch_tokens", self._exact.budget.tokens)
        longest = getattr(self._session.processor, "model_max_length", None)
        if longest is not None:
            self.facts["longest_input"] = longest
        if screening is not None:
            self.facts |= screening.facts()
            note = screening.note()
            if note:
                self._emit(Note(note))

    def _keep(self, answered: Mapping[int, Answered], seconds: float) -> None:
        self._chunk.spent(seconds)
        if not answered:
            return
        rows = list(answered.values())
        predictions = self._task.decode(self._session.processor, rows, self._context)
        if self._screening is not None and self._screening.is_on:
            # What else there is in a prediction comes from low precision, and no metric reads it.
            predictions = [{key: one[key] for key in self._context.needs} for one in predictions]
        for row, prediction in zip(rows, predictions, strict=True):
            if any(piece.truncated for piece in row.pieces):
                prediction["truncated"] = True
        self._chunk.add(list(answered), predictions, sum(map(self._task.count, rows)))


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
    """The same in one call, nothing screened, on the CPU. Arguments and errors as in `QualityPass`."""
    QualityPass(session, task, context, emit, clock=clock).run(inputs, done)


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
