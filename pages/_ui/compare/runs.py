"""Which run the page shows, and how far that run is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from core.analysis import wording
from pages._ui import cached

if TYPE_CHECKING:
    from core.records import RunResult, Selection
    from core.store.runs import RunInfo

KEY = "run"
POLL_SECONDS = 4
_STATES = {
    "queued": "The run waits for its turn",
    "running": "The run goes on",
    "paused": "The run is paused",
    "cancelled": "The run was cancelled",
}


def choose(selection: Selection, default: str | None = None) -> str | None:
    """The run in the address, else `default`, else the newest; with a picker where there are several.

    None where there is no run.
    """
    found = {info.id: info for info in cached.store().runs(selection.id)}
    if not found:
        return None
    ids = list(found)
    usual = default if default in found else ids[0]
    wanted = st.query_params.get(KEY)
    if len(ids) == 1:
        return ids[0]
    chosen = st.selectbox(
        "Run",
        ids,
        ids.index(wanted if wanted in found else usual),
        format_func=lambda id: _in_words(found[id]),
        key=f"run_of_{selection.id}",
    )
    if chosen != usual:
        st.query_params[KEY] = chosen
    else:
        st.query_params.pop(KEY, None)
    return str(chosen)


def progress(run: str, result: RunResult) -> None:
    """Says that a run goes on, and draws the page again when another trial has ended."""
    if result.status == "done":
        return
    states = Counter(outcome.status for outcome in result.outcomes)
    ended = states["done"] + states["failed"]
    st.info(
        f"{_STATES[result.status]}: {ended} of {len(result.outcomes)} trials have ended. "
        "Below is what there is so far.",
        icon=":material/hourglass_top:",
    )
    if result.status in ("running", "queued"):
        _watch(run, ended)


@st.fragment(run_every=POLL_SECONDS)
def _watch(run: str, ended: int) -> None:
    states = Counter(outcome.status for outcome in cached.store().progress(run).outcomes)
    if states["done"] + states["failed"] != ended:
        st.rerun()


def _in_words(info: RunInfo) -> str:
    models = f"{len(info.models)} {'model' if len(info.models) == 1 else 'models'}"
    return f"{wording.ago(info.created)} · {models} on {info.rows:,} rows · {info.status} · {info.id[:8]}"
