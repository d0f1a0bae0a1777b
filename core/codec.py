"""Records to plain JSON values and back, and the hash that names them.

Uses cattrs for the structuring; the records themselves stay free of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


@cache
def _converter() -> Converter:
    from cattrs.preconf.json import make_converter

    converter = make_converter()
    # A whole number in a field of floats (`memory_mb: 2000`) comes back as a float: it must be hashed as one, too.
    converter.register_unstructure_hook(float, float)
    # NumPy's arrays and scalars, without importing NumPy.
    converter.register_unstructure_hook_func(lambda t: hasattr(t, "tolist"), lambda value: value.tolist())
    # Unions of plain values (`str | int`) and `Any` pass through as they are.
    converter.register_structure_hook_func(lambda t: t == str | int, lambda value, _: value)
    converter.register_structure_hook_func(lambda t: t == Mapping[str, Any], lambda value, _: dict(value))
    return converter


def encode(record: Any) -> Any:
    """A record as plain JSON values: dicts, lists, strings, numbers, None. Arrays become lists, and stay lists."""
    return _converter().unstructure(record)


def decode(cls: type[T], data: Any) -> T:
    """The record of class `cls` that `encode` gave `data` for."""
    return _converter().structure(data, cls)


def dumps(record: Any) -> str:
    """Compact JSON of a record, keys in order, so that equal records give equal text."""
    return json.dumps(encode(record), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def loads(cls: type[T], text: str) -> T:
    """The record of class `cls` that `dumps` wrote."""
    return decode(cls, json.loads(text))


def identity(record: Any, length: int = 16) -> str:
    """Hex digest that names a record by its content: equal records have equal identities."""
    return hashlib.sha256(dumps(record).encode()).hexdigest()[:length]
