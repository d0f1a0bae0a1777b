"""Each candidate beside itself: what other runtimes and precisions cost in quality and give in speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.analysis.variants import VariantRow, by_variant
from core.analysis.wording import NOTHING, SCREENING, megabytes, points, quality_between, rate, three_digits
from core.export.text import markdown
from pages._ui import cached

if TYPE_CHECKING:
    from core.analysis.intervals import Interval
    from core.metrics.base import Metric
    from core.records import Limits


def show(run: str, limits: Limits) -> None:
    """A line for each way that a candidate ran, against its own float32; what did not run says why."""
    analysis = cached.analysis(run)
    rows = by_variant(analysis)
    if not rows:
        st.info(
            "No model has run in two ways. Tick bf16, or another runtime, beside CPU fp32 on the Benchmark page.",
            icon=":material/speed:",
        )
        return
    ran = [row for row in rows if row.failure is None]
    st.dataframe(
        pd.DataFrame([_line(row, analysis.headline) for row in ran]), hide_index=True, column_config=_columns()
    )
    st.caption(
        f"{analysis.headline.title} and speed against the same model at CPU fp32 in PyTorch, 95 % intervals; speed on "
        "the same requests by turns."
    )
    if any(row.screened for row in ran):
        st.caption(SCREENING)
    for row in ran:
        if row.no_speed:
            st.caption(f"{markdown(f'{row.model}, {row.variant}')}: speed not compared, {row.no_speed}.")
    for row in rows:
        if row.failure is not None:
            st.text(f"{row.model}, {row.variant}: {row.failure}")


def _line(row: VariantRow, metric: Metric) -> dict[str, Any]:
    return {
        "Model": row.model,
        "Variant": row.variant,
        metric.title: quality_between(row.score),
        "Quality": _loss(row, metric),
        "Speed": "1× (reference)" if row.reference else _times(row.speed),
        "Rows/s": rate(row.rows_per_second, row.screened),
        "Memory": megabytes(row.memory_mb),
        "Prepared in": NOTHING if row.prepare_seconds != row.prepare_seconds else f"{row.prepare_seconds:.0f} s",
    }


def _loss(row: VariantRow, metric: Metric) -> str:
    pair = row.difference
    if pair is None:
        return NOTHING
    low, high = points(pair.low, metric.percent), points(pair.high, metric.percent)
    return f"{points(pair.difference, metric.percent)} ({low} to {high}){' *' if pair.significant else ''}"


def _times(speed: Interval) -> str:
    if speed.value != speed.value:
        return NOTHING
    shown = f"{three_digits(speed.value)}×"
    return shown if speed.low != speed.low else f"{shown} ({three_digits(speed.low)}–{three_digits(speed.high)})"


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Model": column.TextColumn(pinned=True),
        "Quality": column.TextColumn(
            "Difference", help="Points where the metric is a share; * is more than chance, after Holm within the model."
        ),
        "Speed": column.TextColumn(help="How many times faster one request of the smallest batch is answered."),
        "Rows/s": column.TextColumn(help="In the quality pass, whose batches each trial chooses for itself."),
        "Memory": column.TextColumn(help="Peak over the worker's baseline."),
        "Prepared in": column.TextColumn(help="Exporting or compiling: paid once, ahead of time."),
    }
