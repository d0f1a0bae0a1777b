"""What every picture shares: an empty plot in the house look, colours, ranges, ticks, texts."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis.intervals import Interval
from core.analysis.wording import cut_middle, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import plotly.graph_objects as go

    from core.metrics.base import Metric

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
GREY = "#8A979C"
FAINT = "rgba(138,151,156,0.22)"
"""Grid lines; seen on white and on near black."""
PALE, INK, WHITE = "#DDE6EB", "#1C2526", "#FFFFFF"
"""The empty end of a colour scale, and the two colours of text on it."""

Range = tuple[float, float]


def safe(text: str) -> str:
    """The text without the HTML that Plotly would read in it, cut in the middle. Names are other people's text."""
    return html.escape(cut_middle(text, 40))


def bold(text: str, really: bool = True) -> str:
    """The name, safe and in bold where asked."""
    return f"<b>{safe(text)}</b>" if really else safe(text)


def colours(count: int) -> list[str]:
    """So many colours for parts of a whole, the first ones told apart best."""
    palette = (GREY, BLUE, ORANGE, PINK, SKY, VERMILION)
    return [palette[index % len(palette)] for index in range(count)]


def key(parts: Iterable[tuple[str, str]]) -> str:
    """Words, each in its colour: what stands above a picture in place of a legend."""
    return " · ".join(f'<span style="color:{colour}"><b>{safe(word)}</b></span>' for word, colour in parts)


def brackets(interval: Interval) -> str:
    """The bounds of a time, to stand behind its value."""
    return f" ({three_digits(interval.low)}–{three_digits(interval.high)})"


def blank(height: int) -> go.Figure:
    """An empty plot in the house look."""
    import plotly.graph_objects as go

    fig = go.Figure()
    fig.update_layout(
        height=height,
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 16, "t": 28, "b": 8},
        hoverlabel={"align": "left"},
        hovermode="closest",
    )
    axis = {"gridcolor": FAINT, "zeroline": False, "automargin": True, "title": {"standoff": 10}}
    fig.update_xaxes(**axis)
    fig.update_yaxes(**axis)
    return fig


def empty(message: str) -> go.Figure:
    """What is shown where there is nothing to draw: the reason, not bare axes."""
    fig = blank(160)
    fig.add_annotation(text=message, xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False, font={"color": GREY})
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


def linear_range(intervals: Sequence[Interval], limit: float | None = None) -> Range:
    """From the lowest to the highest bound with some air; the limit too, where it is not far off."""
    low, high = _reach(intervals)
    span = (high - low) or 0.1 * abs(high) or 0.1
    if limit is not None and low - span <= limit <= high + span:
        low, high = min(low, limit), max(high, limit)
    air = 0.08 * ((high - low) or span)
    return low - air, high + air


def log_range(intervals: Sequence[Interval], limit: float | None = None) -> Range:
    """As `linear_range`, in powers of ten; a limit within a factor of 3 is taken in."""
    low, high = _reach(intervals)
    if limit is not None and low / 3 <= limit <= high * 3:
        low, high = min(low, limit), max(high, limit)
    air = max(0.06 * math.log10(high / low), 0.08)
    return math.log10(low) - air, math.log10(high) + air


def within(interval: Interval, bounds: Range) -> Interval:
    """Where the interval lies between the bounds, 0 to 1; a bound that does not exist falls on the value."""
    low, high = (interval.value if math.isnan(one) else one for one in (interval.low, interval.high))
    places = [(number - bounds[0]) / (bounds[1] - bounds[0]) for number in (interval.value, low, high)]
    return Interval(*places)


def log10(interval: Interval) -> Interval:
    """The interval in powers of ten."""
    return Interval(math.log10(interval.value), math.log10(interval.low), math.log10(interval.high))


def log_ticks(log_bounds: Range) -> dict[str, Any]:
    """Round numbers on a log axis, written out; between 4 and 8 of them or so."""
    low, high = log_bounds
    values = _even_ticks(10**low, 10**high) if high - low < 0.3 else _log_ticks(low, high)
    shown = [value for value in values if low <= math.log10(value) <= high]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [f"{value:,.6g}" for value in shown]}


def _log_ticks(low: float, high: float) -> list[float]:
    decades = high - low
    steps = [1.0, 2.0, 5.0] if decades < 3.2 else [1.0]
    if decades < 1:
        steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0] if decades > 0.5 else [1.0, 1.2, 1.5, *range(2, 10)]
    return [step * 10.0**exponent for exponent in range(math.floor(low), math.ceil(high) + 1) for step in steps]


def _even_ticks(low: float, high: float) -> list[float]:
    """A log axis of less than a factor of two is nearly even: multiples of one round step."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    return [round(count * step, 12) for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def faded(colour: str, opacity: float) -> str:
    """The colour `#RRGGBB`, see-through."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def error_bars(intervals: Sequence[Interval], colour: str, thickness: float = 1.5) -> dict[str, Any]:
    """Plotly's error bars of these intervals; a bound that does not exist draws nothing."""
    up = [one.high - one.value for one in intervals]
    down = [one.value - one.low for one in intervals]
    return {
        "type": "data",
        "array": np.nan_to_num(up).tolist(),
        "arrayminus": np.nan_to_num(down).tolist(),
        "color": colour,
        "thickness": thickness,
        "width": 0,
    }


def metric_title(metric: Metric) -> str:
    """An axis title; says so where less is better."""
    return metric.title if metric.higher_is_better else f"{metric.title} (less is better)"


def tick_format(metric: Metric, bounds: Range) -> str:
    """As the tables write it: 0.88, with a third decimal only where the axis is short."""
    if not metric.percent:
        return ""
    return ".2f" if bounds[1] - bounds[0] > 0.04 else ".3f"


def difference_scale(metric: Metric) -> tuple[float, str]:
    """Factor and unit in which a difference on this metric is read."""
    return (100.0, " points") if metric.percent else (1.0, "")


def cells(*columns: Any) -> Any:
    """Columns broadcast against each other to the custom data of a heatmap's cells, shape (rows, columns, fields)."""
    return np.dstack(np.broadcast_arrays(*(np.asarray(column, dtype=object) for column in columns)))


def _reach(intervals: Sequence[Interval]) -> Range:
    numbers = [number for one in intervals for number in (one.low, one.value, one.high) if math.isfinite(number)]
    return min(numbers), max(numbers)
