"""Where the rows come from. What was chosen stays until something else is taken, also when that fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core import settings
from core.data import save_upload
from core.example import data_sets
from core.records import DatasetSpec
from pages._ui import cached, frame

if TYPE_CHECKING:
    from core.data import Table
    from core.errors import UserError
    from core.records import Selection
    from core.tasks.base import Task

KINDS = {"upload": "Upload a file", "hub": "Hub data set", "samples": "Bundled sample"}
ENDINGS = ["csv", "tsv", "json", "jsonl", "parquet"]


def choose(selection: Selection, task: Task) -> DatasetSpec | None:
    """The source that was taken last; None before the first. Raises UserError for one that cannot be taken."""
    kind = st.segmented_control(
        "Where the rows come from",
        list(KINDS),
        default=_kind(spec_of(selection), task),
        format_func=KINDS.__getitem__,
        required=True,
        key=f"source_of_{selection.id}",
        label_visibility="collapsed",
        persist_state="session",
    )
    {"upload": _upload, "hub": _hub, "samples": _samples}[kind](selection, task)
    return spec_of(selection)


def spec_of(selection: Selection) -> DatasetSpec | None:
    """What was taken on this page, else what the selection has."""
    taken: DatasetSpec | None = st.session_state.get(_key(selection))
    return taken or selection.dataset


def forget(selection: Selection) -> None:
    """From now on the selection itself says what is used."""
    st.session_state.pop(_key(selection), None)


def name(spec: DatasetSpec) -> str:
    """The file's name, or the Hub data set with its split."""
    if spec.path is not None:
        return Path(spec.path).name
    return " · ".join(filter(None, (spec.repo, spec.config, spec.split)))


def show(spec: DatasetSpec, table: Table) -> None:
    """What was read, and what had to be repaired."""
    from core.export.text import markdown

    rows, columns = table.frame.shape
    st.markdown(f":material/table_rows: **{markdown(name(spec))}** · {rows:,} rows, {columns} columns")
    for note in table.notes:
        st.caption(markdown(note))


def _take(selection: Selection, spec: DatasetSpec) -> None:
    st.session_state[_key(selection)] = spec


def _key(selection: Selection) -> str:
    return f"data_of_{selection.id}"


def _kind(spec: DatasetSpec | None, task: Task) -> str:
    if spec is None:
        return "upload"
    if spec.repo is not None:
        return "hub"
    return "samples" if any(spec.path == one.path for one in data_sets(task.name)) else "upload"


def _upload(selection: Selection, task: Task) -> None:
    """A file is kept under its content, so that it is still there after the browser has gone."""
    needed = " and ".join(column.title.lower() for column in task.columns if column.required)
    file = st.file_uploader(
        f"CSV, TSV, JSON, JSONL or Parquet with one row per example: {needed}", ENDINGS, key=f"file_{selection.id}"
    )
    seen = f"file_taken_{selection.id}"
    if file is not None and st.session_state.get(seen) != file.file_id:
        _take(selection, DatasetSpec(path=str(save_upload(file.name, file.getvalue(), settings.home()))))
        st.session_state[seen] = file.file_id


def _hub(selection: Selection, task: Task) -> None:
    """Only `org/name`: an address or a path typed here is refused."""
    kept = spec_of(selection)
    repo = st.text_input(
        "Data set on the Hub",
        (kept and kept.repo) or "",
        placeholder="org/name",
        key=f"repo_{selection.id}",
        persist_state="session",
    ).strip()
    if not repo:
        return
    layout = cached.hub_layout(repo)
    left, right = st.columns(2)
    config = left.selectbox("Configuration", list(layout), key=f"config_{selection.id}_{repo}", persist_state="session")
    splits = layout[config]
    usual = next((name for name in ("test", "validation") if name in splits), splits[0])
    split = right.selectbox(
        "Split", splits, splits.index(usual), key=f"split_{selection.id}_{repo}_{config}", persist_state="session"
    )
    if st.button("Load these rows", icon=":material/cloud_download:", key="load_hub"):
        _take(selection, DatasetSpec(repo=repo, config=config, split=split))


def _samples(selection: Selection, task: Task) -> None:
    found = {Path(str(spec.path)).name: spec for spec in data_sets(task.name)}
    if not found:
        st.info(f"No rows for {task.title.lower()} are bundled. Upload yours.", icon=":material/upload:")
        return
    chosen = st.selectbox("Rows bundled with Shortlist", list(found), key=f"sample_{selection.id}")
    if st.button("Take these rows", icon=":material/check:", key="take_sample"):
        _take(selection, found[chosen])


def failed(selection: Selection, error: UserError) -> None:
    """Nothing is lost where rows cannot be read: what the selection had is still in use."""
    if selection.evalset and selection.dataset:
        st.caption(
            f"Until you take other rows, the benchmark uses {len(cached.evalset(selection.evalset).ids):,} rows "
            f"of {name(selection.dataset)}."
        )
    frame.show_error(error)
