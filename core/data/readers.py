"""The table of all readers: those of one file, which take its bytes, and those of a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from core.data import idx
from core.data.files import IMAGES, SOUNDS
from core.data.folder import files_below
from core.data.line_formats import read_conll, read_lines, read_trn
from core.data.media_folder import read_folder
from core.data.parallel import read_parallel
from core.data.table import Content, Names
from core.data.table_formats import read_csv, read_json, read_jsonl, read_npy, read_parquet, read_squad, read_tsv
from core.errors import UnreadableFile

READERS: Mapping[str, Callable[[bytes, Names], Content]] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "squad": read_squad,
    "conll": read_conll,
    "lines": read_lines,
    "trn": read_trn,
    "npy": read_npy,
}
"""Readers of one file. They take its bytes, unpacked, and the columns that the plan names. Raise UnreadableFile."""
FOLDERS: Mapping[str, Callable[[Path, Names], Content]] = {
    "parallel": read_parallel,
    "folder": read_folder,
    "idx": idx.read_idx,
}
"""Readers of several files. They take a folder, or a file in it, and the same. Raise UnreadableFile."""
ENDINGS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".conll": "conll",
    ".conllu": "conll",
    ".iob": "conll",
    ".txt": "lines",
    ".trn": "trn",
    ".npy": "npy",
}
"""A file's ending, lower case → the reader that is used where none is named."""


def ending(path: Path) -> str:
    """A file's ending, lower case; of `rows.csv.gz` it is `.csv`."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path).suffix.lower()


def reader_of(folder: Path) -> str:
    """The reader that a folder's files speak for. Raises UnreadableFile."""
    files = files_below(folder)
    if any(idx.IMAGES in file.name for file in files):
        return "idx"
    if any(file.suffix.lower() in IMAGES | SOUNDS for file in files):
        return "folder"
    found = ", ".join(file.relative_to(folder).as_posix() for file in files[:20]) or "none"
    raise UnreadableFile(
        f"{folder.name!r} is a folder without pictures or clips. Files found: {found}.",
        "Give one file, or set `reader: parallel` and name a file for each column.",
    )
