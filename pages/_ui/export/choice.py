"""Which trial is exported: the signed one, else the rule's, else the one in the address or picked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core import codec
from core.records import Limits
from pages._ui import cached, frame
from pages._ui.compare import runs

if TYPE_CHECKING:
    from core.analysis.summary import Analysis
    from core.records import Decision, Selection


@dataclass(frozen=True)
class Choice:
    """What the exports are about."""

    run: str
    trial: str
    limits: Limits
    """Those of the signed version, else those of the selection."""
    note: str
    """How the trial came to be chosen."""
    signed: bool


def choose(selection: Selection) -> Choice | None:
    """Pick run and trial. None where no trial of the run has a result; the page then says so."""
    decisions = cached.store().decisions(selection.id)
    signed = decisions[-1] if decisions else None
    run = runs.choose(selection, signed.run if signed else None)
    if run is None:
        frame.missing(
            "Nothing to export yet",
            "Here the choice leaves the house: a plan to re-run it, a script to use it, a report to share it.",
            "Plan the benchmark",
            "benchmark",
        )
        return None
    analysis = cached.analysis(run)
    if not analysis.finished:
        _nothing(analysis)
        return None
    if signed and signed.run != run:
        signed = None
    limits = codec.decode(Limits, signed.evidence["limits"]) if signed else selection.limits
    return _trial(analysis, signed, limits)


def _trial(analysis: Analysis, signed: Decision | None, limits: Limits) -> Choice:
    run = analysis.run.id
    ranking = cached.ranking(run, limits)
    names = {trial: analysis.trial(trial).name for trial in ranking.order if analysis.trial(trial).finished}
    usual = signed.trial if signed else ranking.winner or next(iter(names))
    wanted = st.query_params.get("trial", "")
    trial: str = st.selectbox(
        "Trial to export",
        list(names),
        list(names).index(wanted if wanted in names else usual),
        format_func=names.__getitem__,
        key=f"export_of_{run}",
    )
    if trial == usual:
        st.query_params.pop("trial", None)
    else:
        st.query_params["trial"] = trial
    if signed:
        words = f"version {signed.version}, signed by {signed.author}"
        note = f"This is the choice of {words}." if trial == signed.trial else f"Not the choice of {words}."
    elif trial == ranking.winner:
        note = "Nothing is signed for this run yet. This is what the rule picks."
    elif ranking.winner:
        note = "Nothing is signed for this run yet, and this is not what the rule picks."
    else:
        note = "Nothing is signed for this run yet, and the rule picks none: every trial breaks a limit."
    return Choice(run, trial, limits, note, bool(signed))


def _nothing(analysis: Analysis) -> None:
    going_on = analysis.run.status in ("queued", "running", "paused")
    frame.missing(
        "No trial has a result yet" if going_on else "No trial gave a result",
        f"The run is {analysis.run.status}. An export is about one finished trial."
        if going_on
        else "An export is about one finished trial. The benchmark says why each one failed.",
        "Watch the benchmark" if going_on else "Back to the benchmark",
        "benchmark",
    )
    for trial in analysis.trials:
        if trial.outcome.failure:
            st.text(f"{trial.name}: {trial.outcome.failure.message}")
