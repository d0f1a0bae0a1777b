"""report.html: the answer and its evidence on one page that stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.export.base import fill
from core.export.scatter import scatter
from core.export.summary import remark, summarise

if TYPE_CHECKING:
    from core.records import RunResult


class ReportHtml:
    """The report as one HTML page without scripts or outside resources; everything in it is escaped."""

    name = "html"
    title = "Report (HTML)"
    description = "The answer and its evidence on one page, to send or to print."
    filename = "report.html"
    media_type = "text/html"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """Follows the reader's light or dark setting."""
        summary = summarise(run, trial)
        return fill("report.html", summary=summary, plot=scatter(summary.plane, trial), remark=remark)


FORMAT = ReportHtml()
