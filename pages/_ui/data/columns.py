"""Which column is which: guessed with the reason, changed beside the rows as a model will see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.data import guess_columns, preview
from core.errors import DatasetMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.data import ColumnGuess, Table
    from core.tasks.base import Column, Task

EXAMPLES = 5


def choose(task: Task, table: Table, kept: Mapping[str, str | int], key: str) -> dict[str, str | int]:
    """Task's word → column. Raises DatasetMismatch until every column that is needed is named."""
    known = {word: column for word, column in kept.items() if column in list(table.frame.columns)}
    guesses = {guess.word: guess for guess in guess_columns(task, table.frame, known)}
    side, rows = st.columns([1, 2], gap="medium")
    with side:
        chosen = {
            column.name: _choice(column, table, known.get(column.name), guesses.get(column.name), key)
            for column in task.columns
        }
    columns = {word: column for word, column in chosen.items() if column is not None}
    missing = [column.title for column in task.columns if column.required and column.name not in columns]
    with rows:
        if missing:
            st.dataframe(table.frame.head(EXAMPLES), hide_index=True)
        else:
            _examples(task, table, columns)
    if missing:
        raise DatasetMismatch(
            f"No column looks like {' and '.join(missing)}.", "Choose it on the left, or take other rows."
        )
    return columns


def _choice(
    column: Column, table: Table, kept: str | int | None, guess: ColumnGuess | None, key: str
) -> str | int | None:
    names = list(table.frame.columns)
    start = kept if kept is not None else guess.column if guess else None
    # An optional column that has the usual name is always taken, so leaving it out is offered for the others alone.
    options = names if column.required or start is not None else [None, *names]
    chosen: str | int | None = st.selectbox(
        column.title if column.required else f"{column.title} (optional)",
        options,
        options.index(start) if start in options else None,
        format_func=_title,
        placeholder="Choose a column",
        key=f"column_{column.name}_{key}",
        persist_state="session",
    )
    if guess and guess.column is not None and chosen == guess.column:
        st.caption(f":material/auto_awesome: Guessed: {guess.reason}.".replace("'", "“", 1).replace("'", "”", 1))
    return chosen


def _title(column: str | int | None) -> str:
    if column is None:
        return "none"
    return column if isinstance(column, str) else f"column {column + 1}"


def _examples(task: Task, table: Table, columns: Mapping[str, str | int]) -> None:
    titles = {column.name: column.title for column in task.columns}
    rows = preview(table, task, columns, EXAMPLES)
    st.dataframe(
        pd.DataFrame({titles[word]: rows[word].astype(str) for word in rows}),
        hide_index=True,
        column_config={titles[word]: _width(task, word) for word in rows},
        row_height=72,
        alt="The first rows as a model will see them",
    )
    st.caption("The first rows, as a model will see them.")


def _width(task: Task, word: str) -> Any:
    kind = next(column.kind for column in task.columns if column.name == word)
    return st.column_config.TextColumn(width="small" if kind == "label" else "large")
