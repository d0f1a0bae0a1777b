"""The rows as they were read, before any column has a meaning, and how much of them is accepted."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import UnreadableFile
from core.records import SkippedRow

MAX_FILE_BYTES = 200 * 10**6
"""Largest file that is read."""
MAX_UNPACKED_BYTES = 1000 * 10**6
"""Largest table in memory: a small Parquet file can unpack to any size."""
MAX_ROWS = 1_000_000

Names = Collection[str | int]
"""Columns that the plan names, by name or position: they tell whether the first line is a header."""


GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""


@dataclass(frozen=True)
class Content:
    """What a reader found in a file or a folder."""

    frame: pd.DataFrame
    header: bool = True
    notes: tuple[str, ...] = ()
    dropped: tuple[SkippedRow, ...] = ()
    files: tuple[Path, ...] = ()
    """The files of a folder that the rows come from; their names and contents are the revision."""


@dataclass(frozen=True)
class Table:
    """The rows of a file, a folder, or of a Hub data set's split."""

    frame: pd.DataFrame
    """Its index is the row's zero-based position in the file, the header not counted."""
    header: bool
    """False: the file has no header and columns are named by position, 0, 1, …"""
    revision: str
    """sha256 of the file, or of the names and contents of a folder's files, or the commit sha of the Hub data set."""
    notes: tuple[str, ...] = ()
    """What was repaired or guessed while reading, in sentences."""
    dropped: tuple[SkippedRow, ...] = ()
    """Lines that do not fit the table and are not in `frame`."""
    label_names: Mapping[str | int, tuple[str, ...]] = field(default_factory=dict)
    """Column → names of its class numbers, where the data set declares them (`ClassLabel` on the Hub)."""
    reader: str | None = None
    """Name of the reader that read it; None for the Hub."""


def read_bytes(path: Path) -> bytes:
    """A file as it is. Raises UnreadableFile: it is not there, too large, or may not be read."""
    try:
        check_bytes(path.stat().st_size, f"{path.name!r}")
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFile(
            f"There is no file {str(path)!r}.", "Check the path; a plan's paths start at its folder."
        ) from None
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}.", "Give a file you may read.") from None


def unpack(data: bytes, limit: int = MAX_FILE_BYTES) -> bytes:
    """What a gzip file holds; other bytes as they are. Raises UnreadableFile: it is broken, or larger than `limit`."""
    if not data.startswith(GZIP):
        return data
    try:
        with gzip.open(BytesIO(data)) as packed:
            unpacked = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"The gzip archive is broken: {error}.", "Pack it again.") from None
    check_bytes(len(unpacked), "Unpacked, the file", limit)
    return unpacked


def check_rows(rows: int) -> None:
    """Refuse a table of too many rows. Raises UnreadableFile."""
    if rows > MAX_ROWS:
        raise UnreadableFile(
            f"The data has {rows:,} rows; at most {MAX_ROWS:,} are read.", "Cut it to the rows that matter to you."
        )


def check_bytes(size: int, what: str, limit: int = MAX_FILE_BYTES) -> None:
    """Refuse what is too large to read. Raises UnreadableFile."""
    if size > limit:
        raise UnreadableFile(
            f"{what} has {size / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB are read.",
            "Cut it to the rows that matter to you: a few thousand tell models apart.",
        )


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing: None, NaN or blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
