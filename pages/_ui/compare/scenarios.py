"""The same numbers under the names of MLPerf's scenarios, and the server scenario where it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.analysis import serving
from core.analysis.wording import NOTHING, SCREENED, rate, three_digits
from core.export.text import markdown
from pages._ui import cached
from pages._ui.compare import pictures

if TYPE_CHECKING:
    from core.records import Limits


def show(run: str, limits: Limits) -> None:
    """A line per trial; below it each rate of requests that was tried."""
    rows = serving.scenarios(cached.analysis(run))
    if not rows:
        return
    st.markdown("**MLPerf's scenarios**", help=serving.SCENARIOS)
    _table(rows)
    served = [row for row in rows if row.server]
    if not served:
        st.caption("The server scenario was not measured; the Benchmark page asks for it under “Batches and calls”.")
        return
    st.markdown("**Requests that arrive by chance**, as at a server")
    pictures.show(run, limits, pictures.server, alt="99th percentile of the latencies over the rate of requests")
    for row in served:
        if row.server and not row.server.enclosed:
            st.markdown(f":material/info: {markdown(row.name)}: {markdown(row.server.in_words)}.")
    st.caption(serving.SHORTER)
    with st.expander("Every rate that was tried", icon=":material/table_rows:"):
        _rates(served)


def _table(rows: list[serving.ScenarioRow]) -> None:
    column = st.column_config
    batch = max((row.multi_stream_rows or 0 for row in rows), default=0)
    lines = [
        {
            "trial": row.name,
            "single": three_digits(row.single_stream_ms),
            "multi": three_digits(row.multi_stream_ms),
            "offline": rate(row.offline, row.screened),
            "server": three_digits(row.server.highest) if row.server else NOTHING,
            "lost": three_digits(row.server.lost) if row.server else NOTHING,
        }
        for row in rows
    ]
    table = pd.DataFrame(lines)
    if not any(row.server for row in rows):
        table = table.drop(columns=["server", "lost"])
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "trial": column.TextColumn("Trial", width="medium", pinned=True),
            "single": column.TextColumn("Single-stream, p90 (ms)", alignment="right", help="Calls of one row."),
            "multi": column.TextColumn(
                "Multi-stream, p90 (ms)",
                alignment="right",
                help=f"Calls of {batch} rows." if batch else "Ask for larger batches on the Benchmark page.",
            ),
            "offline": column.TextColumn(
                "Offline (rows/s)", alignment="right", help=f"The quality pass; {SCREENED} where rows were screened."
            ),
            "server": column.TextColumn(
                "Server (requests/s)", alignment="right", help="The highest rate that held; empty where none did."
            ),
            "lost": column.TextColumn("Not any more at", alignment="right", help="The next rate that was tried."),
        },
    )


def _rates(rows: list[serving.ScenarioRow]) -> None:
    number = st.column_config.NumberColumn
    lines = [_line(row.name, one) for row in rows if row.server for one in row.server.rates]
    table = pd.DataFrame(lines)
    st.dataframe(
        table.style.format("{:,}", subset=["answered", "late"]).format(
            three_digits, subset=["rate", "p50", "p99", "low", "high", "batch"]
        ),
        hide_index=True,
        placeholder=NOTHING,
        column_config={
            "trial": st.column_config.TextColumn("Trial", width="medium", pinned=True),
            "rate": number("Requests/s"),
            "answered": number("Answered", help="A rate is given up once more than 1 % of its requests are late."),
            "late": number("Late"),
            "p50": number("p50 (ms)"),
            "p99": number("p99 (ms)"),
            "low": number("At least (ms)", help="Lower end of the 95 % interval of p99 (order statistics)."),
            "high": number("At most (ms)", help="Upper end; none where more requests would be needed."),
            "batch": number("Rows per batch", help="On average."),
            "held": st.column_config.TextColumn(
                "Verdict", help="Narrowly: the interval of p99 lies on both sides of the bound."
            ),
        },
    )


def _line(name: str, one: serving.TriedRate) -> dict[str, Any]:
    return {
        "trial": name,
        "rate": one.rate,
        "answered": one.answered,
        "late": one.late,
        "p50": one.p50_ms,
        "p99": one.p99_ms.value,
        "low": one.p99_ms.low,
        "high": one.p99_ms.high,
        "batch": one.mean_batch,
        "held": ("held" if one.held else "did not hold") + ("" if one.sure else ", narrowly"),
    }
