"""CSV and TSV as they are found: any encoding, stray quotes, headers or none.

Two readings are weighed against each other: with quotes as RFC 4180 means them, and with quotes as ordinary
characters, as the TSV files of this field (GLUE among them) have them. A stray quote in a file of the second kind would
otherwise swallow every line up to the next quote.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import pandas as pd

from core.data.table import MAX_FILE_BYTES, Names, check_rows
from core.errors import UnreadableFile
from core.records import SkippedRow

DELIMITERS = (",", "\t", ";", "|")
COMMON_NAMES = frozenset(
    {"text", "sentence", "sentence1", "sentence2", "label", "labels", "id", "idx", "category", "class", "target"}
    | {"document", "article", "dialogue", "summary", "highlights", "source", "reference", "question", "answer"}
)
"""First cells that are a header even where nothing in the rows below tells."""

_SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
}
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and notes where its encoding had to be guessed.

    Raises:
        UnreadableFile: It is empty, or not text at all.
    """
    for signature, what in _SIGNATURES.items():
        if data.startswith(signature):
            raise UnreadableFile(f"The file is {what}, not text.", "Save it as CSV, or name it by its format.")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return _not_empty(data.decode(encoding)), ()
            except UnicodeDecodeError as error:
                raise UnreadableFile(f"The file begins as {encoding} text but is not: {error}.", _AS_UTF8) from None
    if b"\0" in data[:4096]:
        raise UnreadableFile("The file holds binary data, not text.", _AS_UTF8)
    try:
        return _not_empty(data.decode()), ()
    except UnicodeDecodeError:
        pass
    text = data.decode(errors="replace")
    broken = text.count("\ufffd")
    if broken < sum(not char.isascii() for char in text) - broken:
        return text, (f"{broken:,} broken characters are shown as \ufffd; the rest is UTF-8.",)
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text, ("The file is not UTF-8; it was read as Western European (Windows-1252). Check the accents.",)


_AS_UTF8 = "Save it as UTF-8 text."


def _not_empty(text: str) -> str:
    if not text.strip():
        raise UnreadableFile("The file is empty.", "Choose a file with at least one row.")
    return text


@dataclass(frozen=True)
class Reading:
    """One way to read the lines."""

    rows: list[list[str]]
    lines: list[range]
    """The lines of each row, counted from 0; blank lines belong to none."""
    quotes: bool
    misplaced: int | None = None
    """Line near the first quote that does not stand where RFC 4180 has it."""

    @property
    def width(self) -> int:
        """Cells of most rows."""
        return Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0

    def odd_lines(self) -> int:
        """Lines in rows that are not as wide as most, or that a misplaced quote may have joined."""
        width = self.width
        return sum(
            len(lines)
            for row, lines in zip(self.rows, self.lines, strict=True)
            if len(row) != width or (len(lines) > 1 and self.misplaced is not None)
        )


def read_delimited(
    text: str, preferred: str, named: Names = ()
) -> tuple[pd.DataFrame, bool, list[str], list[SkippedRow]]:
    """A frame of texts; an empty cell is an empty text.

    Args:
        text: The file.
        preferred: The delimiter its ending promises.
        named: Columns that the plan names.

    Returns:
        The frame (index: position in the file), whether it has a header, notes, and lines that fit no column.

    Raises:
        UnreadableFile: There is no row in it.
    """
    notes: list[str] = []
    delimiter = _delimiter(text, preferred)
    reading = _read(text, delimiter)
    if inner := _unwrapped(reading, delimiter):
        notes.append(f"Every line was exported twice, as one cell between {delimiter!r}; it was unpacked.")
        delimiter = _delimiter(inner, ",")
        reading = _read(inner, delimiter)
    if delimiter != preferred:
        notes.append(f"The columns are separated by {delimiter!r}.")
    if not reading.quotes:
        notes.append("Quotation marks were read as ordinary characters: as quotes they would join or cut lines.")
    elif reading.misplaced is not None:
        joined = sum(len(lines) > 1 for lines in reading.lines)
        notes.append(
            f"Quotation marks are misplaced, first near line {reading.misplaced:,}: rows may have run together. "
            f"Rows of several lines: {joined:,}."
        )
    rows, dropped = _fit(reading)
    check_rows(len(rows))
    header = bool(rows) and _has_header([row for _, row in islice(rows, 2000)], named)
    if len(rows) <= header:
        raise UnreadableFile("The file has no rows.", "Choose a file with at least one row.")
    if header:
        first = rows.pop(0)[1]
        if len(reading.rows[0]) == len(first) - 1:  # R leaves out the name of the row numbers
            first = ["", *first[:-1]]
        names: list[str | int] = list(_names(first))
    else:
        names = list(range(len(rows[0][1])))
        notes.append("No header found: the columns are named by position, 0, 1, …")
    # Positions in the file count from the first row below the header.
    positions = [position - header for position, _ in rows]
    dropped = [SkippedRow(skip.row - header, skip.reason, skip.values) for skip in dropped]
    if dropped:
        notes.append(f"Rows with more than {len(names)} cells are left out: {len(dropped):,}.")
    frame = pd.DataFrame([row for _, row in rows], columns=names, index=positions, dtype="str")
    return frame, header, notes, dropped


def _delimiter(text: str, preferred: str) -> str:
    """The preferred delimiter where the first lines agree on it, else the one on which most of them agree."""
    head = text[:200_000]
    if len(text) > len(head):
        head = head.rpartition("\n")[0] or head

    def agreement(delimiter: str) -> float:
        reading = _read(head, delimiter)
        rows = reading.rows[:500]
        if not rows or len(rows[0]) < 2:
            return 0.0
        return sum(len(row) == len(rows[0]) for row in rows) / len(rows)

    if agreement(preferred) >= 0.5:
        return preferred
    best = max(DELIMITERS, key=agreement)
    return best if agreement(best) > 0 else preferred


