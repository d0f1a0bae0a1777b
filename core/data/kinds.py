"""How the cells of a column are read: one way for each kind of value (`core.tasks.base.Kind`).

A reader takes one cell and gives the value, or raises ValueError with what is wrong in half a sentence: "is a list, not
a text". A cell that says nothing (`None`) is `empty`, unless its kind takes that for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.data import files
from core.data.answers import answer, listed
from core.tasks.tags import OUTSIDE, entity_types, split_labels

NOTHING = object()
"""What `KindReader.empty` is where a cell must say something."""
MISSING_LABELS = frozenset({"nan", "null", "<na>"})
"""What programs write for a missing value; `none` and `na` are labels that people use."""
IGNORED_PIXEL = "255"
"""The class number of pixels about which a mask says nothing, as data sets for segmentation have it."""


@dataclass(frozen=True)
class Reading:
    """What reading a cell needs to know besides the cell."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Value in the file → label name; an empty name leaves the value out."""
    folder: Path | None = None
    """Where files lie that cells name; None where cells may name none."""


@dataclass(frozen=True)
class KindReader:
    """One kind of value."""

    read: Callable[[Any, Reading], Any]
    """A cell, as plain Python values; never None. A ValueError without words says that it holds nothing."""
    empty: Any = NOTHING
    """What a cell stands for that says nothing."""
    names: Callable[[Any], Iterable[str]] = lambda value: ()
    """The labels that a reference carries."""
    fits: Callable[[Any, Mapping[str, Any]], str | None] = lambda value, row: None
    """Why a reference does not go with the row's inputs; None where it does."""
    doubt: Callable[[Any, Mapping[str, Any]], str | None] = lambda value, row: None
    """What looks wrong about a reference that can be scored all the same, as in "rows have …"; None where nothing does.
    """
    stratified: bool = False
    """Whether a sample can keep the shares of the labels."""


def label_names(kind: str, references: Iterable[Any]) -> tuple[str, ...]:
    """The label names that references carry, sorted; empty for kinds without labels."""
    return tuple(sorted({name for reference in references for name in KINDS[kind].names(reference)}))


def _text(cell: Any, reading: Reading) -> str:
    if not isinstance(cell, str):
        raise ValueError(f"is a {type(cell).__name__}, not a text")
    return cell


def _texts(cell: Any, reading: Reading) -> str | list[str]:
    if isinstance(cell, str):
        return cell
    found = [text for text in cell if text is not None and text != ""] if isinstance(cell, list) else None
    if found is None:
        raise ValueError(f"is a {type(cell).__name__}, not a text")
    if not all(isinstance(text, str) for text in found):
        raise ValueError("is not a list of texts")
    if not any(text.strip() for text in found):
        raise ValueError("")
    return [text for text in found if text.strip()]


def _words(cell: Any, reading: Reading) -> list[str]:
    cell = listed(cell)
    words = cell.split() if isinstance(cell, str) else cell
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("is not a list of words")
    if not words:
        raise ValueError("holds no words")
    return words


def _label(cell: Any, reading: Reading) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if not isinstance(cell, str | int | float):
        raise ValueError(f"is a {type(cell).__name__}, not a text")
    text = str(cell).strip()
    # -1 is how the Hub marks a row whose class is not published.
    if text.casefold() in MISSING_LABELS or (text == "-1" and reading.names and "-1" not in reading.names):
        raise ValueError("")
    name = reading.names.get(text, text)
    if not name:  # the plan says that this value is none
        raise ValueError("")
    return name


def _labels(cell: Any, reading: Reading) -> list[str]:
    found = answer("labels", cell, reading.names)
    if found is None:
        raise ValueError(f"is a {type(cell).__name__}, not a list of labels")
    return [name for name in found if name]  # the plan leaves out those that it calls nothing


def _tags(cell: Any, reading: Reading) -> list[str]:
    """The tags under their names; a type named `O` or nothing is none. Class numbers have names as whole tags."""
    cell = listed(cell)
    if isinstance(cell, list) and not all(isinstance(tag, str | int | float) for tag in cell):
        raise ValueError("is not a list with one tag per word")  # spans, say, which may overlap
    found = answer("tags", cell, {})
    if not found:
        raise ValueError("is not a list of tags")
    split = split_labels(list(dict.fromkeys(found)))
    return [_named_tag(tag, *split[tag], reading.names) for tag in found]


def _named_tag(tag: str, prefix: str, kind: str, names: Mapping[str, str]) -> str:
    if tag in names:
        return names[tag] or OUTSIDE
    name = names.get(kind)
    if name is None:
        return tag
    return OUTSIDE if name in (OUTSIDE, "") else f"{prefix}-{name}"


def _answers(cell: Any, reading: Reading) -> list[str]:
    """Accepted answers, each once: `{"text": […]}` as in SQuAD, a list, or one text."""
    cell = listed(cell)
    if isinstance(cell, Mapping):
        cell = cell.get("text", [])
    if isinstance(cell, str):
        cell = [cell] if cell.strip() else []
    if isinstance(cell, list) and all(isinstance(one, Mapping) for one in cell):
        cell = [one.get("text") for one in cell]
    if not isinstance(cell, list) or not all(isinstance(one, str) for one in cell):
        raise ValueError("is not a list of texts")
    return [text for text in dict.fromkeys(cell) if text.strip()]


def _number(cell: Any, reading: Reading) -> float:
    found = answer("number", cell, {})
    if found is None:
        raise ValueError(f"is {cell!r}, not a number")
    return float(found)


