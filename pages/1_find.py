"""Find: search a catalogue, look at one model's facts, put the promising ones on the shortlist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.catalog import open_catalog, sources
from core.catalog.fit import parse_params
from core.errors import HubUnavailable
from core.records import ModelQuery
from pages._ui import cached, frame, models

if TYPE_CHECKING:
    from core.records import Candidate, Selection

LICENSES = ["permissive", "copyleft", "restricted", "non-commercial", "apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0",
            "cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0", "openrail", "llama3.1", "gemma"]  # fmt: skip
SORTS = {"downloads": "Most downloaded", "likes": "Most liked", "trending": "Trending", "updated": "Last updated",
         "size": "Smallest"}  # fmt: skip
GATED = {"any": None, "open to all": False, "gated only": True}


def page(selection: Selection) -> None:
    filters, results = st.columns([1, 3], gap="medium")
    with filters:
        source, query = _filters(selection)
        shelf = st.container()
    with results:
        _results(selection, source, query)
    with shelf:
        _shortlist(selection)


def _filters(selection: Selection) -> tuple[str, ModelQuery]:
    titles = dict(sources())
    default = "hub" if cached.hub_status().reachable and not selection.example else "samples"
    tasks = registry.tasks()
    with st.form("filters", enter_to_submit=True):
        source = _select("Where", list(titles), "source", titles.get, list(titles).index(default))
        names = list(tasks)
        task = _select("Task", names, "task", lambda name: tasks[name].title, names.index(selection.task or names[0]))
        text = st.text_input("Name contains", key="text", bind="query-params", persist_state="session")
        licenses = st.multiselect(
            "Licence, any of", LICENSES, key="license", bind="query-params", persist_state="session"
        )
        low, high = st.columns(2)
        least = low.text_input(
            "Parameters from", placeholder="10M", key="min", bind="query-params", persist_state="session"
        )
        most = high.text_input("to", placeholder="150M", key="max", bind="query-params", persist_state="session")
        with st.expander("More filters"):
            language = st.text_input(
                "Languages", placeholder="en", key="language", bind="query-params", persist_state="session"
            )
            library = st.text_input(
                "Libraries", placeholder="transformers", key="library", bind="query-params", persist_state="session"
            )
            gated = _select("Access", list(GATED), "gated")
            exclude = st.text_input("Without these words", key="exclude", bind="query-params", persist_state="session")
            after = st.date_input(
                "Updated after", value=None, key="after", bind="query-params", persist_state="session"
            )
            limit = st.number_input(
                "At most", 10, 500, 50, step=10, key="limit", bind="query-params", persist_state="session"
            )
        sort = _select("Order", list(SORTS), "sort", SORTS.get)
        st.form_submit_button("Search", icon=":material/search:", width="stretch")
    return source, ModelQuery(
        task=task,
        text=text.strip(),
        licenses=tuple(licenses),
        min_params=parse_params(least) if least.strip() else None,
        max_params=parse_params(most) if most.strip() else None,
        languages=tuple(language.replace(",", " ").split()),
        libraries=tuple(library.replace(",", " ").split()),
        gated=GATED[gated],
        exclude=tuple(exclude.replace(",", " ").split()),
        updated_after=after.isoformat() if after else None,
        sort=sort,
        limit=int(limit),
    )


def _select(label, options, key, format_func=str, index=0):  # type: ignore[no-untyped-def]
    return st.selectbox(
        label, options, index, format_func=format_func, key=key, bind="query-params", persist_state="session"
    )


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
        column_order=None
        if source == "hub"
        else [name for name in models.COLUMNS if name not in ("page", "downloads", "likes")],
        hide_index=True,
        height=min(560, 38 + 35 * len(found)),
        on_select="rerun",
        selection_mode="multi-row",
        key=f"results_{source}_{hash(query)}",
    )
    chosen = [found[row] for row in event.selection.rows if row < len(found)]
    _chosen(selection, chosen)


def _chosen(selection: Selection, chosen: list[Candidate]) -> None:
    if not chosen:
        st.caption("Tick the models worth a trial; the last one ticked is explained here.")
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f"**{models.total(chosen)} selected**")
        if st.button("Add to shortlist", icon=":material/playlist_add:", key="add"):
            for one in chosen:
                cached.store().add_candidate(selection.id, cached.describe(one.source, one.id, one.revision))
            st.rerun()
    with st.spinner("Reading its files …"):
        last = cached.describe(chosen[-1].source, chosen[-1].id, chosen[-1].revision)
    with st.expander(last.id, expanded=True, icon=":material/info:"):
        models.facts(last)


def _shortlist(selection: Selection) -> None:
    shortlist = cached.store().shortlist(selection.id)
    with st.container(border=True, key="shortlist"):
        st.markdown(f"**Shortlist** · {models.total(shortlist)}" if shortlist else "**Shortlist**")
        if not shortlist:
            st.caption("Empty. Tick models in the table and add them: two to ten make a good comparison.")
        for one in shortlist:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(
                    one.id.replace("_", r"\_") + (" :red[:material/block:]" if one.blocked else ""),
                    width="stretch",
                    help=one.blocked,
                )
                if st.button(
                    "", icon=":material/close:", key=f"remove_{one.id}", type="tertiary", help=f"Take {one.id} off"
                ):
                    cached.store().remove_candidate(selection.id, one.id)
                    st.rerun()
        frame.next_step("Choose the rows", "data", disabled=not shortlist)


frame.run(page)