def _read(text: str, delimiter: str) -> Reading:
    """The reading that leaves fewer lines odd; quotes are believed where both are as good."""
    if "\n" not in text:  # line ends of old Macs
        text = text.replace("\r", "\n")
    plain = _read_plain(text, delimiter)
    if '"' not in text:
        return replace(plain, quotes=True)
    quoted = _read_quoted(text, delimiter)
    if not quoted.rows or plain.odd_lines() < quoted.odd_lines():
        return plain
    if plain.width > 1 and not plain.odd_lines() and _joined_rows_of_their_own(quoted, plain, delimiter):
        return plain
    return quoted


def _joined_rows_of_their_own(quoted: Reading, plain: Reading, delimiter: str) -> bool:
    """Whether the lines that quotes join are rows in their own right.

    All lines have the same number of cells here. Tabs within a quoted cell are unheard of, so in a TSV file they are.
    Elsewhere the cells must look like those of the other lines: some column repeats values of theirs in every one.
    """
    inside = {line for lines in quoted.lines if len(lines) > 1 for line in lines}
    joined = [row for row, lines in zip(plain.rows, plain.lines, strict=True) if lines.start in inside]
    other = [row for row, lines in zip(plain.rows, plain.lines, strict=True) if lines.start not in inside]
    if not joined or delimiter == "\t":
        return bool(joined)
    for column in range(plain.width):
        known = {row[column] for row in other[1:]}
        if all(row[column] in known for row in joined):
            return True
    return False


def _read_plain(text: str, delimiter: str) -> Reading:
    lines = {number: cut for number, line in enumerate(text.split("\n")) if (cut := line.rstrip("\r"))}
    rows = [line.split(delimiter) for line in lines.values()]
    return Reading(rows, [range(number, number + 1) for number in lines], quotes=False)


def _read_quoted(text: str, delimiter: str, misplaced: int | None = None) -> Reading:
    csv.field_size_limit(MAX_FILE_BYTES)  # the default refuses cells of 131,072 characters
    strict = misplaced is None
    reader = csv.reader((line + "\n" for line in text.split("\n")), delimiter=delimiter, strict=strict)
    rows: list[list[str]] = []
    lines: list[range] = []
    before = 0
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(range(before, reader.line_num))
            before = reader.line_num
    except csv.Error:
        if not strict:  # a carriage return within a line, which no reading with quotes accepts
            return Reading([], [], quotes=True, misplaced=misplaced)
        return _read_quoted(text, delimiter, misplaced=before + 1)
    return Reading(rows, lines, quotes=True, misplaced=misplaced)


def _unwrapped(reading: Reading, delimiter: str) -> str | None:
    """The file within the file, where a spreadsheet saved each line of a CSV file as one cell of a row."""
    first = reading.rows[0] if reading.rows else []
    if len(first) < 2 or any(first[1:]) or not any(mark in first[0] for mark in DELIMITERS if mark != delimiter):
        return None
    return "\n".join(delimiter.join(row).rstrip(delimiter) for row in reading.rows)


def _fit(reading: Reading) -> tuple[list[tuple[int, list[str]]], list[SkippedRow]]:
    """Rows of equal width with their positions; short ones are filled with empty cells, longer ones are dropped."""
    width = max(reading.width, len(reading.rows[0]) if reading.rows else 0)
    rows: list[tuple[int, list[str]]] = []
    dropped: list[SkippedRow] = []
    for position, row in enumerate(reading.rows):
        if len(row) > width and any(row[width:]):
            reason = f"{len(row)} cells where the other rows have {width}"
            dropped.append(SkippedRow(position, reason, {"line": "…".join(cell[:80] for cell in row[:4])}))
        else:
            rows.append((position, row[:width] + [""] * (width - len(row))))
    return rows, dropped


def _has_header(rows: Sequence[list[str]], named: Names) -> bool:
    """Whether the first row names the columns: it differs in kind from the rows below, or reads like names."""
    first, body = rows[0], rows[1:]
    cells = [cell.strip() for cell in first]
    names = [name for name in named if isinstance(name, str)]
    if names and all(name in cells for name in names):
        return True
    if any(_NUMBER.fullmatch(cell) for cell in cells):
        return False
    if all(cell.casefold() in COMMON_NAMES for cell in cells):
        return True
    columns = [[row[index].strip() for row in body if row[index].strip()] for index in range(len(cells))]
    # A name may be empty above row numbers, but a column with gaps may as well begin with one.
    named_numbers = [column for cell, column in zip(cells, columns, strict=True) if cell or len(column) == len(body)]
    if any(cell in column and _repeats([cell, *column]) for cell, column in zip(cells, columns, strict=True)):
        return False
    if any(cell.casefold() in COMMON_NAMES for cell in cells):
        return True
    if any(column and all(map(_NUMBER.fullmatch, column)) for column in named_numbers):
        return True
    if not all(len(cell) <= 40 and len(cell.split()) <= 3 for cell in cells):
        return False
    if any(map(_repeats, columns)):
        return True
    # Nothing but the look of the cells is left, and a plan that counts columns means that they have no names.
    return bool(body) and not (named and not names)


def _repeats(column: Sequence[str]) -> bool:
    """Whether a column holds few values again and again, as labels do."""
    return len(column) > 1 and len(set(column)) <= len(column) * 2 / 3


def _names(cells: Sequence[str]) -> list[str]:
    """Header cells as unique column names; `column 2` where one is empty."""
    seen: Counter[str] = Counter()
    names = []
    for index, cell in enumerate(cells):
        name = cell.strip() or f"column {index}"
        names.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names
