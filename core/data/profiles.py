"""What columns look like, and which of them fit a kind of value: guesses where their names say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from core.data.answers import answer, listed
from core.data.files import IMAGES, SOUNDS
from core.data.table import is_missing

MAX_LABELS = 200
"""A column with more different values is not taken for labels."""
MAX_LABEL_LENGTH = 60
NOT_CONTENT = frozenset(
    {"id", "ids", "idx", "index", "count", "length", "len", "lang", "language", "date", "time", "url", "part"}
)
"""Words of a name that say that a column is about the content, not the content."""


@dataclass(frozen=True)
class Profile:
    """What a column looks like."""

    name: str | int
    values: tuple[Any, ...]
    """Those that say something; lists and mappings as such, also where they were saved as JSON text."""
    rows: int
    distinct: int
    length: float
    """Mean length of the values, characters."""

    def mostly(self, fits: Callable[[Any], bool]) -> bool:
        """Whether more than half of the values are such."""
        return 2 * sum(map(fits, self.values)) > len(self.values)

    @property
    def about(self) -> bool:
        """Whether the name says that the column is about the content, not the content."""
        return not NOT_CONTENT.isdisjoint(re.split(r"[\W_]+", str(self.name).casefold()))


@dataclass(frozen=True)
class Fitting:
    """A column that fits, and what it has."""

    name: str | int
    what: str


def profile(name: str | int, cells: Sequence[Any]) -> Profile:
    """A column by the first of its cells."""
    values = tuple(listed(cell) for cell in cells if not is_missing(cell))
    texts = [str(value) for value in values]
    length = sum(map(len, texts)) / len(texts) if texts else 0.0
    return Profile(name, values, len(cells), len(set(texts)), length)


Rule = Callable[[Sequence[Profile], int], Iterable[Fitting]]
"""Takes the columns that are left and how many are wanted; gives at most so many."""


def _files(endings: frozenset[str], what: str) -> Rule:
    def names_one(value: Any) -> bool:
        if isinstance(value, Mapping):
            return "bytes" in value or "path" in value
        return isinstance(value, str) and PurePath(value).suffix.lower() in endings

    return lambda profiles, wanted: [Fitting(one.name, what) for one in profiles if one.mostly(names_one)][:wanted]


def _boxes(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    def is_boxes(value: Any) -> bool:
        if isinstance(value, Mapping):
            return "bbox" in value
        return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping) and "box" in value[0]

    return [Fitting(one.name, "boxes") for one in profiles if one.mostly(is_boxes)][:wanted]


def _answers(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """`{"text": […], "answer_start": […]}`, the same one by one, or lists of texts."""

    def is_answers(value: Any) -> bool:
        if isinstance(value, Mapping):
            return "text" in value
        return isinstance(value, list) and all(
            "text" in one if isinstance(one, Mapping) else isinstance(one, str) for one in value
        )

    return [Fitting(one.name, "answers") for one in profiles if one.mostly(is_answers)][:wanted]


def _words_and_tags(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """Two columns of lists, or of words between spaces, that are equally long in every row; tags repeat the most."""
    lists = {one.name: [_parts(value) for value in one.values] for one in profiles}
    lengths = {
        name: tuple(map(len, parts)) for name, parts in lists.items() if parts and any(len(p) > 1 for p in parts)
    }
    for name, own in lengths.items():
        partners = [other for other, theirs in lengths.items() if theirs == own]
        if len(partners) > 1:
            by_variety = sorted(partners, key=lambda name: len({part for parts in lists[name] for part in parts}))
            words, tags = by_variety[-1], by_variety[0]
            return [Fitting(words, "words"), Fitting(tags, f"as many tags as {words!r} has words")][:wanted]
    return []


def _parts(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list) else []


def _labels(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """Lists of few names that repeat; else single ones."""
    for one in profiles:
        if one.about or not one.mostly(lambda value: isinstance(value, list) or "," in str(value)):
            continue
        found = [answer("labels", value, {}) for value in one.values]
        names = [name for labels in found if labels is not None for name in labels]
        if None not in found and 0 < len(set(names)) <= min(MAX_LABELS, len(names) / 2):
            return [Fitting(one.name, f"lists of few values that repeat ({len(set(names))})")]
    return _label(profiles, wanted)


def _label(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """Few different values, each used more than once; short. A handful of rows cannot show repetition."""
    fitting = [
        one
        for one in profiles
        if 1 <= one.distinct <= MAX_LABELS
        and one.length <= MAX_LABEL_LENGTH
        and not one.about
        and (one.distinct <= len(one.values) / 2 or (one.rows < 10 and one.length <= 20))
    ]
    # A column of one value only is the last to be taken: it may be anything.
    best = min(fitting, key=lambda one: (one.distinct < 2, one.distinct / len(one.values), one.length), default=None)
    return [Fitting(best.name, f"few values that repeat ({best.distinct})")] if best else []


def _number(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """Numbers, those with fractions first; not those that count the rows."""
    numbers = {one.name: [answer("number", value, {}) for value in one.values] for one in profiles if not one.about}
    scores = {
        name: found
        for name, found in numbers.items()
        if found and None not in found and found not in (list(range(len(found))), list(range(1, len(found) + 1)))
    }
    with_fractions = sorted(scores, key=lambda name: all(float(number).is_integer() for number in scores[name]))
    return [Fitting(name, "numbers") for name in with_fractions][:wanted]


def _texts(profiles: Sequence[Profile], wanted: int) -> list[Fitting]:
    """The longest texts, in the order of the file."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and any(char.isalpha() for char in value[:200])

    texts = [one for one in profiles if one.mostly(is_text)]
    longest = sorted(texts, key=lambda one: -one.length)[:wanted]
    return [Fitting(one.name, "the longest texts") for one in texts if one in longest]


BY_CONTENT: tuple[tuple[frozenset[str], Rule], ...] = (
    (frozenset({"image"}), _files(IMAGES, "pictures")),
    (frozenset({"audio"}), _files(SOUNDS, "clips")),
    (frozenset({"mask"}), _files(IMAGES, "pictures")),
    (frozenset({"boxes"}), _boxes),
    (frozenset({"answers"}), _answers),
    (frozenset({"words", "tags"}), _words_and_tags),
    (frozenset({"labels"}), _labels),
    (frozenset({"label"}), _label),
    (frozenset({"number"}), _number),
    (frozenset({"text"}), _texts),
    (frozenset({"words", "texts", "transcript", "answers", "continuation", "word"}), _texts),
)
"""Kinds → rule, in the order in which they are looked for: what is hard to mistake comes first."""
