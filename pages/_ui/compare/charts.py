"""The tabs on time and memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.analysis import latency_ratio, views
from core.analysis.wording import NOTHING, enumerate_words, three_digits
from core.export.text import markdown
from pages._ui import cached
from pages._ui.compare import pictures, scenarios, tokens

if TYPE_CHECKING:
    from core.records import Limits


def latency(run: str, limits: Limits) -> None:
    """How long calls take: every call, the stages of a call, and larger batches."""
    analysis = cached.analysis(run)
    sizes = sorted({size for trial in analysis.finished for size in trial.latency})
    size = None
    if len(sizes) > 1:
        size = st.segmented_control(
            "Rows per call", sizes, default=sizes[0], required=True, key="batch", bind="query-params"
        )
    if sizes:
        _ratios(latency_ratio.table(analysis, cached.ranking(run, limits), size or sizes[0]))
        tokens.show(run, limits, size or sizes[0])
    st.markdown("**Every call**")
    pictures.show(run, limits, pictures.latency_distribution, size, alt="Distribution of call times per trial")
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Where the time of a call goes**, at the smallest batch")
        pictures.show(run, limits, pictures.stages, alt="Mean time per stage of a call")
    with right:
        st.markdown("**What larger batches give**")
        pictures.show(run, limits, pictures.batch_sweep, alt="Rows per second over batch size")
    rows = views.stages(analysis)
    if rows:
        with st.expander("First call and loading", icon=":material/table_rows:"):
            _first_calls(rows)
    scenarios.show(run, limits)


def memory(run: str, limits: Limits) -> None:
    """What each trial needs in each phase, beside what was predicted of it."""
    rows = views.memory(cached.analysis(run), cached.ranking(run, limits))
    st.caption(
        "Memory of the worker over what it held before it loaded the model; on a GPU, what was allocated there. "
        "Screening holds a second copy of the model: it is not in the peak."
    )
    pictures.show(run, limits, pictures.memory, alt="Most memory per trial and phase")
    if rows:
        _memory_table(rows)


def _memory_table(rows: list[views.MemoryRow]) -> None:
    number = st.column_config.NumberColumn
    numbers = [
        {"trial": row.name, "predicted": row.predicted, "peak": row.peak, "model": row.model, **row.phases}
        for row in rows
    ]
    table = pd.DataFrame(numbers).drop(columns="all", errors="ignore")
    phases = {name: number(f"{name.capitalize()} (MB)") for name in table.columns[4:]}
    st.dataframe(
        table.style.format("{:,.0f}", subset=list(table.columns[1:])),
        hide_index=True,
        placeholder=NOTHING,
        column_config={
            "trial": st.column_config.TextColumn("Trial", width="medium", pinned=True),
            "predicted": number(
                "Predicted (MB)", help="From the number of parameters and the size of the files, before the download."
            ),
            "peak": number("Measured peak (MB)"),
            "model": number("Loaded model (MB)"),
            **phases,
        },
    )


def _ratios(table: latency_ratio.RatioTable | None) -> None:
    """Each trial's time over the chosen one's, and what of it the machine may have done."""
    if table is None:
        return
    if table.floor is not None and table.floor.noisy:
        st.warning(
            "The machine was too noisy while these calls were timed: do not rely on small differences. Keep other work "
            "off it, then measure afresh.",
            icon=":material/graphic_eq:",
        )
    if table.rows:
        st.markdown(f"**How long beside {markdown(table.against)}**, on the same requests by turns")
        rows = [{"trial": row.name, **asdict(row.ratio), "verdict": row.verdict} for row in table.rows]
        ratio = st.column_config.NumberColumn
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            column_config={
                "trial": st.column_config.TextColumn("Trial", width="medium", pinned=True),
                "value": ratio("Times as long", format="%.3f ×", help="Median over the requests that both answered."),
                "low": ratio("At least", format="%.3f ×", help="Lower end of the 95 % interval, from pairs of calls."),
                "high": ratio("At most", format="%.3f ×", help="Upper end of the 95 % interval (pair bootstrap)."),
                "verdict": "Verdict",
            },
        )
    if table.floor is not None:
        st.caption(latency_ratio.noise_in_words(table.floor))
    if table.missing:
        st.caption(f"Not compared: {markdown(enumerate_words(table.missing))}, {latency_ratio.APART}.")


def _first_calls(rows: list[views.StageRow]) -> None:
    table = pd.DataFrame(
        [
            {
                "trial": row.name,
                "preprocess": row.preprocess,
                "forward": row.forward,
                "postprocess": row.postprocess,
                "first": row.first_call,
                "load": row.load_seconds,
            }
            for row in rows
        ]
    )
    st.dataframe(
        table.style.format(three_digits, subset=list(table.columns[1:])),
        hide_index=True,
        column_config={
            "trial": st.column_config.TextColumn("Trial", width="medium", pinned=True),
            "preprocess": st.column_config.NumberColumn("Preprocess (ms)"),
            "forward": st.column_config.NumberColumn("Forward (ms)"),
            "postprocess": st.column_config.NumberColumn("Postprocess (ms)"),
            "first": st.column_config.NumberColumn("First call (ms)", help="After loading, before any warm-up."),
            "load": st.column_config.NumberColumn("Loading (s)"),
        },
    )
