"""Data: rows from a file or the Hub, what their columns and labels mean, and how many of them are used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import streamlit as st

from core import codec, registry
from core.catalog import stored
from core.errors import UserError
from core.records import DatasetSpec
from pages._ui import cached, frame, media
from pages._ui.data import columns, labels, predictions, sample, source

if TYPE_CHECKING:
    from core.data import LabelTable, Loaded, Table
    from core.records import Selection
    from core.tasks.base import Task


def page(selection: Selection) -> None:
    if selection.task is None:
        _ask_for_task(selection)
        return
    task = registry.task(selection.task)
    with st.container(border=True):
        st.subheader("1 · Rows", anchor=False)
        try:
            spec = source.choose(selection, task)
            if spec is None:
                st.caption("Rows with the right answer: the more they look like your real ones, the better the choice.")
                return
            table = cached.table(spec)
        except UserError as error:
            source.failed(selection, error)
            return
        source.show(spec, table)
    _meaning(selection, task, spec, table)


def _meaning(selection: Selection, task: Task, spec: DatasetSpec, table: Table) -> None:
    key = codec.identity([selection.id, spec.path, spec.repo, spec.config, spec.split])[:12]
    with st.container(border=True):
        st.subheader("2 · Columns", anchor=False)
        spec = dataclasses.replace(spec, columns=columns.choose(task, table, spec.columns, key))
        unnamed = cached.loaded(dataclasses.replace(spec, labels={}, sample=None), task.name)
        media.gallery(task, unnamed.evalset)
    candidates = [one for one in cached.store().shortlist(selection.id) if one.source != stored.SOURCE]
    tables: list[LabelTable] = []
    if task.labelled:
        with st.container(border=True):
            st.subheader("3 · Labels", anchor=False)
            spec = dataclasses.replace(spec, labels=labels.names(unnamed, spec.labels, key))
            named = cached.loaded(dataclasses.replace(spec, sample=None), task.name)
            if candidates:
                tables = labels.match(selection, candidates, named.evalset.labels)
            else:
                st.caption("Put models on the shortlist to see what they call these labels.")
    with st.container(border=True):
        st.subheader(f"{4 if task.labelled else 3} · How many", anchor=False)
        usable = len(unnamed.evalset.ids)
        drawn = sample.choose(task, usable, spec.sample, selection.evalset is not None, key)
        loaded = cached.loaded(dataclasses.replace(spec, sample=drawn), task.name)
        sample.notes(loaded, table)
    _use(selection, loaded, tables)


def _use(selection: Selection, loaded: Loaded, tables: list[LabelTable]) -> None:
    chosen = dataclasses.replace(
        selection,
        dataset=loaded.spec,
        evalset=loaded.evalset.id,
        labels={table.candidate: table.mapping for table in tables},
    )
    if chosen == selection:
        frame.next_step("Plan the benchmark", "benchmark")
        st.caption("These rows are in use.")
        predictions.add(selection, loaded.spec, loaded.evalset.id)
    elif st.button(
        f"Use these {len(loaded.evalset.ids):,} rows", type="primary", icon=":material/arrow_forward:", key="next_step"
    ):
        cached.store().save_evalset(loaded.evalset)
        cached.store().save_selection(chosen)
        source.forget(selection)
        labels.forget(selection)
        frame.go("benchmark")


def _ask_for_task(selection: Selection) -> None:
    tasks = registry.tasks()
    chosen = st.selectbox("Task", list(tasks), None, format_func=lambda name: tasks[name].title, placeholder="Choose")
    if chosen:
        cached.store().save_selection(dataclasses.replace(selection, task=chosen))
        st.rerun()


frame.run(page)
