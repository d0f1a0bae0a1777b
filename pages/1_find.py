"""Find: search a catalogue, look at one model's facts, put the promising ones on the shortlist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core import codec
from core.catalog import open_catalog
from core.errors import HubUnavailable
from core.export.text import markdown
from pages._ui import cached, filters, frame, models

if TYPE_CHECKING:
    from core.records import Candidate, ModelQuery, Selection


def page(selection: Selection) -> None:
    with st.container(key="results_first_on_phones"):
        side, results = st.columns([1, 3], gap="medium")
    with side:
        source, query = filters.model_filters(selection)
        shelf = st.container()
    with results:
        _results(selection, source, query)
    with shelf:
        _shortlist(selection)


def _results(selection: Selection, source: str, query: ModelQuery) -> None:
    title = open_catalog(source).title
    try:
        with st.spinner(f"Asking {title} …", show_time=True):
            found = cached.search(source, query)
    except HubUnavailable as error:
        frame.show_error(error)
        if st.button("Try again", icon=":material/refresh:"):
            cached.forget_searches()
            st.rerun()
        return
    if source == "samples" and not cached.hub_status().reachable:
        st.caption(":material/cloud_off: The Hub does not answer here, so these are the models bundled with Shortlist.")
    st.markdown(models.in_words(len(found), title, query))
    if not found:
        st.info(
            "Nothing matches. Widen the size, allow more licences, or take a word away.", icon=":material/search_off:"
        )
        return
    event = st.dataframe(
        models.frame(found),
        column_config=models.COLUMNS,
        column_order=models.columns(source),
        hide_index=True,
        placeholder="–",
        height=min(560, 38 + 35 * len(found)),
        on_select="rerun",
        selection_mode="multi-row",
        key=f"results_{source}_{codec.identity(query)}",
    )
    chosen = [found[row] for row in event.selection.rows if row < len(found)]
    _chosen(selection, chosen)


def _chosen(selection: Selection, chosen: list[Candidate]) -> None:
    if not chosen:
        st.caption("Tick the models worth a trial; the last one ticked is explained here.")
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(models.total(chosen, "selected"))
        if st.button("Add to shortlist", icon=":material/playlist_add:", key="add"):
            for one in chosen:
                cached.store().add_candidate(selection.id, models.with_all_facts(one))
            st.rerun()
    with st.spinner("Reading its files …"):
        last = models.with_all_facts(chosen[-1])
    with st.expander(markdown(last.id), expanded=True, icon=":material/info:"):
        models.facts(last)


def _shortlist(selection: Selection) -> None:
    shortlist = cached.store().shortlist(selection.id)
    with st.container(border=True, key="shortlist"):
        what = "model" if len(shortlist) == 1 else "models"
        st.markdown("**Shortlist**" + (f" · {models.total(shortlist, what)}" if shortlist else ""))
        if not shortlist:
            st.caption("Empty. Tick models in the table and add them: two to ten make a good comparison.")
        for one in shortlist:
            with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
                st.markdown(
                    f":small[{markdown(one.id)}]" + (" :red[:material/block:]" if one.blocked else ""),
                    width="stretch",
                    help=markdown(one.blocked) if one.blocked else None,
                )
                if st.button(
                    "",
                    icon=":material/close:",
                    key=f"remove_{one.id}",
                    type="tertiary",
                    help=f"Take {markdown(one.id)} off",
                ):
                    cached.store().remove_candidate(selection.id, one.id)
                    st.rerun()
        frame.next_step("Choose the rows", "data", disabled=not shortlist)


frame.run(page)
