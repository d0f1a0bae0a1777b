"""The answer card: which trial to ship, its numbers, why it and not the next one, and who was excluded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import streamlit as st

from core.analysis import answer
from core.analysis.wording import NOTHING, count, file_size, megabytes, milliseconds, quality
from core.export.text import markdown
from pages._ui import frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.analysis.intervals import Interval
    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis, TrialSummary

FEW = 3


def card(analysis: Analysis, ranking: Ranking) -> None:
    """Draw the card."""
    if ranking.winner is None:
        _nobody(analysis, ranking)
        return
    winner = analysis.trial(ranking.winner)
    done, spec = analysis.run.status == "done", winner.outcome.spec
    model, how = answer.shipped(spec.source, spec.model, spec.variant)
    lead = "Ship" if done else "Ahead so far:"
    st.subheader(f"{lead} **{markdown(model)}**{how}", anchor=False)
    st.markdown(markdown(ranking.reason))
    _numbers(analysis, winner)
    _excluded(analysis, ranking)
    with st.container(horizontal=True, vertical_alignment="center"):
        still = None if done else "Others may still overtake it: sign when all trials have ended."
        frame.next_step("Review and sign", "review", disabled=not done, help=still)
        _why_not(analysis, ranking)
        if st.button("Export", icon=":material/package_2:", key="to_export"):
            frame.go("export")


def _nobody(analysis: Analysis, ranking: Ranking) -> None:
    none = "No trial gave a result" if analysis.run.status == "done" else "No answer yet"
    st.subheader("No trial is within the limits" if analysis.finished else none, anchor=False)
    if analysis.finished:
        st.write("Loosen a limit beside the picture, or measure further models.")
    _excluded(analysis, ranking)
    failures = [trial for trial in analysis.trials if trial.outcome.failure]
    for trial in failures[:3]:
        st.text(f"{trial.name}: {trial.outcome.failure.message if trial.outcome.failure else ''}")
    if len(failures) > 3:
        st.caption(f"and {len(failures) - 3} more, in the table of trials.")
    frame.next_step("Back to the benchmark", "benchmark")


def _numbers(analysis: Analysis, winner: TrialSummary) -> None:
    facts, latency = winner.outcome.candidate, winner.smallest_batch
    tail = latency.tail(95) if latency else None
    score = winner.scores[analysis.headline.name]
    with st.container(horizontal=True, gap="medium", key="answer_numbers"):
        _number(analysis.headline.title, quality(score.value), _between(score, quality))
        if latency and not tail:
            _number("Median latency", milliseconds(latency.median.value), f"{latency.calls} calls: too few for p95")
        else:
            interval = _between(tail, milliseconds) if tail else ""
            _number("p95 latency", milliseconds(tail.value) if tail else NOTHING, interval)
        _number("Peak memory", megabytes(winner.memory()), f"model {megabytes(winner.memory('model'))}")
        size = file_size(facts.download_bytes if facts else None)
        _number("Parameters", count(facts.parameters if facts else None), f"download {size}")
        _number("Licence", (facts.license if facts else None) or "unknown", facts.license_class if facts else "")


def _number(label: str, value: str, under: str) -> None:
    st.metric(label, value, under or None, delta_color="off", delta_arrow="off", width="content")


def _between(interval: Interval, show: Callable[[float], str]) -> str:
    if math.isnan(interval.low) or math.isnan(interval.high):
        return ""
    return f"{show(interval.low)} – {show(interval.high)}"


def _excluded(analysis: Analysis, ranking: Ranking) -> None:
    """Who broke which limit; and which limits could not be checked of the winner."""
    lines = [f"{analysis.trial(trial).name}: {'; '.join(broken)}" for trial, broken in ranking.excluded.items()]
    if 0 < len(lines) <= FEW:
        st.caption("Excluded · " + " · ".join(markdown(line) for line in lines))
    elif lines:
        with st.expander(f"{len(lines)} of {len(analysis.finished)} trials excluded", icon=":material/filter_alt:"):
            for line in lines:
                st.text(line)
    unknown = ranking.unknown.get(ranking.winner or "", ())
    if unknown:
        st.warning(f"Not every limit could be checked: {markdown('; '.join(unknown))}.", icon=":material/help:")


def _why_not(analysis: Analysis, ranking: Ranking) -> None:
    second = answer.runner_up(analysis, ranking)
    if second is None:
        return
    with st.popover(f"Why not {markdown(second.name)}?", icon=":material/contrast:"):
        for sentence in second.sentences:
            st.write(markdown(sentence))
