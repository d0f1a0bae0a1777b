"""trials.csv: one line per trial, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.analysis.report import report
from core.export.text import table
from core.review import chosen

if TYPE_CHECKING:
    from core.records import RunResult


class ReportCsv:
    """The table of trials."""

    name = "csv"
    title = "Trials (CSV)"
    description = "One line per trial with its scores, times and memory, for a spreadsheet."
    filename = "trials.csv"
    media_type = "text/csv"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """Trials best first; empty cells where there is no number."""
        chosen(run, trial)
        document = report(run)
        trials = {one["trial"]: one for one in document["trials"]}
        rows = [
            {"place": place, "chosen": name == trial, **_flat(trials[name])}
            for place, name in enumerate(document["ranking"], start=1)
        ]
        return table(list(dict.fromkeys(name for row in rows for name in row)), rows)


def _flat(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The trial's entry of the report in one level, e.g. `latency_ms_1_p50`; details stay in the JSON report."""
    row: dict[str, Any] = {}
    for key, value in trial.items():
        if key == "metrics":
            for name, score in value.items():
                row |= {name: score["value"], f"{name}_low": score["low"], f"{name}_high": score["high"]}
        elif key == "latency_ms":
            for size, times in value.items():
                row |= {f"{key}_{size}_{name}": number for name, number in times.items() if name != "stages"}
        elif key == "generation":
            for size, times in value.items():
                row |= {f"{key}_{size}_{name}": number for name, number in times.items()}
        elif key == "scenarios":
            server = value["server"] or {}
            row |= {f"server_{name}": server.get(name) for name in ("p99_ms", "max_batch", "highest_rate")}
        elif key == "error":
            row[key] = value and value["message"]
        elif isinstance(value, Mapping):
            row |= {f"{key}_{name}": inner for name, inner in value.items()}
        else:
            row[key] = "; ".join(value) if isinstance(value, list) else value
    return row


FORMAT = ReportCsv()
