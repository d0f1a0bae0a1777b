"""Every cache of the app. Nothing below the pages knows that it is cached.

Frozen records and analyses are shared between sessions as they are (`cache_resource`): copying a run of 100,000 rows on
each rerun would cost more than reading it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.analysis.ranking import Ranking
    from core.analysis.rows import RowFilter, RowTable
    from core.analysis.summary import Analysis
    from core.catalog import HubStatus
    from core.engine.environment import Device
    from core.records import Candidate, EvalSet, Limits, ModelQuery, RunResult
    from core.store import Store

SEARCH_SECONDS = 300
MACHINE_SECONDS = 3600


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The one store of this process."""
    from core.store import Store

    return Store()


@st.cache_data(ttl=30, show_spinner=False)
def hub_status() -> HubStatus:
    """Whether the Hub answers, asked at most twice a minute."""
    from core.catalog import hub_status

    return hub_status()


@st.cache_data(ttl=MACHINE_SECONDS, show_spinner=False)
def devices() -> tuple[Device, ...]:
    """Where this machine can run models, and with how much memory."""
    from core.engine.environment import devices

    return devices()


def search(source: str, query: ModelQuery) -> list[Candidate]:
    """A catalogue's answer, kept for five minutes per identity: private and gated results are never another's."""
    return _search(source, query, _identity())


def describe(source: str, id: str, revision: str | None = None) -> Candidate:
    """All facts of one model, kept likewise."""
    return _describe(source, id, revision, _identity())


def forget_searches() -> None:
    """Ask the catalogues anew, e.g. after the Hub was down."""
    _search.clear()
    _describe.clear()
    hub_status.clear()


@st.cache_data(ttl=SEARCH_SECONDS, max_entries=200, show_spinner=False)
def _search(source: str, query: ModelQuery, identity: str) -> list[Candidate]:
    from core.catalog import open_catalog

    return open_catalog(source, settings.hub_token()).search(query)


@st.cache_data(ttl=SEARCH_SECONDS, max_entries=500, show_spinner=False)
def _describe(source: str, id: str, revision: str | None, identity: str) -> Candidate:
    from core.catalog import open_catalog

    return open_catalog(source, settings.hub_token()).describe(id, revision)


def _identity() -> str:
    """Names the token without holding it, so that no cache key tells it."""
    return hashlib.sha256((settings.hub_token() or "").encode()).hexdigest()[:16]


def evalset(id: str) -> EvalSet:
    """The rows of that id."""
    return _evalset(id)


@st.cache_resource(max_entries=8, show_spinner=False)
def _evalset(id: str) -> EvalSet:
    return store().evalset(id)


def run(id: str) -> RunResult:
    """A run with all its rows, read again only when something of it changed."""
    return _run(id, store().stamp(id))


def analysis(id: str) -> Analysis:
    """A run, analysed once per change."""
    return _analysis(id, store().stamp(id))


def ranking(id: str, limits: Limits) -> Ranking:
    """Its ranking under these limits."""
    return _ranking(id, store().stamp(id), limits)


def rows(id: str, trials: tuple[str, ...]) -> tuple[RowTable, list[RowFilter]]:
    """Its rows with the answers of these trials, and the sets worth reading."""
    return _rows(id, store().stamp(id), trials)


def figure(id: str, limits: Limits, draw: Callable[..., Any], *options: str | int | None) -> Any:
    """What `draw(analysis, ranking, limits, *options)` gives, kept while run and limits stay."""
    return _figure(id, store().stamp(id), limits, draw.__name__, options, draw)


@st.cache_resource(max_entries=8, show_spinner=False)
def _run(id: str, stamp: str) -> RunResult:
    return store().run(id)


@st.cache_resource(max_entries=8, show_spinner="Comparing the trials …")
def _analysis(id: str, stamp: str) -> Analysis:
    from core.analysis.summary import analyse

    return analyse(_run(id, stamp))


@st.cache_resource(max_entries=64, show_spinner=False)
def _ranking(id: str, stamp: str, limits: Limits) -> Ranking:
    from core.analysis.ranking import choose

    return choose(_analysis(id, stamp), limits)


@st.cache_resource(max_entries=16, show_spinner=False)
def _rows(id: str, stamp: str, trials: tuple[str, ...]) -> tuple[RowTable, list[RowFilter]]:
    from core.analysis.rows import filters, row_table

    table = row_table(_analysis(id, stamp), trials)
    return table, filters(table)


@st.cache_resource(max_entries=256, show_spinner=False)
def _figure(
    id: str, stamp: str, limits: Limits, name: str, options: tuple[str | int | None, ...], _draw: Callable[..., Any]
) -> Any:
    return _draw(_analysis(id, stamp), _ranking(id, stamp, limits), limits, *options)
