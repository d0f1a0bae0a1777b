"""Quality against latency as positions on a drawing: the template only draws what is worked out here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.analysis.intervals import Interval
from core.analysis.placement import text_positions
from core.analysis.wording import cut_middle, quality, three_digits

if TYPE_CHECKING:
    from core.analysis import views

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 40
_GAP = 8


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
        y = self.y + (-_GAP if "top" in side else 2 * _GAP if "bottom" in side else 4)
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
    scores = [_known(point.quality) for point in points]
    x_low, x_high = _padded(times, least=0.3)
    y_low, y_high = _padded([bound for score in scores for bound in (score.low, score.high)], least=0.02)

    def x(time: float) -> float:
        return round(LEFT + (time - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(score: float) -> float:
        return round(HEIGHT - BOTTOM - (score - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    names = [cut_middle(point.name, 40) for point in points]
    sides = text_positions(
        [_within(Interval(time, time, time), x_low, x_high) for time in times],
        [_within(score, y_low, y_high) for score in scores],
        names,
        WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM,
    )
    marks = [
        Mark(point.trial, name, x(time), y(score.value), y(score.low), y(score.high), side)
        for point, name, time, score, side in zip(points, names, times, scores, sides, strict=True)
    ]
    return Scatter(
        marks=tuple(marks),
        x_ticks=tuple(Tick(x(math.log10(ms)), three_digits(ms)) for ms in _round_numbers(10**x_low, 10**x_high)),
        y_ticks=tuple(Tick(y(score), quality(score)) for score in _even_numbers(y_low, y_high)),
    )


def _known(score: Interval) -> Interval:
    """The score, without width where its interval does not exist."""
    return Interval(score.value, score.value, score.value) if math.isnan(score.low) else score


def _within(bounds: Interval, low: float, high: float) -> Interval:
    """Positions from 0 to 1 between two ends."""
    return Interval(*((bound - low) / (high - low) for bound in (bounds.value, bounds.low, bounds.high)))


def _padded(values: Sequence[float], least: float) -> tuple[float, float]:
    """The range of the values with some room around, at least that wide."""
    low, high = min(values), max(values)
    spare = max((high - low) * 0.12, (least - (high - low)) / 2, least * 0.1)
    return low - spare, high + spare


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two positive numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**power for power in powers for m in (1, 2, 5) if low <= m * 10.0**power <= high]


def _even_numbers(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two numbers, three to six of them."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
