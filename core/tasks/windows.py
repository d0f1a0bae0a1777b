"""Long sentences in windows: which words go into which, and where each word stands best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

OVERLAP = 4
"""Neighbouring windows share one part in so many: a word at the end of one has words behind it in the next."""


@dataclass(frozen=True)
class Window:
    """A run of words that fit into the model together."""

    start: int
    stop: int
    """The word behind its last one."""
    owned: tuple[int, ...]
    """Its words that no other window shows with more context, counted in the whole sentence."""


def windows(sizes: Sequence[int], room: int) -> list[Window]:
    """Windows over a sentence, from left to right; every word is owned by one.

    Args:
        sizes: Tokens of each word.
        room: Most tokens of one window. A word that is longer has a window to itself.
    """
    before = [0, *accumulate(sizes)]
    runs = _runs(before, room)
    owners: dict[int, tuple[float, int]] = {}
    for index, (start, stop) in enumerate(runs):
        for word in range(start, stop):
            left = before[word] - before[start] if start else math.inf
            right = before[stop] - before[word + 1] if stop < len(sizes) else math.inf
            owners[word] = max(owners.get(word, (-1.0, 0)), (min(left, right), -index))
    return [
        Window(start, stop, tuple(word for word in range(start, stop) if -owners[word][1] == index))
        for index, (start, stop) in enumerate(runs)
    ]


def _runs(before: Sequence[int], room: int) -> list[tuple[int, int]]:
    words = len(before) - 1
    start, stop = 0, 0
    runs = []
    while stop < words:
        stop = max(stop, start + 1)
        while stop < words and before[stop + 1] - before[start] <= room:
            stop += 1
        runs.append((start, stop))
        if stop < words:
            start = _next_start(before, stop, room)
    return runs


def _next_start(before: Sequence[int], stop: int, room: int) -> int:
    """Where the window behind `stop` starts: earlier by the overlap, unless the next word would not fit then."""
    start = stop
    spare = min(room // OVERLAP, room - (before[stop + 1] - before[stop]))
    while start > 0 and before[stop] - before[start - 1] <= spare:
        start -= 1
    return start
