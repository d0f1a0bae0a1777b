"""Which entities a sequence of tags marks, under any tagging scheme, for many sentences at once.

The rules are seqeval's; its loops over single tags take ten times as long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")
OUTSIDE = "O"

_PREFIXES = "OIBESLU"
_INSIDE = ("", "M")
"""Prefixes that are read as I: none, and that of BMES."""
_TAG = re.compile(r"([BIMESLU])(?:[-_](.*))?", re.DOTALL)


@dataclass(frozen=True)
class Marked:
    """The entities in a stream of tags: at each position whether one starts there, where it ends, of which type."""

    ends: NDArray[np.intp]
    """First position behind the entity that starts here; 0 where none starts."""
    types: NDArray[np.intp]
    """Type of the tag here: its number in `names`."""
    names: tuple[str, ...]


@lru_cache(maxsize=4096)
def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and entity type of a tag.

    A plain tag, `LOC` without a prefix, gets the prefix "". A prefix without a type gets the type `_`, as in seqeval;
    behind a prefix stands `-` or `_`.
    """
    if not tag or tag == OUTSIDE:
        return OUTSIDE, ""
    if match := _TAG.fullmatch(tag):
        return match[1], match[2] or "_"
    return "", tag


def stream(sentences: Sequence[Sequence[str]], lengths: Sequence[int]) -> list[str]:
    """All sentences in one list, with an `O` before each and behind the last.

    A sentence is cut at its length; tags that it lacks are `O`.
    """
    lines = (
        [OUTSIDE, *sentence[:length], *[OUTSIDE] * (length - len(sentence))]
        for sentence, length in zip(sentences, lengths, strict=True)
    )
    return [*chain.from_iterable(lines), OUTSIDE]


def marked(tags: Sequence[str], scheme: str | None) -> Marked:
    """The entities in a stream of tags.

    Args:
        tags: As `stream` gives them.
        scheme: One of `SCHEMES`: only what obeys it is an entity (seqeval's `mode="strict"`). None: whatever looks like
            an entity is one (seqeval's default, as `conlleval`); L, U and M, which conlleval does not know, are read as
            E, S and I, and neighbouring plain tags that are equal are one entity.

    Tags that the scheme does not know are outside of any entity.
    """
    import numpy as np

    # Numbers stand for tags as early as can be: of a million tags few differ.
    number = {tag: index for index, tag in enumerate(dict.fromkeys(tags))}
    parts = [split_tag(tag) for tag in number]
    names = tuple(dict.fromkeys(name for _, name in parts))
    ids = np.fromiter(map(number.__getitem__, tags), dtype=np.intp, count=len(tags))
    known = [prefix if scheme is None or prefix in prefixes(scheme) else OUTSIDE for prefix, _ in parts]
    prefix = np.array([_PREFIXES.index("I" if one in _INSIDE else one) for one in known])[ids]
    place = {name: index for index, name in enumerate(names)}
    types = np.array([place[name] for _, name in parts])[ids]

    same = np.empty(len(ids), dtype=np.intp)
    same[0], same[1:] = 0, types[1:] == types[:-1]
    rules = _lenient() if scheme is None else _strict(scheme)
    starts, continues, closes = rules[:, np.concatenate([prefix[:1], prefix[:-1]]), prefix, same]
    return Marked(_ends(starts, continues, closes), types, names)


@cache
def prefixes(scheme: str) -> tuple[str, ...]:
    """The prefixes that a scheme knows, `O` among them."""
    from seqeval.scheme import Prefix

    allowed = _token(scheme).allowed_prefix
    return tuple(prefix for prefix in _PREFIXES if Prefix[prefix] in allowed)


def _ends(starts: NDArray[np.bool_], continues: NDArray[np.bool_], closes: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where the entity ends that starts at each position; 0 where none does.

    An entity runs from a start as long as tags continue it, even where such a tag might start one itself; it counts
    if the tag behind it may close it. No entity continues over the `O` at the end.
    """
    import numpy as np

    position = np.arange(len(starts))
    last_start = np.maximum.accumulate(np.where(starts, position, -1))
    last_break = np.maximum.accumulate(np.where(continues, -1, position))
    inside = last_start >= last_break
    taken = np.zeros_like(inside)
    taken[1:] = continues[1:] & inside[:-1]
    first = np.flatnonzero(starts & ~taken)
    breaks = np.flatnonzero(~continues)
    behind = breaks[np.searchsorted(breaks, first, side="right")]
    complete = closes[behind]
    ends = np.zeros(len(starts), dtype=np.intp)
    ends[first[complete]] = behind[complete]
    return ends


@cache
def _lenient() -> NDArray[np.bool_]:
    """Rules (3, previous prefix, prefix, same type) → start, continue, close: conlleval's, as in seqeval."""
    import numpy as np

    rules = np.zeros((3, len(_PREFIXES), len(_PREFIXES), 2), dtype=bool)
    for before, previous in enumerate(_PREFIXES):
        for here, prefix in enumerate(_PREFIXES):
            for same in (0, 1):
                start = not same or prefix in "BSU" or previous in "OESLU"
                rules[:, before, here, same] = (start, not start, True) if prefix != OUTSIDE else (False, False, True)
    return rules


@cache
def _strict(scheme: str) -> NDArray[np.bool_]:
    """Rules as `_lenient`, asked of seqeval's class of the scheme."""
    import numpy as np

    token = _token(scheme)
    rules = np.zeros((3, len(_PREFIXES), len(_PREFIXES), 2), dtype=bool)
    for before, previous in enumerate(_PREFIXES):
        for here, prefix in enumerate(_PREFIXES):
            for same, name in enumerate(("other", "type")):
                pair = token(f"{prefix}-type"), token(f"{previous}-{name}")
                rules[:, before, here, same] = [one(*pair) for one in (token.is_start, token.is_inside, token.is_end)]
    return rules


def _token(scheme: str) -> Any:
    from seqeval import scheme as schemes

    return getattr(schemes, scheme)
