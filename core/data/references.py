"""References alone, as an `EvalSet` for scoring without a model: the inputs may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.data.evalset import ID_COLUMNS, Loaded, build
from core.data.mapping import resolve_columns
from core.data.predictions import find_column, read_answers, row_id
from core.data.table import Table, is_missing
from core.errors import DatasetMismatch
from core.records import DatasetSpec
from core.tasks.base import Column, Task, reference_column

if TYPE_CHECKING:
    import pandas as pd

SEVERAL = frozenset({"texts", "answers", "continuation"})
"""Kinds of which a row may have several references."""
REFERENCES = "references"


def load_references(
    task: Task,
    paths: Sequence[Path],
    *,
    reader: str | None = None,
    columns: Mapping[str, str | int] | None = None,
    labels: Mapping[str, str] | None = None,
    group_by: str | None = None,
) -> Loaded:
    """Read references, with the inputs where the file has them.

    Args:
        task: Says of which kind they are.
        paths: One file, or several with one reference of every row each.
        reader: Name of a reader, or `paragraphs`: lines that stand together are the references of one row.
        columns: Task's word, or `id`, → column name or position; guessed where left out.
        labels: Value in the file → label name.
        group_by: Column whose equal values make one row of several; its values are the rows' ids.

    Raises:
        UserError: A file or a column cannot be used, or no row has a reference.
    """
    columns = dict(columns or {})
    id_column = columns.pop("id", None)
    column = reference_column(task)
    tables = [read_answers(path, task, reader) for path in paths]
    others = (*ID_COLUMNS, str(id_column), str(group_by))
    names = [_reference(column, table, columns.get(column.name), others) for table in tables]
    table, name = tables[0], names[0]
    if len(tables) > 1:
        _check_several(column)
        table = replace(table, frame=_side_by_side(tables, names, paths))
        name = REFERENCES
    if group_by is not None:
        _check_several(column)
        table = replace(table, frame=_grouped(table.frame, find_column(table.frame, group_by, ()), name))
        name = REFERENCES
    elif id_column is not None:
        found = find_column(table.frame, id_column, ())
        table = replace(table, frame=table.frame.rename(columns={found: ID_COLUMNS[0]}))
    able = cast("Task", _WithoutInputs(task))
    # Named, so that nothing is said of inputs that nobody asked for.
    chosen = resolve_columns(able, table.frame, {**columns, column.name: name})
    return build(table, DatasetSpec(path=str(paths[0]), columns=chosen, labels=labels or {}), able)


class _WithoutInputs:
    """A task that can do without its inputs."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.columns = tuple(replace(one, required=one.role == "reference") for one in task.columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def _reference(column: Column, table: Table, given: str | int | None, others: Sequence[str]) -> str | int:
    """The column of the references: by name, the only one besides `others`, or the last one of CoNLL."""
    frame = table.frame
    found = find_column(frame, given, (column.name, *column.guesses, REFERENCES))
    left = [name for name in frame.columns if str(name).casefold() not in {other.casefold() for other in others}]
    if found is None and (len(left) == 1 or table.reader == "conll"):
        found = left[-1]
    if found is None:
        names = ", ".join(map(repr, frame.columns[:20]))
        raise DatasetMismatch(
            f"No column holds the references. Columns found: {names}.", f"Name it: --columns {column.name}=…"
        )
    return found


def _check_several(column: Column) -> None:
    if column.kind not in SEVERAL:
        raise DatasetMismatch(f"A row has one {column.title.lower()}, not several.", "Give one reference per row.")


def _side_by_side(tables: Sequence[Table], names: Sequence[str | int], paths: Sequence[Path]) -> pd.DataFrame:
    import pandas as pd

    counts = {path.name: len(table.frame) for path, table in zip(paths, tables, strict=True)}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
        raise DatasetMismatch(f"The files do not have equally many rows ({found}).", "Give one reference per row each.")
    cells = zip(*(table.frame[name].tolist() for table, name in zip(tables, names, strict=True)), strict=True)
    rows = [_together(row) for row in cells]
    frame = tables[0].frame.drop(columns=names[0])
    return frame.assign(**{REFERENCES: pd.Series(rows, index=frame.index, dtype=object)})


def _grouped(frame: pd.DataFrame, by: str | int | None, name: str | int) -> pd.DataFrame:
    """One row per value of a column, in order of its first occurrence, with all references of that value."""
    import pandas as pd

    groups: dict[str, list[Any]] = {}
    for value, cell in zip(frame[by].tolist(), frame[name].tolist(), strict=True):
        groups.setdefault(row_id(value), []).append(cell)
    references = pd.Series([_together(cells) for cells in groups.values()], dtype=object)
    return pd.DataFrame({ID_COLUMNS[0]: list(groups), REFERENCES: references})


def _together(cells: Sequence[Any]) -> list[Any]:
    """References in one list; those that are lists already are joined."""
    lists = [cell if isinstance(cell, list) else [cell] for cell in cells]
    return [text for one in lists for text in one if not is_missing(text)]
