"""How the command line prints: tables for people, one JSON document for programs, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 10_000
"""Characters of a line that no terminal shows."""

console = Console(soft_wrap=True, highlight=False)
progress_console = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One document; NaN is a bug, so it raises ValueError."""
    print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table of texts, as they are: nothing in them is markup. `right`: columns of numbers.

    On a terminal the last column takes what room is left; into a file or a pipe the table is as wide as it needs.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    last = len(columns) - 1
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position in right else "left", no_wrap=position != last)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False, width=None if console.is_terminal else UNLIMITED).print(table)


def say(text: str) -> None:
    """A line for the person, on stderr, so that stdout stays the result."""
    progress_console.print(Text(text), soft_wrap=True)
