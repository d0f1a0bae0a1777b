"""Reads a mapping that a person wrote: every key must be known, every value of its kind, and a slip gets its answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from core.errors import PlanError, UserError

T = TypeVar("T")

_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def suggestion(name: str, known: Collection[str]) -> str:
    """The nearest known name as a question, or all of them."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."


def located(where: str, lookup: Callable[[str], T], name: str) -> T:
    """`lookup(name)`, its UserError told as one of the plan, with the place."""
    try:
        return lookup(name)
    except UserError as error:
        raise PlanError(f"{where}: {error.message}", error.hint) from None


class Fields:
    """One mapping of the plan file, read key by key. Methods raise PlanError for a value of the wrong kind.

    Args:
        where: How messages call it: `dataset.sample`; empty for the file itself.
        data: What the file holds there.
        known: Every key that may stand in it.
    """

    def __init__(self, where: str, data: Any, known: Collection[str]) -> None:
        if not isinstance(data, Mapping):
            raise _wrong(where or "The plan", "keys with values", data, f"Keys: {', '.join(sorted(known))}.")
        self._where = where
        self._data = {str(key): value for key, value in data.items()}
        for key in self._data:
            if key not in known:
                raise PlanError(f"Unknown key {key!r} in {where or 'the plan'}.", suggestion(key, known))

    def path(self, key: str) -> str:
        """How messages call a key."""
        return f"{self._where}.{key}" if self._where else key

    def has(self, key: str) -> bool:
        """Whether the key is there and not empty."""
        return self._data.get(key) is not None

    def raw(self, key: str) -> Any:
        """The value as the file has it; None where the key is missing."""
        return self._data.get(key)

    def given(self, keys: Collection[str]) -> Iterator[str]:
        """Those of `keys` that are there, in the file's order."""
        return (key for key in self._data if key in keys)

    def text(self, key: str) -> str | None:
        """A text; a number or a date must be in quotes, because YAML would change it (`0123` is 83)."""
        value = self._data.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise _wrong(self.path(key), "text", value, "Put it in quotes.")

    def required_text(self, key: str) -> str:
        """A text that must be there."""
        value = self.text(key)
        if value is None:
            raise PlanError(f"{self._where or 'The plan'} lacks the key {key!r}.", f"Add `{key}: …`.")
        return value

    def choice(self, key: str, choices: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self.text(key) or default
        if value not in choices:
            raise PlanError(f"{self.path(key)} is {value!r}, which is not known.", f"Use one of: {', '.join(choices)}.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, each once; a single one may stand alone."""
        value = self._data.get(key)
        items = [value] if isinstance(value, str) else value or []
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item for item in items):
            raise _wrong(self.path(key), "a list of names", value, "Write it as [first, second].")
        return tuple(dict.fromkeys(items))

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self._data.get(key)
        if not isinstance(value, list | tuple):
            raise _wrong(self.path(key), "a list", value, "Begin each entry with a dash.")
        return list(value)

    def names(self, key: str) -> dict[str, str]:
        """Text → text. Numbers are taken as they are written: labels are often `0` and `1`."""
        mapping = self._mapping(key)
        for name, value in mapping.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise _wrong(f"{self.path(key)}.{name}", "a name", value, "")
        return {name: str(value) for name, value in mapping.items()}

    def columns(self, key: str) -> dict[str, str | int | None]:
        """Task's word → column name, or position from 0 where the file has no header; None where there is none."""
        mapping = self._mapping(key)
        for name, value in mapping.items():
            if isinstance(value, bool) or not isinstance(value, str | int | None) or value == "":
                raise _wrong(f"{self.path(key)}.{name}", "a column's name or position", value, "")
        return mapping

    def integer(self, key: str, default: int, least: int = 1) -> int:
        """A whole number, not below `least`."""
        value = self._data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _wrong(self.path(key), f"a whole number of at least {least}", value, "")
        return value

    def optional_integer(self, key: str, least: int = 1) -> int | None:
        """A whole number, or None where the key is missing."""
        return self.integer(key, least, least) if self.has(key) else None

    def integers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Whole numbers from 1, each once."""
        value = self._data.get(key, default)
        items = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, bool) or not isinstance(item, int) or item < 1 for item in items):
            raise _wrong(self.path(key), "a list of whole numbers from 1", value, "Write it as [1, 8].")
        return tuple(dict.fromkeys(items))

    def number(self, key: str) -> float | None:
        """A finite number that is not negative, or None where the key is missing."""
        value = self._data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise _wrong(self.path(key), "a number that is not negative", value, "")
        return float(value)

    def seconds(self, key: str, default: float) -> float:
        """A duration: seconds, or `90s`, `30m`, `1h30m`."""
        value = self._data.get(key, default)
        if isinstance(value, str):
            match = _DURATION.fullmatch(value.replace(" ", ""))
            parts = {unit: float(text) for unit, text in match.groupdict().items() if text} if match else {}
            value = sum(_SECONDS[unit] * amount for unit, amount in parts.items()) if parts else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise _wrong(self.path(key), "a duration", value, "Write seconds, or 90s, 30m, 1h30m.")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise _wrong(self.path(key), "true or false", value, "")
        return value

    def _mapping(self, key: str) -> dict[str, Any]:
        value = self._data.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise _wrong(self.path(key), "keys with values", value, "Write it as {this: that}.")
        return {str(name): item for name, item in value.items()}


def _wrong(where: str, wanted: str, found: Any, hint: str) -> PlanError:
    shown = "nothing" if found is None else repr(found)
    return PlanError(f"{where} must be {wanted}; found {shown[:80]}.", hint)
