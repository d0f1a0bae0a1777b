"""What runs: candidates down, variants across, a tick in each cell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import streamlit as st

from core.analysis.wording import count, device_name, dtype_name, model_names
from core.catalog import stored
from core.engine.grid import missing_devices
from core.engine.prepare import variants_of
from core.export.text import markdown
from core.records import Variant
from pages._ui import cached, frame, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.engine.grid import GridRow
    from core.records import Candidate, Plan, Selection

NAME_WIDTH = 330


def choose(
    selection: Selection, rows: Sequence[GridRow], before: Plan | None
) -> list[tuple[Candidate, tuple[Variant, ...]]]:
    """Each candidate with the variants that are ticked; starts from the plan of the last run."""
    titles = model_names([row.candidate.id for row in rows])
    ticks = [(row.candidate, _row(selection, row, titles[row.candidate.id], before)) for row in rows]
    if absent := missing_devices():
        names = " or ".join(device_name(device) for device in absent)
        st.caption(f":material/developer_board_off: Nothing on {names}: this machine has none.", help=_reasons(absent))
    _ways_out(selection, rows)
    return ticks


def _row(selection: Selection, row: GridRow, title: str, before: Plan | None) -> tuple[Variant, ...]:
    one = row.candidate
    owner = one.id.rpartition("/")[0]
    size = f"{count(one.parameters)} parameters" if one.parameters else None
    facts = " · ".join(filter(None, (owner, size, one.license)))
    if one.source == stored.SOURCE:
        facts = "predictions made elsewhere"
    chosen = []
    with st.container(horizontal=True, vertical_alignment="center", key=f"grid_{one.source}_{one.id}"):
        with st.container(width=NAME_WIDTH, gap=None):
            st.markdown(f"{':red[:material/block:] ' if row.obstacle else ''}**{markdown(title)}**")
            st.caption(markdown(row.obstacle or facts))
        usual = _usual(one, [cell.variant for cell in row.cells], before)
        for cell in row.cells:
            name = f"{device_name(cell.variant.device)} {dtype_name(cell.variant)}".strip() or "score them"
            ticked = st.checkbox(
                f"{name} :orange[:material/warning:]" if cell.warning else name,
                cell.variant in usual and row.obstacle is None,
                key=f"tick_{selection.id}_{one.source}_{one.id}_{cell.variant.device}_{cell.variant.dtype}"
                f"_{cell.variant.backend}_{row.obstacle is None}",
                disabled=row.obstacle is not None,
                help=row.obstacle or cell.warning,
                persist_state="session",
            )
            if ticked and row.obstacle is None:
                chosen.append(cell.variant)
    return tuple(chosen)


def _usual(candidate: Candidate, variants: Sequence[Variant], before: Plan | None) -> list[Variant]:
    """What the last plan had for it; full precision on every device where it had nothing."""
    planned = [one for one in before.candidates if one.model == candidate.id] if before else []
    if before and planned:
        return list(variants_of(planned[0], before))
    usual = dataclasses.replace(Variant(), device="")
    return [one for one in variants if one == stored.VARIANT or dataclasses.replace(one, device="") == usual]


def _reasons(absent: dict[str, str]) -> str:
    return "\n\n".join(markdown(reason) for reason in absent.values())


def _ways_out(selection: Selection, rows: Sequence[GridRow]) -> None:
    """What a person can do about an obstacle: match labels, or look again after terms were accepted."""
    with st.container(horizontal=True):
        if any(row.obstacle and not row.candidate.blocked for row in rows) and st.button(
            "Match labels", icon=":material/rule:", key="to_labels"
        ):
            frame.go("data")
        if st.button(
            "Look at the models again",
            icon=":material/refresh:",
            type="tertiary",
            key="refresh_models",
            help="After you have accepted a model's terms, or when a newer revision shall be measured.",
        ):
            cached.forget_searches()
            for row in rows:
                newest = dataclasses.replace(row.candidate, revision=None, blocked=None)
                cached.store().add_candidate(selection.id, models.with_all_facts(newest))
            st.rerun()
