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


def choose(task: Task, table: Table, kept: Mapping[str, str | int | None], key: str) -> dict[str, str | int | None]:
    """Task's word → column, None where a guess was declined.

    Raises DatasetMismatch until every column that is needed is named.
    """
    known = {word: column for word, column in kept.items() if column in [None, *table.frame.columns]}
    guesses = {guess.word: guess for guess in guess_columns(task, table.frame, known)}
    side, rows = st.columns([1, 2], gap="medium")
    with side:
        chosen = {column.name: _choice(column, table, known, guesses.get(column.name), key) for column in task.columns}
    declined = {word for word, guess in guesses.items() if guess.column is not None} | known.keys()
    columns = {word: column for word, column in chosen.items() if column is not None or word in declined}
    missing = [column.title for column in task.columns if column.required and columns.get(column.name) is None]
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
    column: Column, table: Table, known: Mapping[str, str | int | None], guess: ColumnGuess | None, key: str
) -> str | int | None:
    names = list(table.frame.columns)
    start = guess.column if guess else known.get(column.name)
    options = names if column.required else [None, *names]
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


def _examples(task: Task, table: Table, columns: Mapping[str, str | int | None]) -> None:
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
