"""The rows that can be scored, as an `EvalSet`, and the list of those that cannot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core import codec
from core.data.kinds import KINDS, NOTHING, Reading
from core.data.kinds import label_names as label_names_of
from core.data.mapping import guess_columns, resolve_columns
from core.data.sample import draw
from core.data.source import load_table
from core.data.table import Table, is_missing
from core.errors import DatasetMismatch
from core.records import DatasetSpec, EvalSet, SkippedRow
from core.tasks.base import Column, Task, reference_column

MAX_EXTRAS = 20
ID_COLUMNS = ("id", "idx", "guid")
SHOWN = 200
"""Characters of a value that a skipped row shows."""

_INTEGER = re.compile(r"[+-]?\d+(\.0+)?")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


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
    reading = Reading(label_names, _folder(spec))
    wanted = [column for column in task.columns if column.name in columns]
    cells = _Cells(len(frame))
    cells.read([column for column in wanted if not _is_file(column)], frame, columns, reading, range(len(frame)))
    usable, skipped = cells.sort_out(range(len(frame)), task, frame.index)
    reference = reference_column(task)
    labels = label_names_of(reference.kind, [cells.value(reference.name, row) for row in usable])
    if spec.sample is not None and usable:
        stratified = KINDS[reference.kind].stratified
        drawn = draw([cells.value(reference.name, row) for row in usable], spec.sample, stratified)
        usable = [usable[position] for position in drawn]
    # Pictures and clips are opened last: none that is not scored.
    cells.read([column for column in wanted if _is_file(column)], frame, columns, reading, usable)
    usable, broken = cells.sort_out(usable, task, frame.index)
    skipped += broken
    if not usable:
        raise DatasetMismatch(
            f"None of the {len(frame):,} rows can be used: {'; '.join(sorted(_counted(skipped)))}.",
            f"Columns taken: {', '.join(f'{word} from {name!r}' for word, name in columns.items())}.",
        )
    inputs = [column.name for column in wanted if column.role == "input"]
    ids, repeated = _ids(frame, columns)
    rows = EvalSet(
        id="",
        task=task.name,
        ids=tuple(ids[row] for row in usable),
        inputs=tuple({word: cells.value(word, row) for word in inputs} for row in usable),
        references=tuple(cells.value(reference.name, row) for row in usable),
        labels=labels,
        extras=_extras(frame, columns, usable),
        skipped=tuple(sorted((*table.dropped, *skipped), key=lambda skip: skip.row)),
        positions=tuple(int(frame.index[row]) for row in usable),
    )
    evalset = replace(rows, id=codec.identity([rows.task, _content(rows.inputs), rows.references, rows.labels]))
    left_out = {word: None for word, name in spec.columns.items() if name is None}
    pinned = replace(
        spec,
        revision=table.revision,
        reader=spec.reader or table.reader,
        columns={**columns, **left_out},
        labels=label_names,
    )
    return Loaded(pinned, evalset, (*table.notes, *_notes(frame, spec, task, columns, evalset, repeated)))


def preview(
    table: Table, task: Task, columns: Mapping[str, str | int | None] | None = None, n: int = 5
) -> pd.DataFrame:
    """The first rows under the task's words, as a page shows them before anything is confirmed.

    Raises:
        DatasetMismatch: A column is not there.
    """
    resolved = resolve_columns(task, table.frame, columns)
    head = table.frame.head(n)
    return pd.DataFrame({word: head[name].to_numpy() for word, name in resolved.items()}, index=head.index)


def unusable_in_words(skipped: Sequence[SkippedRow], total: int) -> str:
    """How many rows are not scored, and why, in a sentence."""
    counts = _counted(skipped)
    listed = ", ".join(f"{count:,} × {reason}" for reason, count in counts.most_common(5))
    return f"{len(skipped):,} of {total:,} rows cannot be used and are not scored: {listed}."


def _counted(skipped: Sequence[SkippedRow]) -> Counter[str]:
    """Reason → rows, whatever values and files it names."""
    return Counter(_QUOTED.sub("…", skip.reason) for skip in skipped)


def _label_names(table: Table, spec: DatasetSpec, task: Task, columns: Mapping[str, str | int]) -> dict[str, str]:
    """Value in the file → label name: what the plan says, else what the data set declares."""
    if spec.labels or not task.labelled:
        return {str(value): str(name) for value, name in spec.labels.items()}
    declared = table.label_names.get(columns.get(reference_column(task).name, ""), ())
    return {str(number): name for number, name in enumerate(declared)}


def _folder(spec: DatasetSpec) -> Path | None:
    """Where the files lie that rows name: beside their own file, or in the folder that they are."""
    if spec.path is None:
        return None
    path = Path(spec.path)
    return path if path.is_dir() else path.parent


def _is_file(column: Column) -> bool:
    return column.role == "input" and column.kind in ("image", "audio")


class _Cells:
    """The values of the columns, as far as they are read, and why some cannot be used."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._values: dict[str, list[Any]] = {}
        self._problems: dict[str, list[str | None]] = {}

    def value(self, word: str, row: int) -> Any:
        """None where the column is not there."""
        return self._values[word][row] if word in self._values else None

    def read(
        self,
        wanted: Sequence[Column],
        frame: pd.DataFrame,
        columns: Mapping[str, str | int],
        reading: Reading,
        rows: Sequence[int],
    ) -> None:
        """Read these columns of these rows."""
        for column in wanted:
            values, problems = _read(frame[columns[column.name]].iloc[list(rows)], column, reading)
            self._values[column.name] = [None] * self._rows
            self._problems[column.name] = [None] * self._rows
            for row, value, problem in zip(rows, values, problems, strict=True):
                self._values[column.name][row] = value
                self._problems[column.name][row] = problem

    def sort_out(self, rows: Sequence[int], task: Task, index: Sequence[int]) -> tuple[list[int], list[SkippedRow]]:
        """Those of the rows that can be used, and the others with the reason."""
        usable, skipped = [], []
        for row in rows:
            reason = self._reason(row, task)
            if reason is None:
                usable.append(row)
            else:
                values = {word: _shown(found[row]) for word, found in self._values.items()}
                skipped.append(SkippedRow(int(index[row]), reason, values))
        return usable, skipped

    def _reason(self, row: int, task: Task) -> str | None:
        problem = next((found[row] for found in self._problems.values() if found[row]), None)
        column = reference_column(task)
        reference = self.value(column.name, row)
        if problem or reference is None:
            return problem
        inputs = {word: found[row] for word, found in self._values.items() if word != column.name}
        return KINDS[column.kind].fits(reference, inputs)


