"""Executes a trial of predictions made elsewhere: no process, no model, only the join with the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core import registry
from core.data.predictions import join, read_answers
from core.engine.events import Done, Event, Note, Rows, Stage
from core.errors import Interrupted, TrialFailed, UserError
from core.records import EvalSet
from core.store import Claim

ROWS_AT_ONCE = 1000
"""Rows that are committed together."""


def execute(
    claim: Claim, evalset: EvalSet, file: Path, on_event: Callable[[Event], None], should_stop: Callable[[], bool]
) -> None:
    """Hand on what the file says of each row, as a worker would.

    Args:
        claim: The trial.
        evalset: Its rows.
        file: The predictions.
        on_event: Called with each event.
        should_stop: Asked between events.

    Raises:
        Interrupted: `should_stop` said so.
        TrialFailed: The file cannot be joined with the rows.
    """
    task = registry.task(claim.spec.task)
    on_event(Stage("quality"))
    try:
        joined = join(task, read_answers(file, task), evalset, claim.spec.labels)
    except UserError as error:
        raise TrialFailed("data", error.message, error.hint) from None
    for note in joined.notes:
        on_event(Note(note))
    left = [position for position in range(len(evalset.ids)) if position not in claim.done]
    for start in range(0, len(left), ROWS_AT_ONCE):
        if should_stop():
            raise Interrupted("The trial was stopped.")
        positions = tuple(left[start : start + ROWS_AT_ONCE])
        predictions = tuple(joined.predictions[position] for position in positions)
        on_event(Rows(positions, predictions, seconds=0.0, units=0.0))
    on_event(Done())
