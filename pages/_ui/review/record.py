"""The decision as a record on one page: a signed version as it was frozen, or the draft of the next one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.analysis.record import record
from core.analysis.wording import NOTHING, megabytes, milliseconds, quality, three_digits
from core.export.text import markdown
from core.review import dissent, outdated
from pages._ui.review.people import signed_line, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.analysis.record import Line, Record
    from core.records import Decision, Review, Selection

CHOSEN = "background-color: rgba(11, 110, 105, 0.16)"


def version(decisions: Sequence[Decision]) -> Decision | None:
    """The version in the address, else the latest; with a picker where there are several. None where none is signed."""
    if not decisions:
        return None
    by_number = {decision.version: decision for decision in reversed(decisions)}
    if len(decisions) == 1:
        return decisions[0]
    wanted, latest = st.query_params.get("version", ""), decisions[-1].version
    chosen = st.segmented_control(
        "Version",
        list(by_number),
        format_func=lambda number: f"Version {number}",
        default=int(wanted) if wanted.isdecimal() and int(wanted) in by_number else latest,
        required=True,
        key=f"version_of_{latest}",
        label_visibility="collapsed",
    )
    if chosen == latest:
        st.query_params.pop("version", None)
    else:
        st.query_params["version"] = str(chosen)
    return by_number[chosen]


def signed(selection: Selection, decision: Decision, reviews: Sequence[Review], now: Mapping[str, Any] | None) -> None:
    """A version as it was signed. `now`: today's evidence, to say whether something has changed since."""
    page = record(decision.evidence, decision.trial)
    with st.container(border=True, key="record"):
        _head(selection, page)
        st.text(decision.reason)
        signed_line(decision)
        if now is not None and outdated(decision, now):
            st.warning(
                "Run or limits have changed since. This record keeps the numbers that were signed; "
                "sign a new version to take the new ones.",
                icon=":material/history:",
            )
        _evidence(page)
        _dissent(page, dissent(reviews, decision))


def draft(selection: Selection, evidence: Mapping[str, Any]) -> None:
    """What would be signed now: the choice of the rule."""
    page = record(evidence, evidence["winner"])
    with st.container(border=True, key="record"):
        _head(selection, page)
        proposed = (
            "Proposed by the rule, signed by nobody yet." if page.chosen else "The rule picks none of these trials."
        )
        st.markdown(f":orange-badge[:material/edit_note: Draft] {proposed}")
        _evidence(page)


def _head(selection: Selection, page: Record) -> None:
    st.caption(markdown(f"Which model do we ship for {selection.name}?"))
    st.subheader(markdown(page.heading), anchor=False)


def _evidence(page: Record) -> None:
    if page.chosen:
        _numbers(page, page.chosen)
    for label, text in (
        ("The rule", page.rule),
        ("Limits", "; ".join(page.limits) or "none set"),
        ("Measured", page.data),
    ):
        _labelled(label, text)
    if page.lines:
        _table(page)
    if page.without_result:
        _labelled("Without a result", *page.without_result)


def _labelled(label: str, *texts: str) -> None:
    with st.container(gap="xsmall"):
        st.caption(label)
        for text in texts:
            st.text(text)


def _numbers(page: Record, line: Line) -> None:
    with st.container(horizontal=True, gap="medium"):
        st.metric(page.metric.title, quality(line.score.value), width="content")
        st.metric("95 % interval", _between(line), width="content")
        if math.isnan(line.p95_ms):
            st.metric("Median latency", milliseconds(line.p50_ms), width="content")
        else:
            st.metric("p95 latency", milliseconds(line.p95_ms), width="content")
        st.metric("Peak memory", megabytes(line.memory_mb), width="content")


def _between(line: Line) -> str:
    low, high = quality(line.score.low), quality(line.score.high)
    return NOTHING if NOTHING in (low, high) else f"{low}–{high}"


def _table(page: Record) -> None:
    """Every trial with a result, best first, the chosen one coloured."""
    table = pd.DataFrame(
        [
            {
                "trial": line.name,
                "score": line.score.value,
                "interval": _between(line),
                "p50": line.p50_ms,
                "p95": line.p95_ms,
                "memory": line.memory_mb,
                "verdict": line.verdict,
            }
            for line in page.lines
        ]
    )
    chosen = [line is page.chosen for line in page.lines]
    formats = {"score": quality, "p50": three_digits, "p95": three_digits, "memory": "{:,.0f}".format}
    styled = table.style.format(formats, na_rep=NOTHING)
    column = st.column_config
    st.dataframe(
        styled.apply(lambda _: [CHOSEN if one else "" for one in chosen]),
        hide_index=True,
        height=min(460, 40 + 35 * len(table)),
        column_config={
            "trial": column.TextColumn("Trial", pinned=True),
            "score": column.NumberColumn(page.metric.title),
            "interval": column.TextColumn("95 %", alignment="right"),
            "p50": column.NumberColumn("p50 (ms)", help="At the smallest batch size."),
            "p95": column.NumberColumn("p95 (ms)", help="From 100 calls on, else empty."),
            "memory": column.NumberColumn("Memory (MB)", help="Peak over the worker's baseline."),
            "verdict": column.TextColumn("Verdict", width="medium"),
        },
    )


def _dissent(page: Record, against: Sequence[Review]) -> None:
    st.caption("Dissent")
    if not against:
        st.text("Nobody had voted against it.")
    names = {line.trial: line.name for line in page.lines}
    for review in against:
        word(review, names)