def _read(series: pd.Series, column: Column, reading: Reading) -> tuple[list[Any], list[str | None]]:
    """A column's values, and why those that are None cannot be used."""
    kind = KINDS[column.kind]
    nothing = f"{'missing' if column.kind == 'label' else 'empty'} {column.name}"
    values: list[Any] = []
    problems: list[str | None] = []
    for cell in _whole_numbers(series, column):
        value, problem = kind.empty, None
        if cell is not None:
            try:
                value = kind.read(cell, reading)
            except ValueError as error:
                value, problem = None, f"{column.name} {error}" if str(error) else nothing
        elif value is NOTHING:
            value, problem = None, nothing if column.required else None
        values.append(value)
        problems.append(problem)
    return values, problems


def _whole_numbers(series: pd.Series, column: Column) -> list[Any]:
    """Plain cells; a whole column of `0.0`, `1.0` comes from a program that stored whole numbers as floats."""
    cells = [None if is_missing(value) else _plain(value) for value in series.tolist()]
    texts = {cell.strip() for cell in cells if isinstance(cell, str)}
    if column.kind == "label" and texts and all(_INTEGER.fullmatch(text) for text in texts):
        return [cell.strip().partition(".")[0] if isinstance(cell, str) else cell for cell in cells]
    return cells


def _content(inputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Inputs by what they are: a file by its hash, wherever it lies."""
    return [
        {
            word: value["sha256"] if isinstance(value, Mapping) and "sha256" in value else value
            for word, value in row.items()
        }
        for row in inputs
    ]


def _plain(value: Any) -> Any:
    """The value as JSON knows it, where it can be one."""
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
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
        row if is_missing(value) else _id(_plain(value))
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


def _id(value: Any) -> str:
    """Numbers as people write them: 1.0 is `1`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


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
    given = {word: columns.get(word) for word in spec.columns}
    for guess in guess_columns(task, frame, given):
        if guess.column is not None:
            yield f"Column {guess.column!r} is taken for {guess.word!r}: {guess.reason}. Set `columns:` to change that."
    if evalset.skipped:
        yield unusable_in_words(evalset.skipped, len(frame))
    yield from _doubts(evalset, reference_column(task))
    if repeated:
        yield f"{repeated:,} rows repeat the id of an earlier row; they were numbered, as in `7#2`."
    if task.labelled and len(evalset.labels) == 1:
        yield f"Every row has the label {evalset.labels[0]!r}: no score can tell the candidates apart by class."
    marks = [label for label in evalset.labels if label.isascii() and not any(map(str.isalnum, label))]
    if task.labelled and len(marks) == 1 < len(evalset.labels):
        yield f"The label {marks[0]!r} looks like none. To leave its rows out, write `labels: {{{marks[0]!r}: ''}}`."
    if task.labelled and len(evalset.labels) > max(20, len(frame) / 2):
        yield f"There are {len(evalset.labels):,} different labels in {len(frame):,} rows. Is this the label's column?"


def _doubts(evalset: EvalSet, reference: Column) -> Iterator[str]:
    """What looks wrong about references that can be scored all the same."""
    doubt = KINDS[reference.kind].doubt
    pairs = zip(evalset.references, evalset.inputs, strict=True)
    found = Counter(what for answer, row in pairs if answer is not None and (what := doubt(answer, row)))
    for what, count in found.items():
        yield f"{count:,} of {len(evalset.ids):,} rows have {what}."
