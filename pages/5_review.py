"""Review: the decision as a record on one page, what people say of it, and the signature that freezes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages._ui import cached, frame
from pages._ui.compare import runs
from pages._ui.review import desk, discussion, people, record

if TYPE_CHECKING:
    from core.analysis.summary import Analysis
    from core.records import Decision, Selection


def page(selection: Selection) -> None:
    run = runs.choose(selection)
    if run is None:
        frame.missing(
            "Nothing to sign yet",
            "Here a choice is discussed and signed, with its numbers frozen. It needs a finished benchmark.",
            "Plan the benchmark",
            "benchmark",
        )
        return
    analysis = cached.analysis(run)
    decisions = cached.store().decisions(selection.id)
    if not decisions and analysis.run.status not in ("done", "cancelled"):
        frame.missing(
            f"The run is {analysis.run.status}",
            "A decision freezes its numbers, so it waits until they stand still.",
            "Watch the benchmark",
            "benchmark",
        )
        return
    _paper_and_desk(selection, analysis, decisions)


def _paper_and_desk(selection: Selection, analysis: Analysis, decisions: list[Decision]) -> None:
    """The record, and beside it where one speaks and signs; under both what was said."""
    run, ranking = analysis.run, cached.ranking(analysis.run.id, selection.limits)
    names = {trial: analysis.trial(trial).name for trial in ranking.order}
    reviews = cached.store().reviews(selection.id)
    evidence = cached.evidence(run.id, selection.limits)
    paper, side = st.columns([2, 1], gap="medium")
    with paper:
        signed = record.version(decisions)
        if signed is None:
            record.draft(selection, evidence)
        else:
            record.signed(selection, signed, reviews, evidence if signed is decisions[-1] else None)
            frame.next_step("Export", "export")
    with side:
        author = people.name()
        desk.speak(selection, run, author, names)
        finished = {trial: name for trial, name in names.items() if analysis.trial(trial).finished}
        if not finished:
            st.caption("No trial of this run gave a result, so there is nothing to sign.")
            if not decisions:
                frame.next_step("Back to the benchmark", "benchmark")
        elif run.status == "done":
            desk.sign(selection, run, author, finished, ranking, decisions)
        else:
            st.caption(f"The newest run is {run.status}. A new version can be signed when it has ended.")
    discussion.show(reviews, author, names)


frame.run(page)
