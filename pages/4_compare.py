"""Compare: the answer first, then quality against latency with the limits beside it, then everything it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages._ui import cached, frame
from pages._ui.compare import answer, charts, errors, limits, pictures, rows, runs, statistics, trials, variants

if TYPE_CHECKING:
    from core.records import Selection

TABS = {
    "Trials": trials.show,
    "CPU vs GPU": trials.devices,
    "Variants": variants.show,
    "Latency": charts.latency,
    "Memory": charts.memory,
    "Statistics": statistics.show,
    "Errors": errors.show,
    "Rows": rows.show,
}


def page(selection: Selection) -> None:
    run = runs.choose(selection)
    if run is None:
        frame.missing(
            "Nothing is measured yet",
            "Here stands which model to ship, as soon as a benchmark has given its first results.",
            "Plan the benchmark",
            "benchmark",
        )
        return
    analysis = cached.analysis(run)
    runs.progress(run, analysis.run)
    card, chosen = st.container(border=True, key="answer"), selection.limits
    if analysis.finished:
        picture, controls = st.columns([3, 1], gap="medium")
        with controls:
            chosen = limits.controls(selection, run, analysis)
        with picture:
            pictures.show(run, chosen, pictures.quality_latency, alt="Quality against latency of every trial")
    with card:
        answer.card(analysis, cached.ranking(run, chosen))
    tabs = st.tabs(list(TABS), key="tab", bind="query-params")
    for tab, show in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                show(run, chosen)


frame.run(page)
