"""The filters of a search. They live in the address, so a link reopens the same search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.catalog import sources
from core.catalog.fit import parse_params
from core.records import ModelQuery
from pages._ui import cached

if TYPE_CHECKING:
    from core.records import Selection

LICENSES = (
    "permissive",
    "copyleft",
    "restricted",
    "non-commercial",
    *("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0"),
    *("openrail", "llama3.1", "gemma"),
)
SORTS = {
    "downloads": "Most downloaded",
    "likes": "Most liked",
    "trending": "Trending",
    "updated": "Last updated",
    "size": "Smallest",
}
FIRST = "text-classification"
"""The task that is chosen before anyone chooses: the Hub has most models for it."""
GATED = {"any": None, "open to all": False, "gated only": True}


def model_filters(selection: Selection) -> tuple[str, ModelQuery]:
    """The form; it asks nothing until it is sent. Returns the catalogue and the query. Raises UserError."""
    titles = dict(sources())
    default = "hub" if cached.hub_status().reachable and not selection.example else "samples"
    tasks = registry.tasks()
    names = list(tasks)
    with st.form("filters"):
        source = _choice("Where", list(titles), "source", titles, list(titles).index(default))
        titles_of_tasks = {name: task.title for name, task in tasks.items()}
        task = _choice("Task", names, "task", titles_of_tasks, names.index(selection.task or FIRST))
        text = _text("Name contains", "text")
        licenses = st.multiselect(
            "Licence, any of", LICENSES, key="license", bind="query-params", persist_state="session", placeholder="any"
        )
        low, high = st.columns(2)
        with low:
            least = _text("Parameters from", "min", "10M")
        with high:
            most = _text("to", "max", "150M")
        with st.expander("More filters"):
            languages = _text("Languages", "language", "en")
            libraries = _text("Libraries", "library", "transformers")
            gated = _choice("Access", list(GATED), "gated")
            exclude = _text("Without these words", "exclude")
            after = st.date_input("Updated after", None, key="after", bind="query-params", persist_state="session")
            limit = st.number_input(
                "At most", 10, 500, 50, 10, key="limit", bind="query-params", persist_state="session"
            )
        sort = _choice("Order", list(SORTS), "sort", SORTS)
        st.form_submit_button("Search", icon=":material/search:", width="stretch")
    return source, ModelQuery(
        task=task,
        text=text,
        licenses=tuple(licenses),
        min_params=parse_params(least) if least else None,
        max_params=parse_params(most) if most else None,
        languages=_words(languages),
        libraries=_words(libraries),
        gated=GATED[gated],
        exclude=_words(exclude),
        updated_after=after.isoformat() if after else None,
        sort=sort,  # type: ignore[arg-type]
        limit=limit,
    )


def _choice(label: str, options: list[str], key: str, titles: dict[str, str] | None = None, index: int = 0) -> str:
    chosen: str = st.selectbox(
        label,
        options,
        index,
        format_func=lambda option: (titles or {}).get(option, option),
        key=key,
        bind="query-params",
        persist_state="session",
    )
    return chosen


def _text(label: str, key: str, placeholder: str = "") -> str:
    typed = st.text_input(label, key=key, placeholder=placeholder, bind="query-params", persist_state="session")
    return typed.strip()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
