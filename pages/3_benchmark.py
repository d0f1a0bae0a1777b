"""Benchmark: the plan as a grid, and the run while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages._ui import cached, frame
from pages._ui.benchmark import live, plan
from pages._ui.compare import runs

if TYPE_CHECKING:
    from core.records import Selection

VIEW, PLAN = "view", "plan"


def page(selection: Selection) -> None:
    last = cached.store().latest_run(selection.id)
    if last is None or st.query_params.get(VIEW) == PLAN:
        _plan(selection, last)
    else:
        _run(selection)


def _plan(selection: Selection, last: str | None) -> None:
    if not cached.store().shortlist(selection.id):
        frame.missing("Nothing to measure yet", "A benchmark needs models on the shortlist.", "Find models", "find")
        return
    if selection.dataset is None or selection.evalset is None:
        frame.missing(
            "Which rows?",
            "Models are measured on your own labelled rows. Choose them first.",
            "Choose the rows",
            "data",
        )
        return
    if last and st.button("Back to the run", icon=":material/arrow_back:", type="tertiary", key="to_run"):
        _open(None)
    if plan.show(selection, selection.dataset, cached.evalset(selection.evalset), last):
        _open(None)


def _run(selection: Selection) -> None:
    run = runs.choose(selection)
    if run is None:
        return
    live.show(run)
    result = cached.store().progress(run)
    if live.is_active(result):
        st.caption("It goes on without this page: close it, come back, or send someone the link.")
        return
    if result.status == "paused":
        return
    measured = any(outcome.status == "done" for outcome in result.outcomes)
    with st.container(horizontal=True, vertical_alignment="center"):
        if measured:
            frame.next_step("Compare", "compare")
        if st.button(
            "Run again or change the plan" if measured else "Change the plan",
            type="secondary" if measured else "primary",
            icon=":material/tune:",
            key="replan",
        ):
            _open(PLAN)


def _open(view: str | None) -> None:
    """Show the plan, or the run: the address says which."""
    if view is None:
        st.query_params.pop(VIEW, None)
        st.query_params.pop(runs.KEY, None)
    else:
        st.query_params[VIEW] = view
    st.rerun()


frame.run(page)
