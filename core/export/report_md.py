"""report.md: the answer and its evidence, for a pull request or a wiki."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.export.base import fill
from core.export.summary import remark, summarise

if TYPE_CHECKING:
    from core.records import RunResult


class ReportMarkdown:
    """The report as Markdown."""

    name = "md"
    title = "Report (Markdown)"
    description = "The answer and its evidence, for a pull request or a wiki."
    filename = "report.md"
    media_type = "text/markdown"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """Names of models and data are shown as they are: none of their characters is taken for Markdown."""
        return fill("report.md", summary=summarise(run, trial), remark=remark)


FORMAT = ReportMarkdown()
