"""How the command line prints: tables for people, one JSON document for programs, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(soft_wrap=True, highlight=False)
progress_console = Console(stderr=True, highlight=False)


def print_json(document: Any) -> None:
    """One document; NaN is a bug, so it raises ValueError."""
    print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table of texts, as they are: nothing in them is markup. `right`: columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # As wide as it needs when it goes into a file or a pipe.
    Console(highlight=False, width=None if console.is_terminal else 200).print(table)


def say(text: str) -> None:
    """A line for the person, on stderr, so that stdout stays the result."""
    progress_console.print(Text(text), soft_wrap=True)
