"""The plan: what runs, how it is scored and measured, what it will cost, and the start."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import streamlit as st

from core import jobs, registry
from core import settings as environment
from core.analysis.wording import duration, file_size, megabytes
from core.data import Loaded, label_tables
from core.engine import grid
from core.engine.estimate import estimate
from core.engine.plan import plan_hash
from core.engine.prepare import draft, prepare, repeated
from core.errors import UserError
from core.records import Plan
from pages._ui import cached, frame
from pages._ui.benchmark import cells, settings

if TYPE_CHECKING:
    from core.records import DatasetSpec, EvalSet, Selection


def show(selection: Selection, dataset: DatasetSpec, evalset: EvalSet, last_run: str | None) -> str | None:
    """Draw the plan. Returns the id of the run, once it is started."""
    task = registry.task(evalset.task)
    before = cached.store().progress(last_run).plan if last_run else None
    before = before if before and before.task == task.name else None
    candidates = cached.store().shortlist(selection.id)
    tables = label_tables(candidates, evalset.labels, selection.labels, task) if task.labelled else []
    main, side = st.columns([3, 1], gap="medium")
    with main, st.container(border=True):
        st.subheader("What runs", anchor=False)
        ticks = cells.choose(selection, grid.grid(candidates, tables), before)
    with main, st.container(border=True):
        st.subheader("How it is measured", anchor=False)
        metrics, options = settings.metrics(selection, task, evalset.labels, before)
        race = settings.race(selection, task, metrics[0] if metrics else None, before)
        with st.expander("Batches and calls", icon=":material/timer:"):
            protocol = settings.protocol(selection, task, before, race=race)
    with side, st.container(border=True):
        st.markdown("**A winner must have**")
        limits = settings.limits(selection, task, metrics[0] if metrics else None)
    planned, variants = grid.lay_out(ticks, {table.candidate: table.mapping for table in tables})
    plan = Plan(task.name, dataset, planned, variants, metrics, options, protocol, limits)
    with side, st.container(border=True):
        return _start(selection, plan, Loaded(dataset, evalset), last_run)


def _start(selection: Selection, plan: Plan, rows: Loaded, last_run: str | None) -> str | None:
    """The cost, and the button. Nothing is asked of a catalogue before it is pressed."""
    obstacle = None if plan.candidates else "Tick at least one model."
    obstacle = obstacle or (None if plan.metrics else "Choose a metric.")
    if obstacle:
        st.markdown(f":material/info: {obstacle}")
    else:
        try:
            _cost(selection, plan, rows, last_run)
        except UserError as error:
            frame.show_error(error)
            obstacle = error.message
    fresh = bool(last_run) and st.toggle(
        "Measure again",
        key=f"fresh_{selection.id}",
        help="Off: what has been measured with the same settings on this machine is taken from then.",
    )
    pressed = st.button(
        "Start", type="primary", icon=":material/play_arrow:", key="next_step", disabled=bool(obstacle), width="stretch"
    )
    return _submit(selection, plan, rows, fresh) if pressed else None


def _cost(selection: Selection, plan: Plan, rows: Loaded, last_run: str | None) -> None:
    prepared = draft(plan, rows, cached.store().shortlist(selection.id))
    known = cached.run(last_run).outcomes if last_run else ()
    cost = estimate(prepared, known)
    trials = len(prepared.specs)
    st.markdown(f"**{trials} {'trial' if trials == 1 else 'trials'}** on {len(rows.evalset.ids):,} rows")
    st.markdown(f":material/schedule: {duration(cost.seconds_low)} to {duration(cost.seconds_high)}", help=cost.basis)
    if cost.race:
        st.caption(cost.race)
    st.markdown(
        f":material/download: {file_size(cost.download_bytes)} to download"
        if cost.download_bytes
        else ":material/download_done: nothing to download"
    )
    if cost.memory_mb is not None:
        st.markdown(f":material/memory: about {megabytes(cost.memory_mb)} of memory at most")


def _submit(selection: Selection, plan: Plan, rows: Loaded, fresh: bool) -> str:
    """Check every model once more, queue the trials, and see to it that someone runs them."""
    store = cached.store()
    with st.spinner("Checking the models …", show_time=True):
        prepared = prepare(plan, token=environment.hub_token(), strict=False, rows=rows)
        if fresh:
            prepared = repeated(prepared, store.next_repeat(plan_hash(prepared.plan)))
        store.save_selection(dataclasses.replace(selection, limits=plan.limits))
        run = store.submit(prepared, selection.id)
        jobs.ensure_runner(store)
    return run
