"""Inputs that are no text: pictures and clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from core.records import EvalSet
    from core.tasks.base import Task

SHOW: dict[str, Any] = {"image": st.image, "audio": st.audio}
WIDTH = 160
"""Pixels of a picture among others."""


def show(kind: str, value: Any, words: str) -> None:
    """One input in full: a picture, a player, or the words."""
    if kind in SHOW:
        SHOW[kind](value["file"])
    else:
        st.text(words)


def gallery(task: Task, evalset: EvalSet, count: int = 6) -> None:
    """The first pictures or clips; nothing for a task on text."""
    seen = [column for column in task.columns if column.kind in SHOW]
    if not seen:
        return
    with st.container(horizontal=True, gap="small"):
        for row in evalset.inputs[:count]:
            for column in seen:
                size = {"width": WIDTH} if column.kind == "image" else {"width": 2 * WIDTH}
                SHOW[column.kind](row[column.name]["file"], **size)
