"""rows.jsonl: the rows that were scored, in the task's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core import registry
from core.review import chosen

if TYPE_CHECKING:
    from core.records import EvalSet, RunResult


class RowsFile:
    """Exactly the rows of the run, one JSON object per line."""

    name = "rows"
    title = "Rows"
    description = "The rows that were scored, so that the plan finds them on any machine."
    filename = "rows.jsonl"
    media_type = "application/x-ndjson"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """Id, inputs, reference and further columns of every row."""
        chosen(run, trial)
        return lines(run.evalset)


def words(evalset: EvalSet) -> tuple[str, ...]:
    """The task's words that these rows have a value for: its inputs and its reference."""
    given = {word for row in evalset.inputs for word in row}
    return tuple(c.name for c in registry.task(evalset.task).columns if c.role == "reference" or c.name in given)


def lines(evalset: EvalSet) -> bytes:
    """The rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in records(evalset)).encode()


def records(evalset: EvalSet) -> list[dict[str, Any]]:
    """One dict per row: `id`, the task's words, then the further columns (renamed where they would hide one)."""
    reference = next(c.name for c in registry.task(evalset.task).columns if c.role == "reference")
    taken = {"id", *words(evalset)}
    names = {column: f"{column} (original)" if column in taken else column for column in evalset.extras}
    return [
        {
            "id": evalset.ids[i],
            **evalset.inputs[i],
            reference: evalset.references[i],
            **{name: evalset.extras[column][i] for column, name in names.items()},
        }
        for i in range(len(evalset.ids))
    ]


FORMAT = RowsFile()
