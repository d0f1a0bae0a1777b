"""A run while it goes on, and once it has ended. All of it comes from the store, so everyone sees the same."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import jobs
from core.analysis.live import headline, time_left
from core.analysis.wording import NOTHING, SCREENING, duration, megabytes, quality_between, rate
from core.errors import UserError
from core.export.text import markdown
from pages._ui import cached, frame

if TYPE_CHECKING:
    from core.analysis.live import LiveRow
    from core.records import RunResult

POLL_SECONDS = 1
STOP, RETRY = "Stop", "Try again"
TITLE_WIDTH = 110


def show(run: str) -> None:
    """The run; polled only while something of it is active."""
    active = is_active(cached.store().progress(run))
    st.fragment(_panel, run_every=POLL_SECONDS if active else None)(run, active)


def is_active(result: RunResult) -> bool:
    """Whether a trial runs, or will without anyone's word."""
    return result.status in ("queued", "running") or any(one.status == "running" for one in result.outcomes)


def _panel(run: str, was_active: bool) -> None:
    _act(run)
    result = cached.store().progress(run)
    if is_active(result) != was_active:
        st.rerun()
    if result.status in ("queued", "running"):
        jobs.ensure_runner(cached.store())
    rows = cached.live(run)
    with st.container(border=True, key="run_state"):
        _state(result, rows)
        if was_active or result.status == "paused":
            _controls(run, result)
    _table(run, result, rows)
    for row in rows:
        if row.failure:
            _failure(row)


def _state(result: RunResult, rows: list[LiveRow]) -> None:
    ended = [row for row in rows if not row.stoppable]
    failed = sum(row.status == "failed" for row in rows)
    words = {
        "queued": ":material/hourglass_top: **Waiting for the runner**",
        "running": ":material/play_circle: **Running**",
        "paused": ":material/pause_circle: **Paused**",
        "cancelled": ":material/cancel: **Cancelled**",
        "done": ":material/check_circle: **Done**",
    }[result.status]
    if result.status == "done" and failed == len(rows):
        words = ":red[:material/error:] **No trial gave a result**"
    parts = [f"{words} · {len(ended)} of {len(rows)} trials have ended"]
    if failed:
        parts.append(f":red[{failed} failed]")
    if result.status in ("queued", "running"):
        most = "at most " if result.plan.protocol.race else ""
        parts.append(f"{most}about {duration(time_left(rows))} left")
    st.markdown(" · ".join(parts))
    if len(ended) < len(rows):
        st.progress(sum(row.share if row.stoppable else 1.0 for row in rows) / len(rows))


def _controls(run: str, result: RunResult) -> None:
    store = cached.store()
    with st.container(horizontal=True):
        if result.wish == "pause":
            if st.button("Resume", type="primary", icon=":material/play_arrow:", key="resume"):
                store.set_wish(run, "run")
                st.rerun()
        elif st.button("Pause", icon=":material/pause:", key="pause", help="What is measured so far is kept."):
            store.set_wish(run, "pause")
            st.rerun()
        if st.button("Cancel", icon=":material/stop:", key="cancel", help="Ends every trial that has not ended."):
            store.set_wish(run, "cancel")
            st.rerun()
        if st.button("See what there is", icon=":material/scatter_plot:", type="tertiary", key="compare_so_far"):
            frame.go("compare")


def _table(run: str, result: RunResult, rows: list[LiveRow]) -> None:
    metric = headline(result).title
    st.dataframe(
        pd.DataFrame([_line(row, metric) for row in rows]),
        hide_index=True,
        placeholder=NOTHING,
        height=min(640, 38 + 35 * len(rows)),
        column_config={
            "Trial": st.column_config.TextColumn(width="medium", pinned=True),
            "State": st.column_config.TextColumn(width="medium"),
            "Rows": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
            metric: st.column_config.TextColumn(
                help="Over the rows answered so far, with its 95 % interval. The longest rows are answered first."
            ),
            "Rows/s": st.column_config.TextColumn(alignment="right"),
            "Left": st.column_config.TextColumn(alignment="right", help="About."),
            "Memory": st.column_config.TextColumn(alignment="right", help="Peak, known at the end of a trial."),
            "Action": st.column_config.ButtonColumn("", key=f"act_{run}", type="tertiary", width="small"),
        },
        key=f"live_{run}",
        alt="Every trial with its state, progress and score so far",
    )
    if any(row.screened for row in rows):
        st.caption(SCREENING)


def _line(row: LiveRow, metric: str) -> dict[str, object]:
    score = quality_between(row.score)
    return {
        "Trial": row.name,
        "Rows": row.share,
        metric: score if score != NOTHING else None,
        "State": row.doing,
        "Rows/s": rate(row.rows_per_second, row.screened),
        "Left": duration(row.seconds_left) if row.stoppable else NOTHING,
        "Memory": megabytes(row.memory_mb),
        "Action": STOP if row.stoppable else RETRY if row.retryable else None,
    }


def _act(run: str) -> None:
    """What was clicked in the table. The click names the line, and lines keep their order."""
    click = st.session_state.get(f"act_{run}")
    if not click:
        return
    trial = cached.live(run)[click["row"]].trial
    try:
        if click["label"] == STOP:
            cached.store().cancel_trial(trial)
        else:
            cached.store().retry_trial(trial)
    except UserError as error:
        frame.show_error(error)


def _failure(row: LiveRow) -> None:
    failure = row.failure
    assert failure is not None
    title = shorten(f"{row.name}: {failure.message}", TITLE_WIDTH, placeholder=" …")
    with st.expander(markdown(title), icon=":material/error:"):
        st.text(failure.message)
        if failure.hint:
            st.markdown("**What to do**")
            st.text(failure.hint)
        if failure.log_tail:
            st.markdown("**The end of its log**")
            st.code(failure.log_tail, language=None, height=240, wrap_lines=True)
