"""Quality against latency as positions on a drawing: the template only draws what is worked out here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.analysis.placement import text_positions
from core.analysis.wording import cut_middle, quality, three_digits

if TYPE_CHECKING:
    from core.analysis import views

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 40
_GAP = 10


@dataclass(frozen=True)
class Mark:
    """A trial's place, in pixels. `side` is where its name goes: None where there is no room."""

    trial: str
    name: str
    x: float
    y: float
    low: float
    high: float
    side: str | None

    @property
    def label(self) -> tuple[float, float, str]:
        """x, y and `text-anchor` of the name."""
        side = self.side or ""
        across = "end" if "left" in side else "start" if "right" in side else "middle"
        x = self.x + {"end": -_GAP, "start": _GAP, "middle": 0}[across]
        y = self.y + (-_GAP if "top" in side else _GAP + 8 if "bottom" in side else 4)
        return round(x, 1), round(y, 1), across


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where, in pixels."""

    at: float
    text: str


@dataclass(frozen=True)
class Scatter:
    """Everything the drawing needs, in pixels."""

    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def scatter(plane: views.QualityLatency, chosen: str) -> Scatter | None:
    """Places the points of the view; None where there are fewer than two.

    The latency axis is logarithmic: what matters is how many times slower, not how many milliseconds.
    """
    points = sorted(plane.points, key=lambda point: (point.trial != chosen, not point.front))
    if len(points) < 2:
        return None
    times = [math.log10(point.latency.value) for point in points]
    x_low, x_high = _padded(times, least=0.3)
    bounds = [bound for point in points for bound in (point.quality.low, point.quality.value, point.quality.high)]
    y_low, y_high = _padded([bound for bound in bounds if not math.isnan(bound)], least=0.02)
    across, up = _scale(x_low, x_high), _scale(y_low, y_high)

    def x(time: float) -> float:
        return round(LEFT + across(time) * (WIDTH - LEFT - RIGHT), 1)

    def y(score: float) -> float:
        return round(HEIGHT - BOTTOM - up(score) * (HEIGHT - TOP - BOTTOM), 1)

    names = [cut_middle(point.name, 40) for point in points]
    sides = text_positions(
        [across(time) for time in times],
        [up(point.quality.value) for point in points],
        names,
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM,
    )
    marks = []
    for point, name, time, side in zip(points, names, times, sides, strict=True):
        low, value, high = point.quality.low, point.quality.value, point.quality.high
        ends = (y(value), y(value)) if math.isnan(low) else (y(low), y(high))
        marks.append(Mark(point.trial, name, x(time), y(value), *ends, side))
    return Scatter(
        tuple(marks),
        x_ticks=tuple(Tick(x(math.log10(ms)), three_digits(ms)) for ms in _round_numbers(10**x_low, 10**x_high)),
        y_ticks=tuple(Tick(y(score), quality(score)) for score in (y_low + (y_high - y_low) * k / 4 for k in range(5))),
    )


def _scale(low: float, high: float) -> Callable[[float], float]:
    return lambda value: (value - low) / (high - low)


def _padded(values: Sequence[float], least: float) -> tuple[float, float]:
    """The range of the values with some room around, at least that wide."""
    low, high = min(values), max(values)
    spare = max((high - low) * 0.12, (least - (high - low)) / 2, least * 0.1)
    return low - spare, high + spare


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two positive numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**power for power in powers for m in (1, 2, 5) if low <= m * 10.0**power <= high]
