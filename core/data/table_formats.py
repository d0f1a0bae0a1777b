"""Formats of tables: CSV, TSV, JSON, Parquet, NumPy's arrays. A reader is a function from bytes to rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pandas as pd

from core.data.delimited import decode, read_delimited
from core.data.squad import is_squad, squad_frame
from core.data.table import MAX_UNPACKED_BYTES, Content, Names, check_bytes, check_rows
from core.errors import UnreadableFile


def read_csv(data: bytes, named: Names = ()) -> Content:
    """Comma-separated values, or whatever separates them."""
    return _delimited(data, ",", named)


def read_tsv(data: bytes, named: Names = ()) -> Content:
    """Tab-separated values."""
    return _delimited(data, "\t", named)


def _delimited(data: bytes, delimiter: str, named: Names) -> Content:
    text, notes = decode(data)
    frame, header, more, dropped = read_delimited(text, delimiter, named)
    return Content(frame, header, (*notes, *more), tuple(dropped))


def read_json(data: bytes, named: Names = ()) -> Content:
    """Records, columns, `{"data": [...]}`, SQuAD's or a plain list of values; also JSON lines under a wrong ending."""
    text, notes = decode(data)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            lines = read_jsonl(data)
            return Content(lines.frame, notes=(*lines.notes, "The file holds one JSON object per line."))
        raise _not_json(error) from None
    except RecursionError:
        raise UnreadableFile("The JSON is nested too deeply.", "Give a list of objects, one per row.") from None
    return _frame(squad_frame(content), notes) if is_squad(content) else _from_json(content, notes)


def read_squad(data: bytes, named: Names = ()) -> Content:
    """The official files of SQuAD, and others of their form."""
    text, notes = decode(data)
    try:
        return _frame(squad_frame(json.loads(text)), notes)
    except json.JSONDecodeError as error:
        raise _not_json(error) from None


def _not_json(error: json.JSONDecodeError) -> UnreadableFile:
    return UnreadableFile(
        f"The file is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.", "Repair or re-export it."
    )


def _from_json(content: Any, notes: tuple[str, ...]) -> Content:
    if isinstance(content, list):
        return _from_list(content, notes)
    if isinstance(content, Mapping):
        lists = {key: value for key, value in content.items() if isinstance(value, list)}
        tables = [key for key, value in lists.items() if value and all(isinstance(row, dict) for row in value)]
        inner = "data" if "data" in tables else tables[0] if len(tables) == 1 else None
        if inner is not None:
            return _from_list(
                lists[inner], (*notes, f"The rows were found under {inner!r}.") if inner != "data" else notes
            )
        lengths = {len(value) for value in lists.values()}
        if lists and len(lists) == len(content) and len(lengths) == 1:
            return _frame(pd.DataFrame({key: pd.Series(value, dtype=object) for key, value in lists.items()}), notes)
        found = ", ".join(map(repr, list(content)[:8]))
        raise UnreadableFile(f"The JSON object with {found} is not a table.", _SHAPES)
    raise UnreadableFile(f"The JSON holds a single {type(content).__name__}, not a table.", _SHAPES)


_SHAPES = 'Give [{…}, {…}], {"column": […], …} with lists of equal length, or {"data": [{…}, …]}.'


def _from_list(rows: list[Any], notes: tuple[str, ...]) -> Content:
    if rows and all(isinstance(row, dict) for row in rows):
        return _frame(pd.DataFrame(rows, dtype=object), notes)
    if rows and all(isinstance(row, list) for row in rows):
        return _frame(pd.DataFrame(rows, dtype=object), notes, header=False)
    if rows and not any(isinstance(row, dict | list) for row in rows):
        return _frame(pd.DataFrame({0: pd.Series(rows, dtype=object)}), notes, header=False)
    if not rows:
        raise UnreadableFile("The JSON holds no rows.", _SHAPES)
    raise UnreadableFile("The JSON list mixes objects with other values.", _SHAPES)


def _frame(frame: pd.DataFrame, notes: tuple[str, ...], header: bool = True) -> Content:
    check_rows(len(frame))
    if frame.empty:
        raise UnreadableFile("The file has no rows.", "Choose a file with at least one row.")
    return Content(frame, header, notes)


def read_jsonl(data: bytes, named: Names = ()) -> Content:
    """One JSON object per line."""
    text, notes = decode(data)
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            raise UnreadableFile(f"Line {number:,} is not JSON: {error}.", "Repair or remove that line.") from None
    if len(rows) == 1 and (isinstance(rows[0], list) or any(isinstance(value, list) for value in rows[0].values())):
        return _from_json(rows[0], notes)
    return _from_list(rows, notes)


def read_parquet(data: bytes, named: Names = ()) -> Content:
    """Apache Parquet, unpacked in pieces so that a file that expands without end is refused in time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not data:
        raise UnreadableFile("The file is empty.", "Choose a file with at least one row.")
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        check_rows(file.metadata.num_rows)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        check_bytes(sum(group.total_byte_size for group in groups), "Unpacked, the file", MAX_UNPACKED_BYTES)
        batches, size = [], 0
        for batch in file.iter_batches(batch_size=1024):
            size += batch.nbytes
            check_bytes(size, "Unpacked, the file", MAX_UNPACKED_BYTES)
            batches.append(batch)
        return _frame(pa.Table.from_batches(batches, schema=file.schema_arrow).to_pandas(ignore_metadata=True), ())
    except (pa.ArrowException, OSError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise UnreadableFile(f"The file is not readable Parquet: {first}", "Export it again.") from None


def read_npy(data: bytes, named: Names = ()) -> Content:
    """An array as NumPy saves it: values (n,), or a list of values in each row (n, k); one column, without a name."""
    import numpy as np

    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UnreadableFile(f"The array cannot be read: {error}.", "Save it with numpy.save.") from None
    if array.ndim not in (1, 2):
        raise UnreadableFile(f"The array has the shape {array.shape}.", "Give (n,) or (n, k).")
    return _frame(pd.DataFrame({0: pd.Series(array.tolist(), dtype=object)}), (), header=False)
