"""report.json: every number of the run, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.analysis.report import report
from core.review import chosen

if TYPE_CHECKING:
    from core.records import RunResult


class ReportJson:
    """The report as `run --json` prints it."""

    name = "json"
    title = "Report (JSON)"
    description = "Every number of the run, for programs."
    filename = "report.json"
    media_type = "application/json"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """The whole report, with the chosen trial under `chosen`."""
        chosen(run, trial)
        document = {**report(run), "chosen": trial}
        return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


FORMAT = ReportJson()
