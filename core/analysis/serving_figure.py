"""The picture of the server scenario: the 99th percentile over the rate of requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from core.analysis import drawing
from core.analysis.drawing import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILION, bold
from core.analysis.placement import spread
from core.analysis.wording import milliseconds, three_digits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from core.analysis.serving import ScenarioRow, Server

_COLOURS = (BLUE, GREEN, ORANGE, PINK, SKY, GREY)
_ROOM = (320, 17)
"""Pixels of the plot's height, and of a line of text."""


def p99_over_rate(rows: Sequence[ScenarioRow]) -> go.Figure:
    """A line per trial over the rates it was tried at; where one was given up stands a cross on the upper edge.

    The bound is a dashed line, the interval of each percentile an error bar. A rate that did not hold is a ring.
    """
    found = [(row.name, row.server) for row in rows if row.server]
    if not found:
        return drawing.empty("No server scenario was measured.")
    fig, bound = drawing.blank(400), found[0][1].bound_ms
    known = [one.p99_ms for _, server in found for one in server.rates if not math.isnan(one.p99_ms.value)]
    y_range = drawing.log_range(known, bound) if known else (math.log10(bound / 3), math.log10(bound * 3))
    y_range = (y_range[0], max(y_range[1], math.log10(bound * 1.5)))
    top = 10 ** (y_range[1] - 0.03 * (y_range[1] - y_range[0]))
    colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(found))]
    for (name, server), colour in zip(found, colours, strict=True):
        _add_line(fig, name, server, colour, top)
    _name_ends(fig, found, colours, top, y_range)
    fig.add_hline(y=bound, line={"color": VERMILION, "width": 1.2, "dash": "dash"})
    fig.add_annotation(
        text=f"bound {milliseconds(bound)}", xref="paper", x=0, y=math.log10(bound), xanchor="left", yanchor="bottom",
        showarrow=False, font={"size": 12, "color": VERMILION},
    )  # fmt: skip
    rates = np.log10([one.rate for _, server in found for one in server.rates])
    x_range = (float(rates.min()) - 0.08, float(rates.max()) + 0.08)
    fig.update_xaxes(title="requests per second (log scale)", type="log", range=x_range, **drawing.log_ticks(x_range))
    fig.update_yaxes(title="p99 (ms, log scale)", type="log", range=y_range, **drawing.log_ticks(y_range))
    return fig


def _add_line(fig: go.Figure, name: str, server: Server, colour: str, top: float) -> None:
    told = [one for one in server.rates if not math.isnan(one.p99_ms.value)]
    given_up = [one for one in server.rates if math.isnan(one.p99_ms.value)]
    fig.add_scatter(
        x=[one.rate for one in told],
        y=[one.p99_ms.value for one in told],
        mode="lines+markers",
        line={"color": colour, "width": 1.3},
        marker={"size": 8, "symbol": ["circle" if one.held else "circle-open" for one in told]},
        error_y=drawing.error_bars([one.p99_ms for one in told], colour, thickness=1),
        customdata=[[three_digits(one.rate), milliseconds(one.p99_ms.value), f"{one.late:,}"] for one in told],
        hovertemplate=f"{bold(name)}<br>%{{customdata[0]}} requests/s: p99 %{{customdata[1]}}, %{{customdata[2]}} late"
        "<extra></extra>",
    )
    fig.add_scatter(
        x=[one.rate for one in given_up],
        y=[top] * len(given_up),
        mode="markers",
        marker={"size": 8, "symbol": "x-thin", "line": {"color": colour, "width": 2}},
        customdata=[[three_digits(one.rate), f"{one.late:,}", f"{one.answered:,}"] for one in given_up],
        hovertemplate=f"{bold(name)}<br>%{{customdata[0]}} requests/s: given up, %{{customdata[1]}} of the first "
        "%{customdata[2]} were late<extra></extra>",
    )


def _name_ends(
    fig: go.Figure, found: Sequence[tuple[str, Server]], colours: Sequence[str], top: float, y_range: drawing.Range
) -> None:
    """Names to the right of the plot, about as high as the highest rate that could be told, in the lines' colours."""
    ends = []
    for _, server in found:
        told = [one.p99_ms.value for one in server.rates if not math.isnan(one.p99_ms.value)]
        ends.append(math.log10(told[-1] if told else top))
    heights = spread(np.array(ends), (y_range[1] - y_range[0]) * _ROOM[1] / _ROOM[0])
    for (name, _), height, colour in zip(found, heights.tolist(), colours, strict=True):
        fig.add_annotation(
            text=bold(name, False), xref="paper", x=1, y=height, xanchor="left", xshift=4, showarrow=False,
            font={"size": 12, "color": colour},
        )  # fmt: skip
    fig.update_layout(margin={"r": 16 + 7 * max(min(len(name), 40) for name, _ in found)})
