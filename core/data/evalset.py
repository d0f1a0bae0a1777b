"""The rows that can be scored, as an `EvalSet`, and the list of those that cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from core import codec
from core.data.mapping import guess_columns, resolve_columns
from core.data.sample import draw
from core.data.source import load_table
from core.data.table import Table, is_missing
from core.errors import DatasetMismatch
from core.records import DatasetSpec, EvalSet, SkippedRow
from core.tasks.base import Column, Task

MAX_EXTRAS = 20
MISSING_LABELS = frozenset({"nan", "null", "<na>"})
"""What programs write for a missing value; `none` and `na` are labels that people use."""
ID_COLUMNS = ("id", "idx", "guid")
SHOWN = 200
"""Characters of a value that a skipped row shows."""

_INTEGER = re.compile(r"[+-]?\d+(\.0+)?")


@dataclass(frozen=True)
class Loaded:
    """Rows ready for a run."""

    spec: DatasetSpec
    """Pinned: revision, reader, columns and labels are filled in."""
    evalset: EvalSet
    notes: tuple[str, ...] = ()
    """What was repaired, guessed, skipped or looks wrong, in sentences."""


def load(spec: DatasetSpec, task: Task, token: str | None = None) -> tuple[DatasetSpec, EvalSet]:
    """`load_rows` without its notes."""
    loaded = load_rows(spec, task, token)
    return loaded.spec, loaded.evalset


def load_rows(spec: DatasetSpec, task: Task, token: str | None = None) -> Loaded:
    """Read the rows that a plan names and make them an EvalSet.

    Raises:
        UserError: As `load_table` and `build` say.
    """
    return build(load_table(spec, token), spec, task)


def build(table: Table, spec: DatasetSpec, task: Task) -> Loaded:
    """Make a table's rows an EvalSet: columns named, labels named, unusable rows set aside, a sample drawn.

    Args:
        table: The rows as read.
        spec: Columns, labels and sample as asked for.
        task: Says which columns are needed.

    Raises:
        DatasetMismatch: A column is not there, or no row can be used.
    """
    frame = table.frame
    columns = resolve_columns(task, frame, spec.columns)
    label_names = _label_names(table, spec, task, columns)
    values = {
        column.name: _cells(frame[columns[column.name]], column, label_names)
        for column in task.columns
        if column.name in columns
    }
    usable, skipped = _sort_out(frame.index, task, values)
    if not usable:
        reasons = sorted({skip.reason for skip in skipped})
        raise DatasetMismatch(
            f"None of the {len(frame):,} rows can be used: {'; '.join(reasons)}.",
            f"Columns taken: {', '.join(f'{word} from {name!r}' for word, name in columns.items())}.",
        )
    inputs = [column.name for column in task.columns if column.role == "input" and column.name in values]
    reference = next(column.name for column in task.columns if column.role == "reference")
    references = [values[reference][row] for row in usable]
    labels = tuple(sorted(set(references))) if task.labelled else ()
    if spec.sample is not None:
        usable = [usable[position] for position in draw(references, spec.sample, task.labelled)]
    ids, repeated = _ids(frame, columns)
    rows = EvalSet(
        id="",
        task=task.name,
        ids=tuple(ids[row] for row in usable),
        inputs=tuple({word: values[word][row] for word in inputs} for row in usable),
        references=tuple(values[reference][row] for row in usable),
        labels=labels,
        extras=_extras(frame, columns, usable),
        skipped=tuple(sorted((*table.dropped, *skipped), key=lambda skip: skip.row)),
        positions=tuple(int(frame.index[row]) for row in usable),
    )
    evalset = replace(rows, id=codec.identity([rows.task, rows.inputs, rows.references, rows.labels]))
    pinned = replace(
        spec, revision=table.revision, reader=spec.reader or table.reader, columns=columns, labels=label_names
    )
    return Loaded(pinned, evalset, (*table.notes, *_notes(frame, spec, task, columns, evalset, repeated)))


def preview(table: Table, task: Task, columns: Mapping[str, str | int] | None = None, n: int = 5) -> pd.DataFrame:
    """The first rows under the task's words, as a page shows them before anything is confirmed.

    Raises:
        DatasetMismatch: A column is not there.
    """
    resolved = resolve_columns(task, table.frame, columns)
    head = table.frame.head(n)
    return pd.DataFrame({word: head[name].to_numpy() for word, name in resolved.items()}, index=head.index)


def unusable_in_words(skipped: Sequence[SkippedRow], total: int) -> str:
    """How many rows are not scored, and why, in a sentence."""
    counts = Counter(skip.reason for skip in skipped)
    listed = ", ".join(f"{count:,} × {reason}" for reason, count in counts.most_common(5))
    return f"{len(skipped):,} of {total:,} rows cannot be used and are not scored: {listed}."


def _label_names(table: Table, spec: DatasetSpec, task: Task, columns: Mapping[str, str | int]) -> dict[str, str]:
    """Value in the file → label name: what the plan says, else what the data set declares."""
    if spec.labels or not task.labelled:
        return {str(value): str(name) for value, name in spec.labels.items()}
    declared = [table.label_names.get(columns[column.name], ()) for column in task.columns if column.kind == "label"]
    return {str(number): name for names in declared for number, name in enumerate(names)}


def _cells(series: pd.Series, column: Column, label_names: Mapping[str, str]) -> list[Any]:
    """A column's values, one per row: None where missing, labels as text under their names."""
    values = [None if is_missing(value) else _plain(value) for value in series.tolist()]
    if column.kind != "label":
        return [_without_blanks(value) if isinstance(value, list) else value for value in values]
    labels = [_label(value) for value in values]
    texts = {label for label in labels if isinstance(label, str)}
    # A whole column of `0.0`, `1.0` comes from a program that stored whole numbers as floats.
    if all(_INTEGER.fullmatch(text) for text in texts):
        labels = [label.partition(".")[0] if isinstance(label, str) else label for label in labels]
    if label_names:  # -1 is how the Hub marks a row whose class is not published
        labels = [None if label == "-1" and "-1" not in label_names else label for label in labels]
    return [label_names.get(label, label) if isinstance(label, str) else label for label in labels]


