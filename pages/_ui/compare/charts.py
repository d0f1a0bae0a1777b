"""The tabs on time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.analysis import views
from core.analysis.wording import three_digits
from pages._ui import cached
from pages._ui.compare import pictures

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


def memory(run: str, limits: Limits) -> None:
    """What each trial needs at its peak."""
    st.caption("Memory of the worker over what it held before it loaded the model; on a GPU, what was allocated there.")
    pictures.show(run, limits, pictures.memory, alt="Peak memory per trial")


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
