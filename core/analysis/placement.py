"""Where to write names in a picture so that they do not run into each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.analysis.intervals import Interval

_CHARACTER, _LINE, _GAP = 6.5, 16.0, 6.0
"""Pixels: width of a character, height of a line, distance from the point."""
_SIDES = {
    "top right": (1, 1), "bottom right": (1, -1), "top left": (-1, 1), "bottom left": (-1, -1),
    "middle right": (1, 0), "middle left": (-1, 0), "top center": (0, 1), "bottom center": (0, -1),
}  # fmt: skip
"""Plotly's text position → direction of the text from the point. Corners first: they keep clear of error bars."""
_Box = tuple[float, float, float, float]
"""Left, low, right, high."""


def text_positions(
    x: Sequence[Interval], y: Sequence[Interval], texts: Sequence[str], width: float, height: float
) -> list[str | None]:
    """The side of each point to write its text on, or None where there is no room (or no text).

    Greedy, in the order given, so the most important points come first.

    Args:
        x: Positions and error bars in the plot, 0 to 1 from the left.
        y: Positions and error bars in the plot, 0 to 1 from the bottom.
        texts: What to write; empty for a point that only takes room.
        width: Of the plot, pixels.
        height: Of the plot, pixels.
    """
    centres = [(width * across.value, height * up.value) for across, up in zip(x, y, strict=True)]
    taken: list[_Box] = []
    for (left, low), across, up in zip(centres, x, y, strict=True):
        taken.append((left - 5, low - 5, left + 5, low + 5))
        taken.append((width * across.low, low - 1, width * across.high, low + 1))
        taken.append((left - 1, height * up.low, left + 1, height * up.high))
    found: list[str | None] = []
    for (left, low), text in zip(centres, texts, strict=True):
        boxes = {side: _box(left, low, len(text), *direction) for side, direction in _SIDES.items()} if text else {}
        free = (
            side
            for side, box in boxes.items()
            if box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height and not _hits(box, taken)
        )
        side = next(free, None)
        if side:
            taken.append(boxes[side])
        found.append(side)
    return found


def spread(y: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """The positions, moved apart to at least that distance, in the same order and around the same middle."""
    order = np.argsort(y, kind="stable")
    moved = y[order].astype(np.float64)
    steps = least * np.arange(len(y))
    # With the wanted distance taken off, "apart" becomes "not decreasing": pool what decreases into its mean.
    blocks: list[tuple[float, int]] = []
    for value in moved - steps:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (last, count), (before, size) = blocks.pop(), blocks.pop()
            blocks.append(((last * count + before * size) / (count + size), count + size))
    placed = np.empty_like(moved)
    placed[order] = (
        np.repeat([value for value, _ in blocks], [count for _, count in blocks]) + steps if len(y) else moved
    )
    return placed


def _box(left: float, low: float, characters: int, right: int, up: int) -> _Box:
    """The text's box when it is written in that direction from the point."""
    width = characters * _CHARACTER
    x = left + right * _GAP - width * (1 - right) / 2
    y = low + up * _GAP - _LINE * (1 - up) / 2
    return x, y, x + width, y + _LINE


def _hits(box: _Box, others: list[_Box]) -> bool:
    return any(box[0] < one[2] and one[0] < box[2] and box[1] < one[3] and one[1] < box[3] for one in others)
