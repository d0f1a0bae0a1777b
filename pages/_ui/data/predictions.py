"""Predictions made elsewhere: how they meet the rows in use, what they score, and their place on the shortlist."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core import settings
from core.analysis.wording import quality_between
from core.catalog import open_catalog, stored
from core.data import save_upload
from core.errors import UserError
from core.export.text import markdown
from pages._ui import cached, frame

if TYPE_CHECKING:
    from core.analysis.intervals import Interval
    from core.data.predictions import Joined
    from core.metrics.base import Metric
    from core.records import DatasetSpec, Selection

ENDINGS = ["txt", "csv", "tsv", "json", "jsonl", "parquet", "conll", "npy"]


def add(selection: Selection, dataset: DatasetSpec, evalset: str) -> None:
    """Take a file, show what it is worth on these rows, and put it beside the models."""
    with st.expander("Add predictions made elsewhere", icon=":material/upload_file:"):
        st.caption(
            "What another system said on these rows stands in the same table as the models: joined by `id` where the "
            "file has one, else by position, one prediction for each row of the file."
        )
        file = st.file_uploader(
            "One per line, or a table with a column `prediction`", ENDINGS, key=f"predictions_{selection.id}"
        )
        if file is None:
            return
        try:
            path = save_upload(file.name, file.getvalue(), settings.home())
            joined, metric, score = cached.stored_predictions(str(path), evalset, dataset.labels)
        except UserError as error:
            frame.show_error(error)
            return
        _show(joined, metric, score)
        _shortlist(selection, path)


def _show(joined: Joined, metric: Metric, score: Interval) -> None:
    total, missing = len(joined.predictions), len(joined.missing)
    mark = ":green[:material/check_circle:]" if not missing else ":orange[:material/warning:]"
    st.markdown(
        f"{mark} **{total - missing:,} of {total:,} rows have a prediction.** {metric.title}: {quality_between(score)}"
    )
    for note in joined.notes:
        st.caption(markdown(note))


def _shortlist(selection: Selection, path: Path) -> None:
    if str(path) in (one.id for one in cached.store().shortlist(selection.id)):
        st.caption(":material/check: It is on the shortlist.")
    elif st.button(
        f"Put {markdown(path.name)} on the shortlist", icon=":material/playlist_add:", key="add_predictions"
    ):
        cached.store().add_candidate(selection.id, open_catalog(stored.SOURCE).describe(str(path)))
        st.rerun()
