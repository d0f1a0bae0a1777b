"""Text of strangers made safe for the place it goes to."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# What spreadsheets take for the start of a formula, full-width forms included (OWASP, "CSV Injection").
_FORMULA = tuple("=+-@\t\r＝＋－＠")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&!$])")


def slug(name: str, longest: int = 80) -> str:
    """A file name made of `A-Z a-z 0-9 . _ -` alone, never empty, never starting with a dot."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:longest].rstrip("-._") or "export"


def cell(value: Any) -> Any:
    """A CSV cell that no spreadsheet runs as a formula. Numbers stay numbers, None is empty."""
    if isinstance(value, str) and value.lstrip(" \n").startswith(_FORMULA):
        return "'" + value
    return value


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """CSV with a header, UTF-8, every cell safe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)  # RFC 4180: lines end in CR LF
    writer.writerow([cell(column) for column in columns])
    writer.writerows([cell(row.get(column)) for column in columns] for row in rows)
    return buffer.getvalue().encode()


def one_line(value: str) -> str:
    """The text without line breaks or other control characters, for comments in generated files."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def markdown(value: Any) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", one_line(str(value)))