def _boxes(cell: Any, reading: Reading) -> list[dict[str, Any]]:
    """Boxes with labels, or COCO's parallel lists, whose boxes are left, top, width, height."""
    cell = listed(cell)
    if isinstance(cell, Mapping):
        cell = _from_coco(cell)
    if not isinstance(cell, list):
        raise ValueError("is not a list of boxes")
    found = [_box(one, reading.names) for one in cell]
    return [box for box in found if box["label"]]  # the plan leaves out those that it calls nothing


def _from_coco(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    boxes = cell.get("bbox", [])
    if not isinstance(boxes, list):
        raise ValueError("has a `bbox` that is not a list of boxes")
    keys = ("category", "categories", "label", "labels", "category_id")
    names: Sequence[Any] = next((cell[key] for key in keys if key in cell), [])
    crowds = cell.get("iscrowd") or cell.get("is_crowd") or [False] * len(boxes)
    if not isinstance(names, list) or len(boxes) != len(names):
        raise ValueError(f"has {len(boxes)} boxes and {len(names) if isinstance(names, list) else 'no'} labels")
    if not isinstance(crowds, list) or len(crowds) != len(boxes):
        raise ValueError("does not say of each box whether it is a crowd")
    edges = [_four_numbers(box) for box in boxes]
    return [
        {"label": name, "box": [left, top, left + width, top + height], "crowd": bool(crowd)}
        for name, (left, top, width, height), crowd in zip(names, edges, crowds, strict=True)
    ]


def _box(one: Any, names: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(one, Mapping) or not {"label", "box"} <= one.keys():
        raise ValueError("has a box without `label` or `box: [left, top, right, bottom]`")
    left, top, right, bottom = _four_numbers(one["box"])
    if not (left <= right and top <= bottom):
        raise ValueError(f"has a box whose right or bottom edge comes first: {one['box']}")
    label = answer("label", one["label"], names)
    if label is None:
        raise ValueError(f"has a box whose label is {one['label']!r}")
    box = {"label": label, "box": [left, top, right, bottom]}
    return {**box, "crowd": True} if one.get("crowd") else box


def _four_numbers(box: Any) -> list[float]:
    found = [answer("number", edge, {}) for edge in box] if isinstance(box, list) else []
    if len(found) != 4 or None in found:
        raise ValueError(f"has a box that is not four numbers: {box}")
    return [float(edge) for edge in found]


def _mask(cell: Any, reading: Reading) -> dict[str, Any]:
    """A picture of class numbers as runs of labels, row by row."""
    import numpy as np

    if isinstance(cell, Mapping) and {"size", "runs"} <= cell.keys():
        return dict(cell)
    pixels = files.class_numbers(files.image(cell, reading.folder)["file"])
    flat = pixels.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])
    named: dict[str, str | None] = {
        str(number): reading.names.get(str(number), str(number)) or None for number in np.unique(flat).tolist()
    }
    if IGNORED_PIXEL not in reading.names:
        named[IGNORED_PIXEL] = None
    runs = [
        [named[str(number)], length] for number, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True)
    ]
    return {"size": list(pixels.shape), "runs": runs}


def _as_many_as_words(tags: Sequence[str], row: Mapping[str, Any]) -> str | None:
    words = next((value for value in row.values() if isinstance(value, list)), tags)
    return None if len(words) == len(tags) else f"{len(tags)} tags for {len(words)} words"


def _no_labels(labels: Sequence[str], row: Mapping[str, Any]) -> str | None:
    return None if labels else "no label: only an answer without labels is right there"


def _mixed_schemes(tags: Sequence[str], row: Mapping[str, Any]) -> str | None:
    """Whether an entity is begun by `I-` although others are begun by `B-`, which no scheme does in one sentence."""
    split = split_labels(list(dict.fromkeys(tags)))
    pairs = [split[tag] for tag in tags]
    openings = {prefix for (_, before), (prefix, kind) in pairwise([(OUTSIDE, ""), *pairs]) if kind and kind != before}
    return "entities that begin with I- beside others that begin with B-" if {"B", "I"} <= openings else None


def _not_in_context(answers: Sequence[str], row: Mapping[str, Any]) -> str | None:
    # The context is the longest of a question's texts.
    context = max((text for text in row.values() if isinstance(text, str)), key=len, default=None)
    if not answers or context is None or any(answer in context for answer in answers):
        return None
    return "answers that do not occur in their context: no model that extracts them can be right there"


KINDS: Mapping[str, KindReader] = {
    "text": KindReader(_text),
    "words": KindReader(_words),
    "image": KindReader(lambda cell, reading: files.image(cell, reading.folder)),
    "audio": KindReader(lambda cell, reading: files.audio(cell, reading.folder)),
    "label": KindReader(_label, names=lambda label: (label,), stratified=True),
    "labels": KindReader(_labels, empty=[], names=lambda labels: labels, doubt=_no_labels),
    "tags": KindReader(
        _tags,
        names=lambda tags: entity_types(list(dict.fromkeys(tags))),
        fits=_as_many_as_words,
        doubt=_mixed_schemes,
    ),
    "answers": KindReader(_answers, empty=[], doubt=_not_in_context),
    "texts": KindReader(_texts),
    "transcript": KindReader(_text),
    "number": KindReader(_number),
    "word": KindReader(_text),
    "continuation": KindReader(_texts),
    "boxes": KindReader(_boxes, empty=[], names=lambda boxes: (box["label"] for box in boxes)),
    "mask": KindReader(_mask, names=lambda mask: (name for name, _ in mask["runs"] if name is not None)),
}
