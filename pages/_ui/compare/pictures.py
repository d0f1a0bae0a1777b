"""Figures of a run: view, then drawing. `show` keeps each until the run or the limits change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages._ui import cached

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis
    from core.records import Limits


def show(run: str, limits: Limits, draw: Callable[..., Any], *options: str | int | None, alt: str) -> None:
    """One of the functions below as a chart.

    Args:
        run: Its id.
        limits: Those on the page.
        draw: Takes analysis, ranking, limits and the options.
        options: What the picture depends on besides.
        alt: What it shows, for those who cannot see it.
    """
    figure = cached.figure(run, limits, draw, *options)
    st.plotly_chart(figure, key=f"{draw.__name__}_{options}", config={"displayModeBar": False}, alt=alt)


def quality_latency(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """Every trial in the plane, with the front and the limits."""
    from core.analysis import figures, views

    return figures.quality_latency(views.quality_latency(analysis, ranking, limits=limits))


def latency_distribution(analysis: Analysis, ranking: Ranking, limits: Limits, batch_size: int | None) -> Any:
    """Every call of every trial."""
    from core.analysis import figures, views

    return figures.latency_distribution(views.latency_curves(analysis, ranking, batch_size))


def stages(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """Where the time goes."""
    from core.analysis import figures, views

    return figures.stages(views.stages(analysis))


def batch_sweep(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """Rows per second over the batch size."""
    from core.analysis import figures, views

    return figures.batch_sweep(views.batch_sweep(analysis, ranking))


def server(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """p99 over the rate of requests."""
    from core.analysis import serving, serving_figure

    return serving_figure.p99_over_rate(serving.scenarios(analysis))


def memory(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """Peak and model memory."""
    from core.analysis import figures, views

    return figures.memory(views.memory(analysis, ranking))


def devices(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """The same model on each device."""
    from core.analysis import figures, views

    return figures.devices(views.by_device(analysis))


def forest(analysis: Analysis, ranking: Ranking, limits: Limits, baseline: str) -> Any:
    """Every trial minus the baseline."""
    from core.analysis import figures, versus

    return figures.forest(versus.forest(analysis, baseline), analysis.trial(baseline).name, analysis.headline)


def differences(analysis: Analysis, ranking: Ranking, limits: Limits) -> Any:
    """All pairs."""
    from core.analysis import figures, versus

    return figures.differences(versus.differences(analysis), analysis.headline)


def confusion(analysis: Analysis, ranking: Ranking, limits: Limits, trial: str) -> Any:
    """References against answers of one trial; its caller has seen that there is a matrix."""
    from core.analysis import classes, figures

    matrix = classes.confusion(analysis, trial)
    assert matrix is not None
    return figures.confusion(matrix)