def _without_blanks(texts: list[Any]) -> list[Any]:
    return [text for text in texts if not is_missing(text)]


def _label(value: Any) -> Any:
    """Numbers and truth values as text, 1.0 as `1`; what is no label at all stays as it is."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str | int | float):
        return value
    text = str(value).strip()
    return None if text.casefold() in MISSING_LABELS else text


def _plain(value: Any) -> Any:
    """The value as JSON knows it, where it can be one."""
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _sound(text: str) -> str:
    """JSON can hold halves of characters, which no tokenizer and no UTF-8 file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _sort_out(index: Sequence[int], task: Task, values: Mapping[str, list[Any]]) -> tuple[list[int], list[SkippedRow]]:
    """Places of the rows that can be used, and the others with the reason."""
    columns = [column for column in task.columns if column.name in values]
    usable, skipped = [], []
    for place, row in enumerate(index):
        reason = next((why for column in columns if (why := _unusable(column, values[column.name][place]))), None)
        if reason is None:
            usable.append(place)
        else:
            shown = {column.name: _shown(values[column.name][place]) for column in columns}
            skipped.append(SkippedRow(int(row), reason, shown))
    return usable, skipped


def _unusable(column: Column, value: Any) -> str | None:
    if value is None:
        if not column.required:
            return None
        return f"{'missing' if column.kind == 'label' else 'empty'} {column.name}"
    if isinstance(value, str):
        return None
    if column.kind == "texts" and isinstance(value, list):
        if not all(isinstance(text, str) for text in value):
            return f"{column.name} is not a list of texts"
        return None if value else f"empty {column.name}"
    return f"{column.name} is a {type(value).__name__}, not a text"


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else str(value)[:SHOWN]


def _ids(frame: pd.DataFrame, columns: Mapping[str, str | int]) -> tuple[list[str], int]:
    """An id for each row, and how many had to be changed because an earlier row has the same."""
    taken = set(columns.values())
    names = {str(name).strip().casefold(): name for name in reversed(frame.columns) if name not in taken}
    column = next((names[name] for name in ID_COLUMNS if name in names), None)
    rows = [str(row) for row in frame.index]
    if column is None:
        return rows, 0
    wished = [
        row if is_missing(value) else str(_label(_plain(value)))
        for row, value in zip(rows, frame[column].tolist(), strict=True)
    ]
    ids: list[str] = []
    seen: set[str] = set()
    count: Counter[str] = Counter()
    for wish in wished:
        name = wish
        while name in seen:
            count[wish] += 1
            name = f"{wish}#{count[wish] + 1}"
        seen.add(name)
        ids.append(name)
    return ids, sum(name != wish for name, wish in zip(ids, wished, strict=True))


def _extras(frame: pd.DataFrame, columns: Mapping[str, str | int], places: Sequence[int]) -> dict[str, tuple[Any, ...]]:
    """The other columns, as far as they hold plain values."""
    extras: dict[str, tuple[Any, ...]] = {}
    for name in frame.columns:
        if name in columns.values() or len(extras) == MAX_EXTRAS:
            continue
        cells = frame[name].tolist()
        values = tuple(None if is_missing(cells[place]) else _plain(cells[place]) for place in places)
        if all(value is None or isinstance(value, str | int | float) for value in values):
            extras[str(name)] = values
    return extras


def _notes(
    frame: pd.DataFrame,
    spec: DatasetSpec,
    task: Task,
    columns: Mapping[str, str | int],
    evalset: EvalSet,
    repeated: int,
) -> Iterator[str]:
    given = {word: name for word, name in columns.items() if word in spec.columns}
    for guess in guess_columns(task, frame, given):
        if guess.column is not None:
            yield f"Column {guess.column!r} is taken for {guess.word!r}: {guess.reason}. Set `columns:` to change that."
    if evalset.skipped:
        yield unusable_in_words(evalset.skipped, len(frame))
    if repeated:
        yield f"{repeated:,} rows repeat the id of an earlier row; they were numbered, as in `7#2`."
    if task.labelled and len(evalset.labels) == 1:
        yield f"Every row has the label {evalset.labels[0]!r}: no score can tell the candidates apart by class."
    if task.labelled and len(evalset.labels) > max(20, len(frame) / 2):
        yield f"There are {len(evalset.labels):,} different labels in {len(frame):,} rows. Is this the label's column?"
