"""The table of trials, the same models across devices, and what there is to know of one trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.analysis import cost, views
from core.analysis.notes import notes
from core.analysis.wording import (
    NOTHING,
    SCREENED,
    SCREENING,
    count,
    device_name,
    left_the_race,
    megabytes,
    milliseconds,
    quality,
    rate,
    three_digits,
)
from pages._ui import cached
from pages._ui.compare import pictures, prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas.io.formats.style import Styler

    from core.analysis.intervals import Interval
    from core.analysis.summary import Analysis, TrialSummary
    from core.records import Limits, RunResult


def show(run: str, limits: Limits) -> None:
    """Every trial, best first; failed ones with their reason. The one chosen is explained below."""
    analysis, ranking = cached.analysis(run), cached.ranking(run, limits)
    board = views.leaderboard(analysis, ranking)
    place = st.container()
    per_hour = prices.controls(trial.outcome.spec.variant.device for trial in analysis.finished)
    table = _table(board, analysis, per_hour)
    event = place.dataframe(
        _styled(table, board, analysis),
        hide_index=True,
        placeholder=NOTHING,
        height=min(600, 40 + 35 * len(table)),
        column_config=_columns(analysis),
        on_select="rerun",
        selection_mode="single-row",
        key=f"trials_{run}",
    )
    chosen = event.selection.rows
    with place:
        if any(row.screened for row in board):
            st.caption(SCREENING)
        if "energy" in table:
            st.caption(f"{cost.ENERGY}.")
        if chosen and chosen[0] < len(board):
            _details(analysis.trial(board[chosen[0]].trial), board[chosen[0]].violations, analysis.run)
        else:
            st.caption("Intervals are 95 %. Tick a line for its notes, machine and log.")


def devices(run: str, limits: Limits) -> None:
    """What a GPU buys: the same model and precision on each device."""
    analysis = cached.analysis(run)
    rows = views.by_device(analysis)
    if not rows:
        st.info(
            "No model has finished on two devices at the same precision. Add a GPU variant on the Benchmark page, "
            "on a machine that has one.",
            icon=":material/developer_board:",
        )
        failed = [t for t in analysis.trials if t.outcome.failure and t.outcome.spec.variant.device != "cpu"]
        for trial in failed:
            st.text(f"{trial.name}: {trial.outcome.failure.message if trial.outcome.failure else ''}")
        return
    pictures.show(run, limits, pictures.devices, alt="Median latency of each model on each device")
    lines = [_device_line(row) for row in rows]
    st.dataframe(pd.DataFrame(lines), hide_index=True)
    if any(cell.screened for row in rows for cell in row.cells.values()):
        st.caption(SCREENING)


def _device_line(row: views.DeviceRow) -> dict[str, str]:
    line = {"Model": row.model, "Precision": row.dtype}
    for device, cell in row.cells.items():
        name = device_name(device)
        line[f"{name} median"] = milliseconds(cell.p50_ms.value)
        line[f"{name} rows/s"] = rate(cell.rows_per_second, cell.screened)
        line[f"{name} memory"] = megabytes(cell.memory_mb)
    if {"cpu", "cuda"} <= set(row.cells):
        line["GPU speed-up"] = _times(row.speedup())
        line["GPU throughput gain"] = _times(row.throughput_ratio())
    return line


def _times(ratio: float) -> str:
    return NOTHING if ratio != ratio else f"{three_digits(ratio)}×"


def _table(board: list[views.LeaderboardRow], analysis: Analysis, per_hour: Mapping[str, float]) -> pd.DataFrame:
    """One line per trial; numbers stay numbers, so that a click on a header sorts them.

    Cost and energy are columns only where something is known of them.
    """
    percent = analysis.headline.percent
    lines = [_line(row, analysis.trial(row.trial), per_hour, percent) for row in board]
    table = pd.DataFrame(lines)
    return table.drop(columns=[name for name in ("cost", "cost by request", "energy") if table[name].isna().all()])


def _line(
    row: views.LeaderboardRow, trial: TrialSummary, per_hour: Mapping[str, float], percent: bool
) -> dict[str, Any]:
    costs = cost.cost(trial, per_hour.get(trial.outcome.spec.variant.device))
    line: dict[str, Any] = {
        "place": row.place,
        "trial": row.name,
        "verdict": _verdict(row, percent),
        "cost": costs.in_bulk,
        "cost by request": costs.by_request,
    }
    for name in trial.scores:
        line[name] = row.scores[name].value
        line[f"{name} interval"] = _between(row.scores[name])
    return line | {
        "p50": row.p50_ms.value,
        "p95": row.p95_ms.value,
        "memory": row.memory_mb,
        "rows/s": row.rows_per_second,
        "energy": cost.joules_per_row(trial.outcome),
        "load": row.load_seconds,
        "parameters": float("nan") if row.parameters is None else float(row.parameters),
        "download": row.download_mb,
        "licence": f"{row.license or 'unknown'} · {row.license_class}",
        "rows": row.rows,
    }


def _styled(table: pd.DataFrame, board: list[views.LeaderboardRow], analysis: Analysis) -> Styler:
    """Numbers as people read them; a mark at what was measured while rows were screened."""
    styled = table.style.format(_formats(analysis))
    screened = [index for index, row in enumerate(board) if row.screened]
    marked = [name for name in ("rows/s", "cost", "energy") if name in table]
    return styled.format(lambda value: rate(value, SCREENED), subset=(screened, marked)) if screened else styled


def _verdict(row: views.LeaderboardRow, percent: bool) -> str:
    if row.failure:
        return f"✗ failed: {row.failure.message}"
    if row.status != "done":
        return f"… {row.status}"
    if row.stopped:
        return f"■ {left_the_race(row.stopped, percent)}"
    if row.violations:
        return f"✗ {'; '.join(row.violations)}"
    word = "★ winner" if row.winner else "≈ tied with the best" if row.tied else "significantly worse"
    return f"{word}; {'; '.join(row.unknown)}" if row.unknown else word


def _between(interval: Interval) -> str:
    low, high = quality(interval.low), quality(interval.high)
    return NOTHING if NOTHING in (low, high) else f"{low}–{high}"


def _formats(analysis: Analysis) -> dict[str, Any]:
    scores = dict.fromkeys(analysis.metrics, quality)
    return scores | {
        "p50": three_digits,
        "p95": three_digits,
        "cost": three_digits,
        "cost by request": three_digits,
        "energy": three_digits,
        "memory": "{:,.0f}".format,
        "rows/s": three_digits,
        "load": three_digits,
        "parameters": lambda value: NOTHING if value != value else count(int(value)),
        "download": three_digits,
        "rows": "{:,}".format,
    }


def _columns(analysis: Analysis) -> dict[str, Any]:
    column = st.column_config
    scores: dict[str, Any] = {}
    for name, metric in analysis.metrics.items():
        scores[name] = column.NumberColumn(metric.title, width="small", help=analysis.signatures[name] or None)
        scores[f"{name} interval"] = column.TextColumn("95 %", width=108, alignment="right")
    return {
        "place": column.NumberColumn("#", width=40),
        "trial": column.TextColumn("Trial", pinned=True),
        "verdict": column.TextColumn("Verdict", width="medium"),
        **scores,
        "p50": column.NumberColumn("p50 (ms)", width="small", help="At the smallest batch size."),
        "p95": column.NumberColumn("p95 (ms)", width="small", help="From 100 calls on, else empty."),
        "cost": column.NumberColumn(
            "US$ / M rows, in bulk",
            width=150,
            help="At the speed of the quality pass, where all rows are there at once.",
        ),
        "cost by request": column.NumberColumn(
            "by request", width=100, help="US$ per million rows at the smallest batch size that was timed."
        ),
        "memory": column.NumberColumn("Memory (MB)", width=110, help="Peak over the worker's baseline."),
        "rows/s": column.NumberColumn("Rows/s", width="small", help="In the quality pass."),
        "energy": column.NumberColumn("J/row", width="small", help=f"In the quality pass. {cost.ENERGY}."),
        "load": column.NumberColumn("Load (s)", width="small"),
        "parameters": column.NumberColumn("Parameters", width="small"),
        "download": column.NumberColumn("Download (MB)", width="small"),
        "licence": column.TextColumn("Licence"),
        "rows": column.NumberColumn("Rows", width="small", help="Answered so far."),
    }


def _details(trial: TrialSummary, violations: tuple[str, ...], run: RunResult) -> None:
    outcome = trial.outcome
    with st.container(border=True, key="trial_details"):
        st.text(f"{outcome.spec.model} @ {outcome.spec.revision[:12]}")
        if outcome.failure:
            st.markdown(":red[:material/error:] **Why it failed**")
            st.text(outcome.failure.message)
            st.text(outcome.failure.hint)
            if outcome.failure.log_tail:
                with st.expander("Log", icon=":material/terminal:"):
                    st.code(outcome.failure.log_tail, language=None)
        for note in (*violations, *notes(outcome, run.outcomes)):
            st.text(f"• {note}")
        environment = " · ".join(f"{name} {value}" for name, value in outcome.environment.items() if value is not None)
        if environment:
            st.caption("Measured on")
            st.text(environment)
