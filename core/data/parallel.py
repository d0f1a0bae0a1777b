"""Texts side by side: files of equally many lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from core.data.delimited import decode
from core.data.folder import files_below, folder_of
from core.data.line_formats import split_lines
from core.data.table import Content, Names, check_rows, read_bytes, unpack
from core.errors import UnreadableFile


def read_parallel(path: Path, named: Names = ()) -> Content:
    """Files of equally many lines, one text or label per line: the columns are the files' names.

    Only files that the plan names are read; files ending in .gz are unpacked. A name with `*` or `?` stands for several
    files, which are several references of each row. So are lines that stand together, where blank lines part them and
    there are as many groups as other files have lines.
    """
    folder = folder_of(path)
    names = [str(name) for name in dict.fromkeys(named)]
    if not names:
        found = ", ".join(sorted(file.name for file in files_below(folder))[:20]) or "none"
        raise UnreadableFile(
            f"Parallel files must be named. Files found: {found}.",
            "columns: {text: …, label: …}, each with a file's name",
        )
    groups = {name: _matching(folder, name) for name in names}
    lines = _grouped({file: _lines(file) for files in groups.values() for file in files})
    counts = {file.name: len(texts) for file, texts in lines.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
        raise UnreadableFile(f"The files do not have equally many lines ({listed}).", "Name files of the same rows.")
    check_rows(max(counts.values()))
    columns = {name: _together([lines[file] for file in files]) for name, files in groups.items()}
    return Content(pd.DataFrame(columns), files=tuple(lines))


def _matching(folder: Path, name: str) -> list[Path]:
    """The file of that name, or the files that the pattern fits."""
    files = {file.relative_to(folder).as_posix(): file for file in files_below(folder)}
    if name in files:
        return [files[name]]
    found = [file for relative, file in files.items() if fnmatchcase(relative, name)] if set(name) & set("*?[") else []
    if not found:
        listed = ", ".join(list(files)[:20]) or "none"
        raise UnreadableFile(f"There is no file {name!r} in the folder. Found: {listed}.", "Name one of these.")
    return found


def _grouped(lines: Mapping[Path, list[str]]) -> dict[Path, list[Any]]:
    """Files of more lines than the shortest as groups between blank lines, where these are as many as it has lines."""
    rows = min(map(len, lines.values()))
    groups = {
        file: [list(group) for filled, group in groupby(texts, key=lambda text: bool(text.strip())) if filled]
        for file, texts in lines.items()
        if len(texts) > rows
    }
    return {file: groups[file] if 1 < len(groups.get(file, ())) == rows else texts for file, texts in lines.items()}


def _lines(file: Path) -> list[str]:
    try:
        text, _ = decode(unpack(read_bytes(file)))
    except UnreadableFile as error:
        raise UnreadableFile(f"{file.name}: {error.message}", error.hint) from None
    return split_lines(text)


def _together(files: Sequence[list[Any]]) -> pd.Series:
    """One column: texts, or where there are several files or groups, lists of texts."""
    if len(files) == 1 and all(isinstance(cell, str) for cell in files[0]):
        return pd.Series(files[0], dtype="str")
    rows = ((cell if isinstance(cell, list) else [cell] for cell in cells) for cells in zip(*files, strict=True))
    return pd.Series([[text for texts in row for text in texts] for row in rows], dtype=object)
