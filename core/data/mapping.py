"""Which column is which: guessed from names and content, shown, and overruled by whoever knows better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from core.data.table import is_missing
from core.errors import DatasetMismatch
from core.tasks.base import Column, Task

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1000
"""Rows that are looked at."""
MAX_LABELS = 200
"""A column with more different values is not taken for labels."""
NOT_CONTENT = frozenset(
    {"id", "ids", "idx", "index", "count", "length", "len", "lang", "language", "date", "time", "url"}
)
"""Words of a name that say that a column is about the content, not the content."""


@dataclass(frozen=True)
class ColumnGuess:
    """A column for one of the task's words."""

    word: str
    column: str | int | None
    """None: nothing fits."""
    reason: str


@dataclass(frozen=True)
class _Profile:
    """What a column looks like."""

    name: str | int
    distinct: int
    filled: int
    length: float
    """Mean length of the values, characters."""
    is_text: bool
    """Most values are texts with a letter in them."""


def guess_columns(task: Task, frame: pd.DataFrame, given: Mapping[str, str | int] | None = None) -> list[ColumnGuess]:
    """A column for each of the task's words that is not given, in the task's order, and why.

    A usual name comes first, then a name that contains one, then the content: few repeated values are labels, the
    longest texts are the input. Optional columns are guessed by name only. No column is taken twice.

    Args:
        task: Its `columns` say what is wanted.
        frame: The rows.
        given: Task's word → column of the frame, as the user decided.
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
    profiles = {name: _profile(frame, name) for name in free}
    # Labels first: what remains is compared by length.
    for column in sorted(columns, key=lambda column: column.kind != "label"):
        if column.name in found or not column.required:
            continue
        rest = [profiles[name] for name in free]
        profile = _label_like(rest, len(frame)) if column.kind == "label" else _text_like(rest)
        if profile is not None:
            what = f"few values that repeat ({profile.distinct})" if column.kind == "label" else "the longest texts"
            take(column, profile.name, f"it has {what}")
    return [found.get(column.name, ColumnGuess(column.name, None, "no column fits")) for column in columns]


def resolve_columns(
    task: Task, frame: pd.DataFrame, columns: Mapping[str, str | int] | None = None
) -> dict[str, str | int]:
    """Task's word → column of the frame, complete.

    Args:
        task: Its `columns` say what is wanted.
        frame: The rows.
        columns: What the user said, by name or position; the rest is guessed.

    Raises:
        DatasetMismatch: A word the task does not have, a column the data does not have, or none that fits.
    """
    given = {word: _find(task, frame, word, column) for word, column in (columns or {}).items()}
    wanted = [column for column in task.columns if column.name not in given]
    guesses = {guess.word: guess.column for guess in guess_columns(task, frame, given)}
    missing = [column for column in wanted if column.required and guesses[column.name] is None]
    if missing:
        words = " and ".join(f"{column.name!r} ({column.title})" for column in missing)
        example = ", ".join(f"{column.name}: …" for column in missing)
        raise DatasetMismatch(
            f"No column fits {words}. Columns found: {_listed(frame)}.", f"Name it in the plan: columns: {{{example}}}"
        )
    resolved = {column.name: given.get(column.name, guesses.get(column.name)) for column in task.columns}
    return {word: name for word, name in resolved.items() if name is not None}


def _find(task: Task, frame: pd.DataFrame, word: str, column: str | int) -> str | int:
    words = [known.name for known in task.columns]
    if word not in words:
        near = get_close_matches(word, words, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Its words: {', '.join(words)}."
        raise DatasetMismatch(f"{task.name} has no column {word!r}.", hint)
    names = list(frame.columns)
    if column in names:
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


def _profile(frame: pd.DataFrame, name: str | int) -> _Profile:
    values = [value for value in frame[name].head(HEAD).tolist() if not is_missing(value)]
    texts = [str(value) for value in values]
    lettered = sum(isinstance(value, str) and any(char.isalpha() for char in value[:200]) for value in values)
    return _Profile(
        name=name,
        distinct=len(set(texts)),
        filled=len(texts),
        length=sum(map(len, texts)) / len(texts) if texts else 0.0,
        is_text=lettered > len(texts) / 2,
    )


def _label_like(profiles: Sequence[_Profile], rows: int) -> _Profile | None:
    """Few different values, each used more than once; short. A handful of rows cannot show repetition."""
    fitting = [
        profile
        for profile in profiles
        if 1 <= profile.distinct <= MAX_LABELS
        and profile.length <= 60
        and (profile.distinct <= profile.filled / 2 or (rows < 10 and profile.length <= 20))
    ]
    return min(fitting, key=lambda profile: (profile.distinct / profile.filled, profile.length), default=None)


def _text_like(profiles: Sequence[_Profile]) -> _Profile | None:
    return max((profile for profile in profiles if profile.is_text), key=lambda profile: profile.length, default=None)
