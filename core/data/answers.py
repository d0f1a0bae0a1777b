"""What a cell of a predictions file says, as an answer of the task's kind."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.data.table import is_missing

WRITTEN = frozenset({"answers", "texts", "transcript", "continuation"})
"""Kinds of which an empty text is an answer, not a missing one; so it is of `labels`, where it is none of them."""

_ITEM = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[+-]?\d+(?:\.\d+)?)"""
_PYTHON_LIST = re.compile(rf"\[\s*(?:{_ITEM}\s*(?:,\s*{_ITEM}\s*)*,?\s*)?\]")
"""A flat list as Python writes it, which is how pandas saves lists in CSV."""


def answer(kind: str, cell: Any, labels: Mapping[str, str]) -> Any:
    """The answer in a cell; None where it says nothing, or nothing of that kind.

    Args:
        kind: Of the task's references.
        cell: As the file has it.
        labels: Value in the file → label name of the data set.
    """
    if isinstance(cell, str) and kind in WRITTEN:
        return cell.strip()
    if is_missing(cell):
        return [] if isinstance(cell, str) and kind == "labels" else None
    value = _READ[kind](listed(cell))
    if kind == "label":
        return labels.get(value, value)
    if kind == "labels":
        return sorted({labels.get(name, name) for name in value}) if value is not None else None
    return value


def class_order(names: Sequence[str], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Label names in order of class number, which is how other programs order probabilities.

    What `labels` says of the numbers 0, 1, … counts; labels that are numbers stand at their own places; others are
    ordered by name.
    """
    if named := [labels[str(number)] for number in range(len(labels)) if str(number) in labels]:
        return tuple(named)
    if names and all(name.isdecimal() for name in names):
        return tuple(map(str, range(max(map(int, names)) + 1)))
    return tuple(sorted(names))


def class_probabilities(cell: Any, order: Sequence[str]) -> dict[str, float]:
    """Label name → probability; empty where the cell holds nothing of that kind.

    Args:
        cell: A list in order of the class number, or a mapping by name; either may be JSON text.
        order: As `class_order` gives it.
    """
    cell = listed(cell)
    if isinstance(cell, list) and len(cell) >= len(order):
        cell = dict(zip([*order, *map(str, range(len(order), len(cell)))], cell, strict=True))
    if not isinstance(cell, Mapping):
        return {}
    shares = {str(name): _number(value) for name, value in cell.items()}
    return {} if None in shares.values() else {name: share for name, share in shares.items() if share is not None}


def listed(cell: Any) -> Any:
    """Arrays as lists, and lists and mappings that were saved as text, by JSON or by pandas, as what they are."""
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except ValueError:
            return _python_list(cell.strip()) or cell
        except RecursionError:
            return cell
    return cell


def _python_list(text: str) -> list[Any] | None:
    # Only what the pattern knows: Python would take `['a' 'b']`, which NumPy writes, for the single text `ab`.
    if not _PYTHON_LIST.fullmatch(text):
        return None
    try:
        return list(ast.literal_eval(text))
    except (ValueError, SyntaxError):  # an escape or a number that Python does not have
        return None


def _text(cell: Any) -> str | None:
    """One text; of a list the first."""
    if isinstance(cell, Mapping):
        cell = cell.get("text")
    if isinstance(cell, list):
        cell = cell[0] if cell else ""
    return cell if isinstance(cell, str) else None if cell is None or isinstance(cell, list | Mapping) else str(cell)


def _label(cell: Any) -> str | None:
    """A label's name, 1.0 as `1`."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() if isinstance(cell, str | int | float) else None


def _labels(cell: Any) -> list[str] | None:
    """Several labels: a list, or names between commas, bars or semicolons."""
    if isinstance(cell, str):
        mark = next((mark for mark in "|;," if mark in cell), ",")
        cell = [part for part in cell.split(mark) if part.strip()]
    if isinstance(cell, int | float):
        cell = [cell]
    if not isinstance(cell, list):
        return None
    names = [_label(one) for one in cell]
    return None if None in names else [name for name in names if name is not None]


def _tags(cell: Any) -> list[str] | None:
    if isinstance(cell, str):
        cell = cell.split()
    return [str(tag) for tag in cell] if isinstance(cell, list) else None


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    # Python alone takes `1_0` for ten.
    return number if math.isfinite(number) and "_" not in str(cell) else None


def _boxes(cell: Any) -> list[Any] | None:
    return cell if isinstance(cell, list) and all(isinstance(one, Mapping) and "box" in one for one in cell) else None


def _mask(cell: Any) -> Any:
    return cell if isinstance(cell, Mapping) and {"size", "runs"} <= cell.keys() else None


_READ: Mapping[str, Callable[[Any], Any]] = {
    "label": _label,
    "labels": _labels,
    "tags": _tags,
    "answers": _text,
    "texts": _text,
    "transcript": _text,
    "number": _number,
    "word": _text,
    "continuation": _text,
    "boxes": _boxes,
    "mask": _mask,
}
