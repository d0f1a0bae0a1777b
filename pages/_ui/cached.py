"""Every cache of the app. Nothing below the pages knows that it is cached.

Frozen records and analyses are shared between sessions as they are (`cache_resource`): copying a run of 100,000 rows on
each rerun would cost more than reading it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from core import codec, settings
from core.records import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.analysis.intervals import Interval
    from core.analysis.live import LiveRow
    from core.analysis.ranking import Ranking
    from core.analysis.rows import RowFilter, RowTable
    from core.analysis.summary import Analysis
    from core.catalog import HubStatus
    from core.data import Loaded, Table
    from core.data.predictions import Joined
    from core.engine.environment import Device
    from core.metrics.base import Metric
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


def table(spec: DatasetSpec) -> Table:
    """The rows of a file or Hub data set as they were read. Raises UserError."""
    source = DatasetSpec(spec.path, spec.repo, spec.config, spec.split, spec.revision, spec.reader, spec.columns)
    return _table(codec.identity(source), source, _identity())


def loaded(spec: DatasetSpec, task: str) -> Loaded:
    """Those rows under the task's words, ready for a run. Raises UserError."""
    return _loaded(codec.identity([spec, task]), spec, task, _identity())


def hub_layout(repo: str) -> dict[str, list[str]]:
    """Configurations of a Hub data set with their splits. Raises UserError."""
    return _hub_layout(repo, _identity())


@st.cache_resource(ttl=SEARCH_SECONDS, max_entries=4, show_spinner="Reading the rows …")
def _table(name: str, _spec: DatasetSpec, identity: str) -> Table:
    from core.data import load_table

    return load_table(_spec, settings.hub_token())


@st.cache_resource(ttl=SEARCH_SECONDS, max_entries=8, show_spinner=False)
def _loaded(name: str, _spec: DatasetSpec, task: str, identity: str) -> Loaded:
    from core import registry
    from core.data import build

    return build(table(_spec), _spec, registry.task(task))


def stored_predictions(path: str, evalset: str, labels: Mapping[str, str]) -> tuple[Joined, Metric, Interval]:
    """Predictions of a file joined with the rows of that id, and the headline metric over them. Raises UserError."""
    return _stored_predictions(path, evalset, tuple(sorted(labels.items())))


@st.cache_resource(max_entries=8, show_spinner="Joining the predictions …")
def _stored_predictions(
    path: str, evalset: str, labels: tuple[tuple[str, str], ...]
) -> tuple[Joined, Metric, Interval]:
    from core import registry
    from core.analysis.scores import scores
    from core.data.predictions import join, read_answers

    rows = store().evalset(evalset)
    task = registry.task(rows.task)
    joined = join(task, read_answers(Path(path), task), rows, dict(labels))
    headline = task.default_metrics[0]
    score = scores(task, [headline], {}, rows, joined.predictions)[headline]
    return joined, registry.metric(headline, task), score


@st.cache_data(ttl=SEARCH_SECONDS, max_entries=50, show_spinner="Asking the Hub …")
def _hub_layout(repo: str, identity: str) -> dict[str, list[str]]:
    from core.data import hub_layout

    return hub_layout(repo, settings.hub_token())


def live(id: str) -> list[LiveRow]:
    """How far the trials of a run are, worked out once per change."""
    return _live(id, store().stamp(id))


@st.cache_resource(max_entries=4, show_spinner=False)
def _live(id: str, stamp: str) -> list[LiveRow]:
    from core.analysis.live import live

    return live(_run(id, stamp))


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


def evidence(id: str, limits: Limits) -> dict[str, Any]:
    """What a signature under these limits would freeze now."""
    return _evidence(id, store().stamp(id), limits)


@st.cache_resource(max_entries=16, show_spinner=False)
def _evidence(id: str, stamp: str, limits: Limits) -> dict[str, Any]:
    from core.review import evidence

    return evidence(_analysis(id, stamp), limits)


def exported(id: str, trial: str, format: str, limits: Limits) -> bytes:
    """One file about a run and its chosen trial."""
    return _exported(id, store().stamp(id), trial, format, limits)


def bundle(id: str, trial: str, limits: Limits) -> bytes:
    """All of them as a zip."""
    return _bundle(id, store().stamp(id), trial, limits)


@st.cache_resource(max_entries=32, show_spinner="Writing the export …")
def _exported(id: str, stamp: str, trial: str, format: str, limits: Limits) -> bytes:
    from core import registry
    from core.review import under

    return registry.format(format).render(under(_run(id, stamp), limits), trial)


@st.cache_resource(max_entries=4, show_spinner=False)
def _bundle(id: str, stamp: str, trial: str, limits: Limits) -> bytes:
    from core.export.bundle import bundle
    from core.review import under

    return bundle(under(_run(id, stamp), limits), trial)
