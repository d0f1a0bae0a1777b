"""Tags of words under any scheme (IOB1, IOB2, BIOES, BILOU, plain), and the same entities written as IOB2."""

from __future__ import annotations

import re
from collections.abc import Sequence

OUTSIDE = "O"
_TAG = re.compile(r"([BIMESLU])(?:[-_](.*))?", re.DOTALL)
_CLOSING = "ESLU"
"""Last word of an entity (BIOES: E, BILOU: L), and entities of one word (S, U)."""
_OPENING = "BSU"


def split_labels(labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Label → (prefix, entity type).

    A label without a prefix is an inner one, as `I-LOC`: a run of `LOC` is one entity. A prefix without a type has the
    type `_`, as in seqeval. Prefixes count where most labels have one: `E-MAIL` among plain types is a type.
    """
    matches = {label: _TAG.fullmatch(label) for label in labels if label != OUTSIDE}
    prefixed = 2 * sum(match is not None for match in matches.values()) > len(matches)
    return {
        label: (match[1], match[2] or "_") if match and prefixed else ("I", label) for label, match in matches.items()
    } | {OUTSIDE: (OUTSIDE, "")}


def entity_types(labels: Sequence[str]) -> tuple[str, ...]:
    """The types that labels name, in order of first appearance."""
    split = split_labels(labels)
    return tuple(dict.fromkeys(split[label][1] for label in labels if label != OUTSIDE))


def iob2(tags: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same entities under IOB2: `B` on the first word of each, `I` on the others.

    Tags that obey no scheme are read as `conlleval` and seqeval read them: an inner word that continues nothing starts
    an entity, which is also what IOB1 means by it.

    Args:
        tags: (prefix, type) of each word, as `split_labels` gives them.
    """
    found = []
    opened = None
    for prefix, kind in tags:
        if prefix == OUTSIDE:
            found.append((OUTSIDE, ""))
            opened = None
            continue
        starts = prefix in _OPENING or kind != opened
        found.append(("B" if starts else "I", kind))
        opened = None if prefix in _CLOSING else kind
    return found
