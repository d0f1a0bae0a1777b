"""Which column is which: guessed from names and content, shown, and overruled by whoever knows better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from core.data.profiles import BY_CONTENT, NOT_CONTENT, profile
from core.errors import DatasetMismatch
from core.tasks.base import Column, Task

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1000
"""Rows that are looked at."""


@dataclass(frozen=True)
class ColumnGuess:
    """A column for one of the task's words."""

    word: str
    column: str | int | None
    """None: nothing fits."""
    reason: str


def guess_columns(
    task: Task, frame: pd.DataFrame, given: Mapping[str, str | int | None] | None = None
) -> list[ColumnGuess]:
    """A column for each of the task's words that is not given, in the task's order, and why.

    A usual name comes first, then a name that contains one, then the content: names of files are pictures or clips, few
    repeated values labels, lists of equal length words and tags, the longest texts the input. Optional columns are
    guessed by name only. No column is taken twice.

    Args:
        task: Its `columns` say what is wanted.
        frame: The rows.
        given: Task's word → column of the frame, as the user decided; None: none.
    """
    given = given or {}
    columns = [column for column in task.columns if column.name not in given]
    taken = set(given.values())
    free = [name for name in frame.columns if name not in taken]
    found: dict[str, ColumnGuess] = {}

    def take(column: Column, name: str | int, reason: str) -> None:
        found[column.name] = ColumnGuess(column.name, name, reason)
        free.remove(name)

    for rule in (_by_name, _by_part_of_name):
        for column in columns:
            if column.name not in found and (name := rule(column, free)) is not None:
                take(column, name, f"it is called {name!r}")
    profiles = {name: profile(name, frame[name].head(HEAD).tolist()) for name in free}
    for kinds, rule_of_content in BY_CONTENT:
        wanted = [column for column in columns if column.kind in kinds and column.required and column.name not in found]
        rest = [profiles[name] for name in free]
        for column, fitting in zip(wanted, rule_of_content(rest, len(wanted)) if wanted else (), strict=False):
            take(column, fitting.name, f"it has {fitting.what}")
    return [found.get(column.name, ColumnGuess(column.name, None, "no column fits")) for column in columns]


def resolve_columns(
    task: Task, frame: pd.DataFrame, columns: Mapping[str, str | int | None] | None = None
) -> dict[str, str | int]:
    """Task's word → column of the frame, complete.

    Args:
        task: Its `columns` say what is wanted.
        frame: The rows.
        columns: What the user said, by name or position; the rest is guessed. None leaves out an optional one.

    Raises:
        DatasetMismatch: A word the task does not have, a column the data does not have, or none that fits.
    """
    given = {word: _find(task, frame, word, column) for word, column in (columns or {}).items()}
    wanted = [column for column in task.columns if given.get(column.name) is None]
    guesses = {guess.word: guess.column for guess in guess_columns(task, frame, given)}
    missing = [column for column in wanted if column.required and guesses.get(column.name) is None]
    if missing:
        words = " and ".join(f"{column.name!r} ({column.title})" for column in missing)
        example = ", ".join(f"{column.name}: …" for column in missing)
        raise DatasetMismatch(
            f"No column fits {words}. Columns found: {_listed(frame)}.", f"Name it in the plan: columns: {{{example}}}"
        )
    resolved = {column.name: given.get(column.name, guesses.get(column.name)) for column in task.columns}
    return {word: name for word, name in resolved.items() if name is not None}


def _find(task: Task, frame: pd.DataFrame, word: str, column: str | int | None) -> str | int | None:
    words = [known.name for known in task.columns]
    if word not in words:
        near = get_close_matches(word, words, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Its words: {', '.join(words)}."
        raise DatasetMismatch(f"{task.name} has no column {word!r}.", hint)
    names = list(frame.columns)
    if column is None or column in names:
        return column
    if isinstance(column, int):
        if 0 <= column < len(names):
            found: str | int = names[column]
            return found
        raise DatasetMismatch(
            f"There is no column at position {column} for {word!r}; the data has {len(names)}: {_listed(frame)}.",
            f"Positions go from 0 to {len(names) - 1}.",
        )
    near = get_close_matches(column, [name for name in names if isinstance(name, str)], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Name one of the columns found, or its position, counted from 0."
    raise DatasetMismatch(f"There is no column {column!r} for {word!r}. Columns found: {_listed(frame)}.", hint)


def _listed(frame: pd.DataFrame, most: int = 20) -> str:
    names = [repr(name) for name in frame.columns]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _by_name(column: Column, free: Sequence[str | int]) -> str | int | None:
    names = {str(name).strip().casefold(): name for name in reversed(free) if isinstance(name, str)}
    return next((names[guess] for guess in (*column.guesses, column.name) if guess in names), None)


def _by_part_of_name(column: Column, free: Sequence[str | int]) -> str | int | None:
    """`review_text` holds the word `text`; `tweet_id` holds `tweet` but is none."""
    parts = {name: re.split(r"[\W_]+", name.casefold()) for name in free if isinstance(name, str)}
    for guess in (*column.guesses, column.name):
        for name, words in parts.items():
            if guess in words and NOT_CONTENT.isdisjoint(words):
                return name
    return None
