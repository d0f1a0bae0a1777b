"""What runs: candidates down, variants across, a tick in each cell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.analysis.wording import count, device_name, dtype_name, model_names
from core.catalog import stored
from core.engine.grid import missing_devices
from core.engine.prepare import variants_of
from core.export.text import markdown
from core.records import Variant
from pages._ui import cached, frame, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.engine.grid import Cell, GridRow
    from core.records import Candidate, Plan, Selection

NAME_WIDTH = 330


def choose(
    selection: Selection, rows: Sequence[GridRow], before: Plan | None
) -> list[tuple[Candidate, tuple[Variant, ...]]]:
    """Each candidate with the variants that are ticked; starts from the plan of the last run."""
    titles = model_names([row.candidate.id for row in rows])
    usual = [_row(selection, row, titles[row.candidate.id], before) for row in rows]
    further = _further(selection, rows, titles, before)
    ticks = [(row.candidate, (*these, *those)) for row, these, those in zip(rows, usual, further, strict=True)]
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
    with st.container(horizontal=True, vertical_alignment="center", key=f"grid_{one.source}_{one.id}"):
        with st.container(width=NAME_WIDTH, gap=None):
            st.markdown(f"{':red[:material/block:] ' if row.obstacle else ''}**{markdown(title)}**")
            st.caption(markdown(row.obstacle or facts))
        usual = _usual(one, [cell.variant for cell in row.cells], before)
        return _ticked(selection, row, row.cells, usual)


def _further(
    selection: Selection, rows: Sequence[GridRow], titles: dict[str, str], before: Plan | None
) -> list[tuple[Variant, ...]]:
    """The other runtimes, out of the way: what each candidate runs in beside the usual one."""
    planned = {row.candidate.id: _planned(row.candidate, before) for row in rows}
    offered = [row for row in rows if row.further]
    opened = any(cell.variant in planned[row.candidate.id] for row in offered for cell in row.further)
    if not offered:
        return [() for _ in rows]
    with st.expander("Other runtimes and quantizations", opened, icon=":material/speed:"):
        st.caption("What a model loses and gains in each, beside itself at fp32: *Variants* on the Compare page.")
        chosen = []
        for row in rows:
            if row.further:
                st.markdown(f"**{markdown(titles[row.candidate.id])}**")
            with st.container(horizontal=True, key=f"further_{row.candidate.source}_{row.candidate.id}"):
                chosen.append(_ticked(selection, row, row.further, planned[row.candidate.id]))
    return chosen


def _ticked(selection: Selection, row: GridRow, cells: Sequence[Cell], usual: Sequence[Variant]) -> tuple[Variant, ...]:
    """A box for each cell; those that are ticked and can run."""
    one, chosen = row.candidate, []
    for cell in cells:
        variant, obstacle = cell.variant, row.obstacle or cell.obstacle
        ticked = st.checkbox(
            f"{_name(variant)} :orange[:material/warning:]" if cell.warning else _name(variant),
            variant in usual and obstacle is None,
            key=f"tick_{selection.id}_{one.source}_{one.id}_{variant.device}_{variant.dtype}_{variant.backend}"
            f"_{variant.quantization}_{obstacle is None}",
            disabled=obstacle is not None,
            help=obstacle or cell.warning,
            persist_state="session",
        )
        if ticked and obstacle is None:
            chosen.append(variant)
    return tuple(chosen)


def _name(variant: Variant) -> str:
    if not variant.device:
        return "score them"
    if variant.backend == Variant().backend:
        return f"{device_name(variant.device)} {dtype_name(variant)}"
    return f"{registry.backend(variant.backend).title} {dtype_name(variant)}"


def _usual(candidate: Candidate, variants: Sequence[Variant], before: Plan | None) -> list[Variant]:
    """What the last plan had for it; full precision on every device where it had nothing."""
    planned = _planned(candidate, before)
    return planned or [variant for variant in variants if variant.dtype in ("float32", stored.VARIANT.dtype)]


def _planned(candidate: Candidate, before: Plan | None) -> list[Variant]:
    planned = [one for one in before.candidates if one.model == candidate.id] if before else []
    return list(variants_of(planned[0], before)) if before and planned else []


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
