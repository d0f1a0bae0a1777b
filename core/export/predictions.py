"""predictions.csv: every row with what each model answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from core.export import rows
from core.export.text import table
from core.review import chosen

if TYPE_CHECKING:
    from core.records import Outcome, RunResult


class PredictionsFile:
    """A spreadsheet of the rows and the answers, one column per trial."""

    name = "predictions"
    title = "Predictions"
    description = "Every row with its reference and each model's answer, for a spreadsheet."
    filename = "predictions.csv"
    media_type = "text/csv"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """The chosen trial's column comes first; rows a trial did not reach are empty."""
        chosen(run, trial)
        ordered = sorted(run.outcomes, key=lambda outcome: outcome.trial != trial)
        records = rows.records(run.evalset)
        columns = list(dict.fromkeys(name for record in records for name in record))
        for outcome in ordered:
            column = _column(outcome)
            columns.append(column)
            for position, answer in answers(outcome).items():
                records[position][column] = answer
        return table(columns, ({name: _plain(value) for name, value in record.items()} for record in records))


def answers(outcome: Outcome) -> dict[int, Any]:
    """Position in the EvalSet → the answer given there."""
    return {
        position: prediction["answer"]
        for chunk in outcome.chunks
        for position, prediction in zip(chunk.positions, chunk.predictions, strict=True)
    }


def _column(outcome: Outcome) -> str:
    variant = outcome.spec.variant
    told = ", ".join(filter(None, (variant.device, variant.dtype, outcome.trial[:8])))
    return f"{outcome.spec.model} ({told})"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


FORMAT = PredictionsFile()
