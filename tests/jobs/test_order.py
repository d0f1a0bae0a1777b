"""Trials are taken in plan order; where they will not fit into memory together, in a drawn one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.catalog.fit import Fit
from core.jobs import order
from core.jobs import run as runs
from core.jobs.order import claims, drawn_order, fit_together
from core.jobs.runner import Progress, Runner
from core.records import RunResult
from core.store import Store
from tests.jobs import targets
from tests.jobs.test_runner import LARGE, SMALL, planned

MODELS = (SMALL, LARGE, "opendesk/distil-ticket-router", "quietmail/ticket-electra-small")


@pytest.fixture
def run(store: Store) -> RunResult:
    return store.run(store.submit(planned(*MODELS, rows=4)))


def room(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": megabytes * 1e6}))


def taken(store: Store, run: RunResult) -> list[str]:
    """Every trial of the run, as a runner takes and ends them."""
    first = store.claim("me", run_id=run.id)
    assert first is not None
    trials = []
    for claim in claims(store, "me", first, {first.spec.hardware}, drawn_order(store, first)):
        trials.append(claim.trial)
        store.finish(claim.trial, load_seconds=None, memory_mb={}, environment={}, runner_id="me")
    return trials


def test_what_fits_together_is_taken_in_plan_order(
    store: Store, run: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, 16_000)
    assert fit_together(run.outcomes)
    assert taken(store, run) == [one.trial for one in run.outcomes]


def test_what_does_not_is_taken_in_a_drawn_order_that_a_second_runner_draws_again(
    store: Store, run: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, 800)  # enough for one
    assert not fit_together(run.outcomes)
    first = store.claim("gone", run_id=run.id)
    assert first is not None
    drawn = drawn_order(store, first)
    store.release(first.trial, runner_id="gone")
    in_plan = [one.trial for one in run.outcomes]
    assert sorted(drawn) == sorted(in_plan)
    assert drawn != in_plan
    assert taken(store, run) == drawn


def test_a_single_trial_has_no_order_however_large_it_is(
    store: Store, run: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    room(monkeypatch, 1)
    assert fit_together(run.outcomes[:1])


def test_what_has_ended_is_not_counted(store: Store, run: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 800)
    for _ in MODELS[1:]:
        claim = store.claim("me", run_id=run.id)
        assert claim is not None
        store.finish(claim.trial, load_seconds=None, memory_mb={}, environment={}, runner_id="me")
    last = store.claim("me", run_id=run.id)
    assert last is not None
    assert drawn_order(store, last) == []


def test_blocks_are_measured_in_the_drawn_order_and_say_so(
    store: Store, run: RunResult, worker: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(targets.measure)
    for module in (order, runs):
        monkeypatch.setattr(module, "fits", lambda *_: Fit("no", "", 1e6))
    seen: list[Progress] = []
    assert Runner(store).work(run.id, seen.append) == len(MODELS)
    drawn = list(dict.fromkeys(one.trial for one in seen))
    assert drawn != [one.trial for one in run.outcomes]
    outcomes = store.run(run.id).outcomes
    assert len({one.latency[0].session for one in outcomes}) == len(MODELS)
    for one in outcomes:
        notes = " ".join(one.notes)
        assert "one after the other, so no ratio is given between them. The order was drawn." in notes
