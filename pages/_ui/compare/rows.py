"""The tab where people spend their time: the rows that tell trials apart, one at a time if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import streamlit as st

from core.analysis.rows import search
from core.analysis.wording import NOTHING, quality
from core.export.text import markdown
from pages._ui import cached, frame, media

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.analysis.rows import RowFilter, RowTable
    from core.records import Limits

PER_PAGE = 50
SHOWN_TRIALS = 4
RIGHT, WRONG = "background-color: rgba(0, 158, 115, 0.16)", "background-color: rgba(213, 94, 0, 0.20)"


@st.fragment
def show(run: str, limits: Limits) -> None:
    """Filter, search, table of a page of rows, and the row chosen in full. A fragment: stepping redraws only this."""
    analysis, ranking = cached.analysis(run), cached.ranking(run, limits)
    names = {id: analysis.trial(id).name for id in ranking.order if len(analysis.trial(id).positions)}
    if not names:
        st.info("No trial has answered a row yet.", icon=":material/hourglass_empty:")
        return
    whose, words = st.columns([3, 2], gap="medium")
    trials = whose.multiselect(
        "Answers of", list(names), list(names)[:SHOWN_TRIALS], format_func=names.__getitem__, key=f"rows_of_{run}"
    )
    wanted = words.text_input(
        "Search", key="words", bind="query-params", icon=":material/search:", placeholder="Words in text or answers"
    )
    if not trials:
        st.info("Choose the trials whose answers to read.", icon=":material/checklist:")
        return
    table, filters = cached.rows(run, tuple(sorted(trials)))
    positions = search(table, wanted or "", _chip(table, filters).positions)
    if not len(positions):
        st.info("No row matches. Choose another set, or take a word away.", icon=":material/search_off:")
        return
    place = _place(table, positions)
    page = place // PER_PAGE
    order = [table.trials.index(trial) for trial in trials]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _page_of_rows(run, table, positions, page, place, order)
    with right:
        _one_row(table, positions, place, order)


def _chip(table: RowTable, filters: list[RowFilter]) -> RowFilter:
    """The set of rows that is pressed, of those worth reading."""
    sets = {one.key: one for one in filters if len(one) or one.key in ("all", "disagree", "all_wrong")}
    if len(table.trials) != 3:  # of two, only A wrong is only B right; of many, it is a chip too many for each
        sets = {key: one for key, one in sets.items() if not key.startswith("only_wrong")}
    usual = "disagree" if len(sets.get("disagree", ())) else "all"
    _follow_link("filter", default="all" if "row" in st.query_params else usual)
    if st.session_state["filter"] not in sets:
        st.session_state["filter"] = usual
    chosen = st.pills(
        "Rows",
        list(sets),
        format_func=lambda key: f"{sets[key].title} **{len(sets[key]):,}**",
        required=True,
        key="filter",
        persist_state="session",
    )
    _update_link("filter", str(chosen))
    return sets[str(chosen)]


def _place(table: RowTable, positions: NDArray[Any]) -> int:
    """Where in these rows the chosen one is; the first where it is not among them."""
    _follow_link("row", default="")
    ids = [table.ids[position] for position in positions.tolist()]
    wanted = st.session_state["row"]
    place = ids.index(wanted) if wanted in ids else 0
    st.session_state["row"] = ids[place]
    _update_link("row", ids[place])
    return place


def _follow_link(name: str, default: str) -> None:
    """Take a value from the address where a link has brought it; else what was chosen before stays."""
    linked = st.query_params.get(name)
    if linked is not None and linked != st.session_state.get(f"{name}_in_link"):
        st.session_state[name] = linked
    st.session_state.setdefault(name, default)


def _update_link(name: str, value: str) -> None:
    st.session_state[f"{name}_in_link"] = st.query_params[name] = value


def _go(ids: Sequence[str], place: int) -> None:
    st.session_state["row"] = ids[min(max(place, 0), len(ids) - 1)]


def _page_of_rows(run: str, table: RowTable, positions: NDArray[Any], page: int, place: int, order: list[int]) -> None:
    first = page * PER_PAGE
    on_page = positions[first : first + PER_PAGE].tolist()
    key = f"row_table_{run}"
    st.session_state[key] = {"selection": {"rows": [place - first], "columns": []}}
    st.dataframe(
        _styled(table, on_page, order),
        hide_index=True,
        height=min(560, 40 + 35 * len(on_page)),
        column_config=_columns(table, order),
        on_select=lambda: _select([table.ids[row] for row in on_page], key),
        selection_mode="single-row-required",
        key=key,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Row {place + 1:,} of {len(positions):,}", width="content")
        if len(positions) > PER_PAGE:
            _pages([table.ids[row] for row in positions[::PER_PAGE].tolist()], page)


def _pages(firsts: list[str], page: int) -> None:
    """A way to each page, given the first row of each."""
    key = f"rows_page_{page}"  # of the page it shows: stepping over its end draws a new one
    st.pagination(len(firsts), default=page + 1, key=key, on_change=lambda: _go(firsts, st.session_state[key] - 1))


def _select(ids: list[str], key: str) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        st.session_state["row"] = ids[rows[0]]


def _styled(table: RowTable, rows: list[int], order: list[int]) -> Any:
    """The page as a table: what was asked, what is right, and each answer with its sign and colour."""
    lines = [
        {
            "text": " · ".join(table.asked(row).values()),
            "reference": table.wanted(row),
            **{table.trials[index]: _signed(table, index, row) for index in order},
        }
        for row in rows
    ]
    columns = [table.trials[index] for index in order]
    frame = pd.DataFrame(lines)
    colours = pd.DataFrame(
        [[_colour(table, index, row) for index in order] for row in rows], columns=columns, index=frame.index
    )
    return frame.style.apply(lambda _: colours, axis=None, subset=columns)


def _columns(table: RowTable, order: list[int]) -> dict[str, Any]:
    column = st.column_config
    width: Literal["medium"] | None = None if table.compares_answers else "medium"
    answers = {table.trials[index]: column.TextColumn(table.names[index], width=width) for index in order}
    return {
        "text": column.TextColumn("Text", width="medium", pinned=True),
        "reference": column.TextColumn("Reference", width=width),
        **answers,
    }


def _one_row(table: RowTable, positions: NDArray[Any], place: int, order: list[int]) -> None:
    """The chosen row in full, with what every chosen trial made of it."""
    row = int(positions[place])
    ids = [table.ids[position] for position in positions.tolist()]
    with st.container(border=True, key="row_details"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"Row {markdown(table.ids[row])}", width="stretch")
            _step("Previous", ids, place - 1, "K", place == 0)
            _step("Next", ids, place + 1, "J", place == len(ids) - 1)
            if st.button("Comment", icon=":material/add_comment:", key="row_comment"):
                frame.go("review", {"row": table.ids[row]})
        words = table.asked(row)
        for word, value in table.inputs[row].items():
            media.show(table.kinds.get(word, "text"), value, words[word])
        st.caption("Reference")
        st.text(table.wanted(row))
        st.caption("Answers")
        for index in order:
            _answer(table, index, row)


def _answer(table: RowTable, index: int, row: int) -> None:
    """One trial's answer; a label beside the name, a text under it."""
    name, words = markdown(table.names[index]), table.given(index, row)
    if not table.answered[index, row]:
        st.markdown(f":gray[:material/hourglass_empty:] {name}: not answered yet")
        return
    if not table.judged:
        st.markdown(f"{name}: **{markdown(words)}**")
        return
    right = bool(table.right[index, row])
    sign = ":green[:material/check_circle:]" if right else ":red[:material/cancel:]"
    verdict = "right" if right else "wrong"
    if table.compares_answers:
        st.markdown(f"{sign} **{markdown(words)}** · {name} · {verdict}")
        return
    st.markdown(f"{sign} {name} · {verdict}, {quality(float(table.scores[index, row]))}")
    st.text(words)


def _step(label: str, ids: list[str], place: int, shortcut: str, disabled: bool) -> None:
    icon = ":material/arrow_upward:" if label == "Previous" else ":material/arrow_downward:"
    st.button(
        label, icon=icon, shortcut=shortcut, disabled=disabled, key=f"row_{label}", on_click=_go, args=(ids, place)
    )


def _signed(table: RowTable, index: int, row: int) -> str:
    if not table.answered[index, row]:
        return NOTHING
    sign = "" if not table.judged else "✓ " if table.right[index, row] else "✗ "
    return f"{sign}{table.given(index, row)}"


def _colour(table: RowTable, index: int, row: int) -> str:
    if not (table.judged and table.answered[index, row]):
        return ""
    return RIGHT if table.right[index, row] else WRONG
