"""The server scenario in a run: candidates take turns, fail alone, and can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest

from core.engine import serving
from core.jobs.runner import Progress, Runner
from core.records import Outcome
from core.store import Store
from tests.jobs import targets
from tests.jobs.test_local import wait_until
from tests.jobs.test_runner import LARGE, QUICK, SMALL, planned

SERVER = replace(QUICK, server_p99_ms=20.0, server_max_batch=4)


def measured(store: Store, *models: str, **changes: Any) -> list[Outcome]:
    run = store.submit(planned(*models, rows=4, protocol=replace(SERVER, **changes)))
    Runner(store).work(run)
    return list(store.run(run).outcomes)


def holding(outcome: Outcome) -> list[float]:
    return sorted(one.rate for one in outcome.server if serving.held(one, 20.0))


def test_real_models_answer_requests_that_arrive_by_chance(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LEAST_REQUESTS", 60)
    monkeypatch.setattr(serving, "MAX_RATES", 2)
    run = store.submit(planned(SMALL, LARGE, rows=40, protocol=replace(SERVER, server_p99_ms=60.0)))
    seen: list[Progress] = []
    Runner(store).work(run, seen.append)
    outcomes = store.run(run).outcomes
    assert {(one.status, one.failure) for one in outcomes} == {("done", None)}
    assert "server" in {one.stage for one in seen}
    for outcome in outcomes:
        assert 1 <= len(outcome.server) <= 2
        assert outcome.memory_mb["server"] > 0
        for one in outcome.server:
            assert len(one.latency_ns) == one.requests >= 60 or not serving.held(one, 60.0)
            assert min(one.latency_ns) > 0
            assert sum(one.batch_sizes) == len(one.latency_ns)
            assert max(one.batch_sizes) <= 4
    assert {one.session for outcome in outcomes for one in outcome.server} == {outcomes[0].latency[0].session}


def test_without_the_setting_no_request_arrives(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.serve_for_a_minute)
    [outcome] = measured(store, SMALL, server_p99_ms=None)
    assert (outcome.status, outcome.server) == ("done", ())


def test_the_highest_rate_of_each_is_enclosed_by_turns(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure)
    for outcome in measured(store, SMALL, LARGE):
        best = holding(outcome)[-1]
        assert 900 / 1.1 <= best <= 900
        assert min(one.rate for one in outcome.server if one.rate > 900) <= best * 1.1


def test_a_worker_that_dies_is_a_failed_row_with_its_times_and_the_others_go_on(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.let_the_tiny_one_die_at_the_second_rate)
    failed, finished = measured(store, SMALL, LARGE)
    assert failed.failure is not None
    assert (failed.status, failed.failure.kind, len(failed.latency)) == ("failed", "crash", 1)
    assert (finished.status, len(holding(finished)) > 0) == ("done", True)


def test_a_batch_that_does_not_fit_ends_the_search_with_a_note(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.serve_without_room_for_batches)
    [outcome] = measured(store, SMALL)
    assert (outcome.status, len(outcome.server)) == ("done", 1)
    assert "The server scenario was given up: 8 rows do not fit: no memory" in outcome.notes


def test_a_trial_that_is_cancelled_while_requests_arrive_is_gone_at_once(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.serve_for_a_minute)
    before = set(psutil.Process().children(recursive=True))
    run = store.submit(planned(SMALL, rows=4, protocol=SERVER))
    thread = threading.Thread(target=Runner(store).work, args=(run,))
    thread.start()
    wait_until(lambda: store.progress(run).outcomes[0].stage == "server", 60)
    store.cancel_trial(store.progress(run).outcomes[0].trial)
    thread.join(20)
    assert not thread.is_alive()
    [outcome] = store.run(run).outcomes
    assert (outcome.status, len(outcome.latency), outcome.server) == ("cancelled", 1, ())
    assert len(set(psutil.Process().children(recursive=True)) - before) <= 2  # the fork server and its tracker stay


def test_a_pause_gives_the_trials_back_and_the_next_attempt_measures_them(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.serve_for_a_minute)
    run = store.submit(planned(SMALL, LARGE, rows=4, protocol=SERVER))
    thread = threading.Thread(target=Runner(store).work, args=(run,))
    thread.start()
    wait_until(lambda: {one.stage for one in store.progress(run).outcomes} == {"server"}, 60)
    store.set_wish(run, "pause")
    thread.join(20)
    assert {(one.status, one.rows_done) for one in store.progress(run).outcomes} == {("queued", 4)}
    worker(targets.measure)
    store.set_wish(run, "run")
    assert Runner(store).work(run) == 2
    assert all(holding(one) for one in store.run(run).outcomes)
