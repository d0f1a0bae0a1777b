"""Pictures of views. The only importer of Plotly, and only when something is drawn: its import costs time.

Backgrounds are transparent and text takes the colour of the page's theme, so a picture is readable in light and dark.
Names are written on the points, so there is no legend to decode.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis import drawing
from core.analysis.drawing import BLUE, GREEN, GREY, INK, ORANGE, PALE, PINK, VERMILION, WHITE, Range, bold, safe
from core.analysis.intervals import Interval
from core.analysis.placement import spread, text_positions
from core.analysis.wording import (
    cut_middle,
    device_name,
    enumerate_words,
    megabytes,
    milliseconds,
    p_value,
    points,
    quality,
    quality_between,
    rate,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from core.analysis.classes import Confusion
    from core.analysis.versus import Differences, ForestRow
    from core.analysis.views import DeviceRow, LatencyCurve, MemoryRow, Point, QualityLatency, StageRow, SweepLine
    from core.metrics.base import Metric

_WIDTH, _HEIGHT = 640.0, 350.0
"""Pixels of the plot that names are placed for; a wider page only leaves more room."""
_LIMIT = {"color": VERMILION, "width": 1.2, "dash": "dash"}
_NOTE = {"showarrow": False, "font": {"size": 12}}
_NO_LATENCY = "No latency was measured yet."
_NO_PAIR = "A second finished trial is needed for a comparison."


def quality_latency(view: QualityLatency) -> go.Figure:
    """Quality against latency: the front as a thin line, limits as lines, names where there is room for them."""
    if not view.points:
        return drawing.empty("No finished trial has both a score and a latency yet.")
    fig = drawing.blank(440)
    x_range = drawing.log_range([point.latency for point in view.points], view.latency_limit)
    y_range = drawing.linear_range([point.quality for point in view.points], view.quality_limit)
    _limits(fig, view, x_range, y_range)
    front = sorted((point for point in view.points if point.front), key=lambda point: point.latency.value)
    x, y = [point.latency.value for point in front], [point.quality.value for point in front]
    fig.add_scatter(x=x, y=y, mode="lines", line={"color": BLUE, "width": 1}, hoverinfo="skip")
    order = sorted(view.points, key=lambda point: (not point.winner, not point.front, point.latency.value))
    sides = text_positions(
        [drawing.within(drawing.log10(point.latency), x_range) for point in order],
        [drawing.within(point.quality, y_range) for point in order],
        [cut_middle(point.name) for point in order],
        _WIDTH,
        _HEIGHT,
    )
    for point, side in reversed(list(zip(order, sides, strict=True))):
        _add_point(fig, point, side or ("top left" if point.winner else None), view)
    away = {"left the race": view.left_race, "without score or latency": view.missing}
    if any(away.values()):
        _say_above(fig, " · ".join(f"{why}: {_names(trials)}" for why, trials in away.items() if trials))
    _log_x(fig, f"{view.percentile_name} latency at batch {view.batch_size} (ms, log scale)", x_range)
    fig.update_yaxes(
        title=drawing.metric_title(view.metric), range=y_range, tickformat=drawing.tick_format(view.metric, y_range)
    )
    return fig


def _names(trials: Sequence[str]) -> str:
    return enumerate_words([safe(cut_middle(one)) for one in trials])


def latency_distribution(curves: Sequence[LatencyCurve]) -> go.Figure:
    """Every call as a dot, one line per trial, with the median and p95 marked."""
    if not curves:
        return drawing.empty(_NO_LATENCY)
    fig = _rows_figure([curve.name for curve in curves])
    generator = np.random.default_rng(0)
    for y, curve in enumerate(curves):
        colour = GREEN if curve.winner else BLUE
        shown = curve.milliseconds[:: max(1, len(curves) * len(curve.milliseconds) // 5000)]
        jittered = y + generator.uniform(-0.28, 0.28, len(shown))
        marker = {"color": drawing.faded(colour, 0.3), "size": 4, "line": {"width": 0}}
        fig.add_scatter(x=shown, y=jittered, mode="markers", marker=marker, hoverinfo="skip")
        if curve.p95:
            _mark(fig, y, curve, "p95", curve.p95, colour, thickness=1.5)
        _mark(fig, y, curve, "median", curve.p50, colour, thickness=4)
    _say_above(fig, "dots: calls · thick mark: median · thin mark: p95")
    spans = [Interval(*curve.milliseconds[[0, 0, -1]].tolist()) for curve in curves]
    _log_x(fig, "time of one call (ms, log scale)", drawing.log_range(spans))
    return fig


def stages(rows: Sequence[StageRow]) -> go.Figure:
    """Where the time of a call goes, as bars; the stages are named in their colours above."""
    if not rows:
        return drawing.empty(_NO_LATENCY)
    parts = (("preprocess", ORANGE, "tokenise"), ("forward", BLUE, "forward"), ("postprocess", PINK, "postprocess"))
    fig = _rows_figure([row.name for row in rows])
    for stage, colour, word in parts:
        values = [getattr(row, stage) for row in rows]
        shares = [getattr(row, stage) / (row.preprocess + row.forward + row.postprocess) for row in rows]
        hover = [
            [safe(row.name), milliseconds(value), f"{share:.1%}", _on_gpu(row) if stage == "forward" else ""]
            for row, value, share in zip(rows, values, shares, strict=True)
        ]
        said = f"{word} %{{customdata[1]}}, %{{customdata[2]}}%{{customdata[3]}}"
        text = f"<b>%{{customdata[0]}}</b><br>{said}<extra></extra>"
        _add_bars(fig, values, [colour] * len(rows), customdata=hover, hovertemplate=text)
    _say_above(fig, drawing.key((word, colour) for _, colour, word in parts))
    fig.update_layout(barmode="stack")
    fig.update_xaxes(title="mean time of one call (ms)", rangemode="tozero")
    return fig


def _on_gpu(row: StageRow) -> str:
    return "" if math.isnan(row.device) else f"<br>by the GPU's own clock {milliseconds(row.device)}"


def batch_sweep(lines: Sequence[SweepLine]) -> go.Figure:
    """Rows per second over the batch size, names at the end of the lines."""
    if not lines:
        return drawing.empty(_NO_LATENCY)
    lines = [line for line in lines if len(line.batch_sizes) > 1]
    if not lines:
        return drawing.empty("Latency was measured at one batch size only; ask for more on the Benchmark page.")
    fig = drawing.blank(400)
    rates = np.log10([rate for line in lines for rate in line.rows_per_second])
    y_range = (float(rates.min()) - 0.08, float(rates.max()) + 0.08)
    all_named = len(lines) <= 18
    for line in lines:
        colour = GREEN if line.winner else BLUE if all_named else GREY
        fig.add_scatter(
            x=line.batch_sizes,
            y=line.rows_per_second,
            mode="lines+markers",
            line={"color": colour, "width": 2.5 if line.winner else 1.3},
            marker={"size": 7},
            customdata=[[milliseconds(interval.value)] for interval in line.p50_ms],
            hovertemplate=f"{bold(line.name)}<br>batch %{{x}}: %{{y:,.0f}} rows/s, median call %{{customdata[0]}}"
            "<extra></extra>",
        )
    named = [line for line in lines if all_named or line.winner]
    ends = np.log10([line.rows_per_second[-1] for line in named])
    heights = spread(ends, (y_range[1] - y_range[0]) * 17 / 320)
    for line, height in zip(named, heights.tolist(), strict=True):
        text = bold(line.name, line.winner)
        fig.add_annotation(xref="paper", x=1, y=height, text=text, xanchor="left", xshift=4, **_NOTE)
    sizes = sorted({size for line in lines for size in line.batch_sizes})
    fig.update_layout(margin={"r": 16 + 7 * max((min(len(line.name), 40) for line in named), default=0)})
    fig.update_xaxes(title="batch size", type="log", tickvals=sizes, ticktext=[str(size) for size in sizes])
    fig.update_yaxes(title="rows per second (log scale)", type="log", range=y_range, **drawing.log_ticks(y_range))
    return fig


def memory(rows: Sequence[MemoryRow]) -> go.Figure:
    """The most memory of each phase as bars, the phases named in their colours above."""
    if not rows:
        return drawing.empty("No memory was measured yet.")
    names = list(dict.fromkeys(phase for row in rows for phase in row.phases))
    fig = _rows_figure([row.name for row in rows], row_height=16 + 12 * len(names))
    parts = list(zip(names, drawing.colours(len(names)), strict=True))
    for phase, colour in parts:
        values = [row.phases.get(phase, math.nan) for row in rows]
        hover = [[safe(row.name), megabytes(value)] for row, value in zip(rows, values, strict=True)]
        text = f"<b>%{{customdata[0]}}</b><br>{phase} %{{customdata[1]}}<extra></extra>"
        _add_bars(fig, values, [colour] * len(rows), width=None, customdata=hover, hovertemplate=text)
    _say_above(fig, drawing.key(parts))
    fig.update_layout(barmode="group", bargap=0.25)
    fig.update_xaxes(title="most over the worker's baseline (MB)", rangemode="tozero")
    return fig


def devices(rows: Sequence[DeviceRow]) -> go.Figure:
    """Median latency of the same model on each device, joined by a line."""
    rows = [row for row in rows if not any(math.isnan(cell.p50_ms.value) for cell in row.cells.values())]
    if not rows:
        return drawing.empty("No model has finished on two devices at the same precision.")
    fig = _rows_figure([f"{row.model} · {row.dtype}" for row in rows], row_height=46)
    colours = {"cpu": BLUE, "cuda": GREEN, "mps": ORANGE}
    for y, row in enumerate(rows):
        values = [cell.p50_ms.value for cell in row.cells.values()]
        fig.add_scatter(x=values, y=[y] * len(values), mode="lines", line={"color": GREY, "width": 2}, hoverinfo="skip")
        for device, cell in row.cells.items():
            colour = colours.get(device, PINK)
            fig.add_scatter(
                x=[cell.p50_ms.value],
                y=[y],
                mode="markers+text",
                text=[device_name(device)],
                textposition="top center",
                marker={"color": colour, "size": 12, "line": {"width": 0}},
                error_x=drawing.error_bars([cell.p50_ms], colour),
                hovertemplate=f"{bold(row.model)} on {device_name(device)}<br>median "
                f"{milliseconds(cell.p50_ms.value)}, {rate(cell.rows_per_second, cell.screened)} rows/s<extra></extra>",
            )
    x_range = drawing.log_range([cell.p50_ms for row in rows for cell in row.cells.values()])
    _log_x(fig, "median time of one call (ms, log scale)", x_range)
    return fig


def confusion(matrix: Confusion) -> go.Figure:
    """References down, answers across; the colour is the share of the row, the number the count."""
    counts = [[f"{count:,}" for count in line] for line in matrix.counts.tolist()]
    shares = [[f"{share:.1%}" for share in line] for line in matrix.shares.tolist()]
    answers = [safe(answer) for answer in matrix.answers]
    hover = drawing.cells([[safe(label)] for label in matrix.labels], answers, counts, shares)
    text = "%{customdata[0]} answered as %{customdata[1]}<br>%{customdata[2]} rows, %{customdata[3]} of this reference"
    fig = _heatmap(matrix.shares, [[0, PALE], [1, BLUE]], (0, 1), counts, matrix.labels, hover, text)
    fig.update_xaxes(title="answer", tickvals=list(range(len(answers))), ticktext=_ticks(matrix.answers))
    fig.update_yaxes(title="reference")
    return fig


def forest(rows: Sequence[ForestRow], baseline: str, metric: Metric) -> go.Figure:
    """Each trial minus the baseline, with intervals; grey where chance may explain it."""
    if not rows:
        return drawing.empty(_NO_PAIR)
    fig = _rows_figure([row.name for row in rows])
    scale, unit = drawing.difference_scale(metric)
    fig.add_vline(x=0, line={"color": GREY, "width": 1})
    for y, row in enumerate(rows):
        better = row.difference > 0 if metric.higher_is_better else row.difference < 0
        colour = GREY if not row.significant else BLUE if better else VERMILION
        interval = Interval(row.difference * scale, row.low * scale, row.high * scale)
        fig.add_scatter(
            x=[interval.value],
            y=[y],
            mode="markers",
            marker={"color": colour, "size": 10, "line": {"width": 0}},
            error_x=drawing.error_bars([interval], colour, thickness=2),
            hovertemplate=f"{bold(row.name)}<br>{points(row.difference, metric.percent)}{unit} "
            f"({points(row.low, metric.percent)} to {points(row.high, metric.percent)})<br>"
            f"{safe(p_value(row.p_holm))}<extra></extra>",
        )
    _say_above(fig, f"against {bold(baseline)} · grey: may be chance")
    fig.update_xaxes(title=f"difference in {safe(metric.title)}{f' ({unit.strip()})' if unit else ''}")
    return fig


def differences(view: Differences, metric: Metric) -> go.Figure:
    """All pairs: the line's trial minus the column's; no colour where chance may explain it."""
    if len(view.trials) < 2:
        return drawing.empty(_NO_PAIR)
    sign = 1 if metric.higher_is_better else -1
    coloured = np.where(view.p_holm < 0.05, view.difference * sign, 0.0)
    reach = float(np.abs(view.difference).max()) or 1.0
    texts = [
        ["" if i == j else points(value, metric.percent) for j, value in enumerate(line)]
        for i, line in enumerate(view.difference.tolist())
    ]
    p_values = [[safe(p_value(p)) for p in line] for line in view.p_holm.tolist()]
    hover = drawing.cells([[safe(name)] for name in view.names], [safe(name) for name in view.names], texts, p_values)
    unit = drawing.difference_scale(metric)[1]
    text = f"%{{customdata[0]}} minus %{{customdata[1]}}<br>%{{customdata[2]}}{unit}, %{{customdata[3]}}"
    scale = [[0, VERMILION], [0.5, PALE], [1, BLUE]]
    fig = _heatmap(coloured, scale, (-reach, reach), texts, view.names, hover, text)
    fig.update_xaxes(tickvals=list(range(len(texts))), ticktext=_ticks(view.names), tickangle=-35)
    return fig


def _rows_figure(names: Sequence[str], row_height: int = 30) -> go.Figure:
    """A plot with one named line per trial, the first on top."""
    fig = drawing.blank(100 + row_height * len(names))
    bounds = (len(names) - 0.4, -0.6)
    fig.update_yaxes(tickvals=list(range(len(names))), ticktext=_ticks(names, 40), range=bounds, showgrid=False)
    return fig


def _heatmap(
    z: Any, colours: list[Any], bounds: Range, texts: list[list[str]], lines: Sequence[str], hover: Any, hover_text: str
) -> go.Figure:
    """A matrix with its first line on top; numbers in the cells while they can be read."""
    fig = drawing.blank(max(220, min(900, 36 * len(lines))) + 110)
    template = f"{hover_text}<extra></extra>"
    fig.add_heatmap(z=z, colorscale=colours, zmin=bounds[0], zmax=bounds[1], customdata=hover, hovertemplate=template)
    fig.update_traces(showscale=False, xgap=2, ygap=2)
    if len(lines) <= 16:
        for (i, j), value in np.ndenumerate(z):
            colour = WHITE if abs(value) > 0.8 * bounds[1] else INK
            fig.add_annotation(x=j, y=i, text=texts[i][j], showarrow=False, font={"color": colour})
    fig.update_xaxes(side="top", showgrid=False)
    fig.update_yaxes(autorange="reversed", tickvals=list(range(len(lines))), ticktext=_ticks(lines), showgrid=False)
    return fig


def _add_bars(fig: go.Figure, values: list[float], colours: list[str], **more: Any) -> None:
    marker = {"color": colours, "line": {"width": 0}}
    fig.add_bar(x=values, y=list(range(len(values))), orientation="h", marker=marker, **{"width": 0.55, **more})


def _add_point(fig: go.Figure, point: Point, side: str | None, view: QualityLatency) -> None:
    """One trial with intervals on both axes; named where a side is free, or else on hover."""
    colour = GREEN if point.winner else BLUE if point.front and not point.excluded else GREY
    bars = drawing.faded(colour, 0.5 if point.winner or len(view.points) <= 12 else 0.2)
    state = ", the winner" if point.winner else ", breaks a limit" if point.excluded else ""
    fig.add_scatter(
        x=[point.latency.value],
        y=[point.quality.value],
        mode="markers+text" if side else "markers",
        text=[bold(cut_middle(point.name), point.winner)] if side else None,
        textposition=side,
        cliponaxis=False,
        marker={
            "color": colour,
            "symbol": "circle-open" if point.excluded else "circle",
            "size": 14 if point.winner else 9,
            "line": {"width": 1.5, "color": colour},
        },
        error_x=drawing.error_bars([point.latency], bars),
        error_y=drawing.error_bars([point.quality], bars),
        hovertemplate=f"{bold(point.name)}{state}<br>{safe(view.metric.title)} {quality_between(point.quality)}<br>"
        f"{view.percentile_name} {milliseconds(point.latency.value)}{drawing.brackets(point.latency)}<extra></extra>",
    )


def _limits(fig: go.Figure, view: QualityLatency, x_range: Range, y_range: Range) -> None:
    """Lines at the limits; a latency limit far outside is a word at the edge."""
    above = {"yref": "paper", "y": 1, "yanchor": "bottom", **_NOTE}
    if view.latency_limit is not None:
        # On a log axis a line takes the value, an annotation its exponent.
        place, text = math.log10(view.latency_limit), f"limit {milliseconds(view.latency_limit)}"
        if place >= x_range[1]:
            fig.add_annotation(xref="paper", x=1, xanchor="right", text=f"{text} →", **above)
        elif place <= x_range[0]:
            fig.add_annotation(xref="paper", x=0, xanchor="left", text=f"← {text}", **above)
        else:
            fig.add_vline(x=view.latency_limit, line=_LIMIT)
            fig.add_annotation(x=place, text=text, **above)
    if view.quality_limit is not None and y_range[0] < view.quality_limit < y_range[1]:
        shown = f"limit {quality(view.quality_limit)}"
        fig.add_hline(y=view.quality_limit, line=_LIMIT)
        beside = {"xref": "paper", "x": 0, "xanchor": "left", "yanchor": "bottom", **_NOTE}
        fig.add_annotation(text=shown, y=view.quality_limit, **beside)


def _mark(
    fig: go.Figure, y: int, curve: LatencyCurve, name: str, interval: Interval, colour: str, thickness: float
) -> None:
    """A percentile as an upright mark with its interval."""
    fig.add_scatter(
        x=[interval.value],
        y=[y],
        mode="markers",
        marker={"symbol": "line-ns", "size": 20, "line": {"width": thickness, "color": colour}},
        error_x=drawing.error_bars([interval], colour),
        hovertemplate=f"{bold(curve.name)}<br>{name} {milliseconds(interval.value)}{drawing.brackets(interval)}<br>"
        f"{curve.calls:,} calls<extra></extra>",
    )


def _log_x(fig: go.Figure, title: str, bounds: Range) -> None:
    fig.update_xaxes(title=title, type="log", range=bounds, **drawing.log_ticks(bounds))


def _say_above(fig: go.Figure, text: str) -> None:
    """How to read the picture, over its top left corner."""
    fig.add_annotation(text=text, xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom", **_NOTE)


def _ticks(names: Sequence[str], longest: int = 28) -> list[str]:
    return [safe(cut_middle(name, longest)) for name in names]
