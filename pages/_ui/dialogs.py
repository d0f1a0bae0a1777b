"""Starting, opening and naming selections."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.export.text import markdown
from pages._ui import cached, state

if TYPE_CHECKING:
    from core.records import Selection


def selection_menu(selection: Selection) -> None:
    """The name of the open selection; behind it the others, a new one, and renaming."""
    with st.popover(markdown(selection.name), icon=":material/folder_open:", type="secondary", key="selection_menu"):
        others = [one for one in state.selections() if one.id != selection.id]
        for one in others:
            if st.button(
                markdown(one.name), key=f"open_{one.id}", icon=":material/folder:", type="tertiary", width="stretch"
            ):
                state.open_selection(one.id)
                st.rerun()
        if st.button("New selection", icon=":material/add:", key="new_selection", width="stretch"):
            new_selection()
        if st.button("Rename", icon=":material/edit:", key="rename_selection", width="stretch"):
            _rename(selection)


@st.dialog("New selection")
def new_selection() -> None:
    """Ask for a name and a task."""
    _form()


def first_selection() -> None:
    """The page of someone who has none yet."""
    with st.container(border=True):
        st.subheader("Which model do we ship?", anchor=False)
        st.write(
            "A selection holds one such decision: the shortlist, your rows, the benchmark, the review and the export."
        )
        _form()


def _form() -> None:
    tasks = registry.tasks()
    with st.form("new_selection_form", border=False):
        name = st.text_input("Name", placeholder="What you choose a model for, e.g. ticket router")
        task = st.selectbox("Task", list(tasks), None, format_func=lambda key: tasks[key].title, placeholder="Choose")
        if st.form_submit_button("Start", type="primary"):
            if not (name.strip() and task):
                st.error("Give it a name and a task.")
            else:
                state.create(name, task)
                st.rerun()


@st.dialog("Rename selection")
def _rename(selection: Selection) -> None:
    with st.form("rename_form", border=False):
        name = st.text_input("Name", selection.name)
        if st.form_submit_button("Save", type="primary") and name.strip():
            cached.store().save_selection(dataclasses.replace(selection, name=name.strip()))
            st.rerun()
