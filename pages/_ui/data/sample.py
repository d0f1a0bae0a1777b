"""How many rows are used, and what so many can show; and those that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.analysis.wording import what_rows_can_show
from core.data import unusable_in_words
from core.export.text import markdown
from core.records import Sample

if TYPE_CHECKING:
    from core.data import Loaded, Table
    from core.tasks.base import Task

MANY = 2000
"""From here on a sample is offered at first: it tells models apart nearly as well, in a fraction of the time."""
SHOWN = 1000


def choose(task: Task, usable: int, kept: Sample | None, used_before: bool, key: str) -> Sample | None:
    """The sample; None for all rows."""
    start = kept is not None or (usable > MANY and not used_before)
    drawn = st.toggle(
        f"Draw a sample of the {usable:,} usable rows", start, key=f"drawn_{key}", persist_state="session"
    )
    sample = None
    if drawn:
        size, seed, stratify = st.columns([1, 1, 2], vertical_alignment="bottom")
        kept = kept or Sample(min(usable, MANY // 2))
        sample = Sample(
            size.number_input(
                "Rows", 1, usable, min(kept.size, usable), 50, key=f"size_{key}", persist_state="session"
            ),
            seed.number_input(
                "Seed",
                0,
                2**31,
                kept.seed,
                key=f"seed_{key}",
                persist_state="session",
                help="The same seed draws the same rows for everyone.",
            ),
            not task.labelled
            or stratify.checkbox(
                "Keep the share of each label", kept.stratify, key=f"stratify_{key}", persist_state="session"
            ),
        )
    if task.labelled:
        st.markdown(f":material/straighten: {what_rows_can_show(sample.size if sample else usable)}")
    return sample


def notes(loaded: Loaded, table: Table) -> None:
    """What looks wrong, and the rows that are not scored, with the reason."""
    skipped, total = loaded.evalset.skipped, len(table.frame)
    for note in loaded.notes:
        if note not in (*table.notes, unusable_in_words(skipped, total)):
            st.caption(f":material/warning: {markdown(note)}")
    if not skipped:
        st.caption(f":material/check_circle: All {total:,} rows can be used.")
        return
    with st.expander(markdown(unusable_in_words(skipped, total)), icon=":material/block:"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Row": skip.row + 1,
                        "Reason": skip.reason,
                        **{key: str(value) for key, value in skip.values.items()},
                    }
                    for skip in skipped[:SHOWN]
                ]
            ),
            hide_index=True,
        )
