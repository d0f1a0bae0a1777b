"""The limits beside the picture: they hold on this page as soon as they move, and for the selection once kept."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import streamlit as st

from core.analysis.wording import count, limits_in_words, megabytes, milliseconds, quality
from core.records import Limits
from pages._ui import cached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from core.analysis.summary import Analysis
    from core.records import Selection

STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Stops of a slider within one power of ten."""
LICENSES = ("permissive", "copyleft", "restricted", "non-commercial", "unknown")


def controls(selection: Selection, run: str, analysis: Analysis) -> Limits:
    """The limits as they are set now, starting from those of the selection."""
    kept, done = selection.limits, analysis.finished
    with st.container(border=True, key="limits"):
        st.markdown("**Limits**")
        calls = [latency for trial in done if (latency := trial.smallest_batch)]
        tails = [tail.value for latency in calls if (tail := latency.tail(95))]
        p95 = _at_most("p95 latency", f"p95_{run}", tails, kept.latency_p95_ms, milliseconds)
        memory = _at_most("Memory", f"memory_{run}", [t.memory() for t in done], kept.memory_mb, megabytes)
        sizes = [facts.parameters for trial in done if (facts := trial.outcome.candidate) and facts.parameters]
        params = _at_most("Parameters", f"params_{run}", sizes, kept.params, lambda value: count(int(value)))
        least = _at_least(run, analysis, kept.min_metrics)
        licenses = _licenses(run, analysis, kept.licenses)
        limits = dataclasses.replace(
            kept,
            latency_p95_ms=p95,
            memory_mb=memory,
            params=None if params is None else int(params),
            licenses=licenses,
            min_metrics=least,
        )
        others = Limits(download_mb=kept.download_mb, min_metrics=_without(kept.min_metrics, analysis.headline.name))
        if words := limits_in_words(others):
            st.caption("Also: " + "; ".join(words))
        _keep(selection, run, limits)
    return limits


def _at_most(
    label: str, key: str, values: Iterable[float], kept: float | None, show: Callable[[float], str]
) -> float | None:
    """A slider over the values that the trials have; its right end is no limit."""
    known = [value for value in values if math.isfinite(value) and value > 0]
    stops = sorted({*_stops(known), *([kept] if kept is not None else [])})
    if not stops:
        return kept
    chosen = _slider(f"{label} at most", [*stops, math.inf], math.inf if kept is None else kept, key, show)
    return None if math.isinf(chosen) else chosen


def _at_least(run: str, analysis: Analysis, kept: Mapping[str, float]) -> Mapping[str, float]:
    """The least headline score; its left end is no limit."""
    metric = analysis.headline
    scores = [score for t in analysis.finished if not math.isnan(score := t.scores[metric.name].value)]
    old = kept.get(metric.name)
    if not scores or not metric.higher_is_better:
        return dict(kept)
    scale = 100 if max(scores) <= 1 else 1
    low, high = math.floor(min(scores) * scale) - 1, math.ceil(max(scores) * scale)
    stops = sorted({step / scale for step in range(max(0, low), high + 1)} | ({old} if old is not None else set()))
    start = -math.inf if old is None else old
    chosen = _slider(f"{metric.title} at least", [-math.inf, *stops], start, f"least_{run}", quality)
    others = _without(kept, metric.name)
    return others if math.isinf(chosen) else {**others, metric.name: chosen}


def _slider(label: str, stops: list[float], start: float, key: str, show: Callable[[float], str]) -> float:
    if st.session_state.get(key, start) not in stops:
        del st.session_state[key]  # a run that goes on has moved the stops
    return float(
        st.select_slider(
            label, stops, start, key=key, format_func=lambda value: "no limit" if math.isinf(value) else show(value)
        )
    )


def _licenses(run: str, analysis: Analysis, kept: tuple[str, ...]) -> tuple[str, ...]:
    """Classes, and the tags that the selection has kept."""
    options = [*LICENSES, *(tag for tag in kept if tag not in LICENSES)]
    chosen = st.multiselect("Licence, any of", options, kept, key=f"licenses_{run}", placeholder="any licence")
    return tuple(chosen)


def _keep(selection: Selection, run: str, limits: Limits) -> None:
    if limits == selection.limits:
        return
    with st.container(horizontal=True):
        if st.button("Keep", icon=":material/bookmark:", key="keep_limits", help="For this selection and its review."):
            cached.store().save_selection(dataclasses.replace(selection, limits=limits))
            st.rerun()
        st.button("Undo", icon=":material/undo:", key="undo_limits", type="tertiary", on_click=_undo, args=(run,))


def _undo(run: str) -> None:
    for name in ("p95", "memory", "params", "least", "licenses"):
        st.session_state.pop(f"{name}_{run}", None)


def _stops(values: list[float]) -> list[float]:
    """Round numbers from below the least to above the largest of the values."""
    if not values:
        return []
    low, high = min(values) / 1.2, max(values) * 1.2
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [
        stop
        for power in range(first, last + 1)
        for step in STEPS
        if low <= (stop := float(f"{step * 10.0**power:.3g}")) <= high
    ]


def _without(metrics: Mapping[str, float], name: str) -> Mapping[str, float]:
    return {key: value for key, value in metrics.items() if key != name}
