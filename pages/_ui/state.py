"""What outlives a page: which selection is open. The address carries its id, so a link reopens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages._ui import cached

if TYPE_CHECKING:
    from core.records import Selection

KEY = "selection"


def selections() -> list[Selection]:
    """All selections, the newest first; the example comes last."""
    found = cached.store().selections()[::-1]
    return sorted(found, key=lambda selection: selection.example)


def current() -> Selection | None:
    """The open selection: the address decides, then what was open before, then the newest."""
    known = {selection.id: selection for selection in selections()}
    wanted = (st.query_params.get(KEY), st.session_state.get("_selection"))
    chosen = next((known[id] for id in wanted if id in known), next(iter(known.values()), None))
    if chosen:
        open_selection(chosen.id)
    return chosen


def open_selection(id: str) -> None:
    """Make this the open selection, in the session and in the address."""
    st.session_state["_selection"] = id
    if st.query_params.get(KEY) != id:
        st.query_params[KEY] = id


def create(name: str, task: str | None = None) -> Selection:
    """Start a selection and open it."""
    selection = cached.store().create_selection(name, task)
    open_selection(selection.id)
    return selection
