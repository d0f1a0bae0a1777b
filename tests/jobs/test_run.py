"""The trials of a run beside each other: they wait for each other, are timed together, and fail alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.catalog.fit import Fit
from core.engine import environment
from core.engine.neighbours import Neighbours
from core.jobs import keeper, trial
from core.jobs import run as runs
from core.jobs.local import LocalWorker
from core.jobs.runner import Progress, Runner
from core.records import Candidate, Outcome
from core.store import Store
from tests.conftest import REPO
from tests.jobs import targets
from tests.jobs.test_local import wait_until
from tests.jobs.test_runner import LARGE, QUICK, SMALL, planned

BOTH = replace(QUICK, latency_batch_sizes=(1, 8))


def measured(store: Store, *models: str, **changes: Any) -> list[Outcome]:
    run = store.submit(planned(*models, rows=4, protocol=replace(BOTH, **changes)))
    assert Runner(store).work(run) == len(models)
    return list(store.run(run).outcomes)


def test_trials_of_a_run_are_timed_on_the_same_requests(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure)
    first, second = measured(store, SMALL, LARGE)
    assert {(one.status, len(one.latency)) for one in (first, second)} == {("done", 2)}
    series = [*first.latency, *second.latency]
    assert len({one.session for one in series}) == 1
    assert series[0].session
    for mine, others in zip(first.latency, second.latency, strict=True):
        assert mine.requests == others.requests
        assert len(mine.requests) >= 5
        assert len(mine.again_ns) == len(mine.forward_ns)
        assert others.again_ns == ()
        assert mine.first_call_ns == 5000
    assert first.environment["busy_percent"] >= 0


def test_a_gpu_that_others_use_meanwhile_is_a_note_and_no_error(
    store: Store, worker: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(targets.measure)
    monkeypatch.setattr(runs, "_is_on_gpu", lambda trial: trial.claim.spec.model == LARGE)
    looks = iter([Neighbours(0, 0, 3.0), Neighbours(1, 500, 45.0)])
    monkeypatch.setattr(runs, "neighbours", lambda: next(looks))
    on_cpu, on_gpu = measured(store, SMALL, LARGE)
    told = "The GPU was shared when latency was measured: other work took 45 % of its time"
    assert (on_gpu.status, on_gpu.environment["gpu_processes"], on_gpu.environment["gpu_processes_mb"]) == (
        "done",
        1,
        500,
    )
    assert next(note for note in on_gpu.notes if "GPU" in note).startswith(told)
    assert not any("GPU" in note for note in on_cpu.notes)
    assert "gpu_busy_percent" not in on_cpu.environment


def test_all_have_predicted_before_the_first_is_timed(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure)
    run = store.submit(planned(SMALL, LARGE, rows=4))
    seen: list[Progress] = []
    Runner(store).work(run, seen.append)
    begun = next(number for number, one in enumerate(seen) if one.stage == "latency")
    assert {one.spec.model for one in seen[:begun] if one.rows_done == 4 and one.stage == "ready"} == {SMALL, LARGE}


def test_without_latency_nobody_waits(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure)
    run = store.submit(planned(SMALL, LARGE, rows=4, protocol=replace(QUICK, latency_batch_sizes=())))
    ended: list[int] = []
    Runner(store).work(run, lambda _: ended.append([one.status for one in store.progress(run).outcomes].count("done")))
    assert ended[-1] == 1  # the first had ended while the second was at work
    assert store.progress(run).status == "done"


def test_a_worker_that_dies_in_the_measurement_is_a_failed_row_and_the_others_go_on(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.let_the_tiny_one_die_when_timed)
    failed, finished = measured(store, SMALL, LARGE)
    assert failed.failure is not None
    assert (failed.status, failed.failure.kind, failed.rows_done) == ("failed", "crash", 4)
    assert finished.status == "done"
    assert [len(one.again_ns) == len(one.forward_ns) for one in finished.latency] == [True, True]


def test_trials_that_write_are_timed_again_at_a_fixed_length(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.write)
    for outcome in measured(store, SMALL, LARGE):
        single, batch = outcome.latency
        assert set(single.first_token_ns) == {2000}
        assert set(batch.tokens) == {2}
        assert set(single.fixed_length.tokens) == {3}
        assert batch.fixed_length is None
        assert "No tokens per second at a fixed length at batch size 8: 8 rows do not fit: no memory" in outcome.notes


def test_a_batch_that_does_not_fit_is_a_note_and_the_others_are_timed(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.measure_without_room_for_large_batches)
    [outcome] = measured(store, SMALL)
    assert (outcome.status, [one.batch_size for one in outcome.latency]) == ("done", [1])
    assert "No latency at batch size 8: 8 rows do not fit: no memory" in outcome.notes


def test_what_does_not_fit_beside_those_that_wait_is_timed_in_blocks_and_says_so(
    store: Store, worker: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(targets.measure)
    monkeypatch.setattr(runs, "fits", lambda *_: Fit("tight", "", 1e6))
    first, second = measured(store, SMALL, LARGE)
    assert (first.status, second.status) == ("done", "done")
    assert first.latency[0].session != second.latency[0].session
    assert "timed together with no other" in " ".join(first.notes)
    assert "Not all trials fit into memory together" in " ".join(second.notes)


@pytest.mark.parametrize(("available", "room"), [(3e9, True), (1.2e9, False)])
def test_room_is_what_the_machine_has_free_just_now(
    store: Store, monkeypatch: pytest.MonkeyPatch, available: float, room: bool
) -> None:
    run = store.submit(planned(SMALL, rows=4))
    claim = store.claim("me", run_id=run)
    assert claim is not None
    assert claim.run == run
    large = replace(claim, candidate=Candidate("samples", SMALL, parameters=100_000_000))  # about 1 GB
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": available}))
    assert runs._fits_beside(large, []) is room
    assert runs._fits_beside(replace(large, candidate=None), [])


def test_a_board_holds_what_it_has_less_what_waits_on_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = store.claim("me", run_id=store.submit(planned(SMALL, rows=4)))
    assert claim is not None
    on_board = replace(claim.spec, variant=replace(claim.spec.variant, device="cuda"))
    claim = replace(claim, spec=on_board, candidate=Candidate("samples", SMALL, parameters=100_000_000))
    monkeypatch.setattr(environment, "memory", lambda: {"cuda": 8000, "cpu": 1})
    waiting = type("Waiting", (), {"model_mb": 3500.0, "claim": claim})
    assert runs._fits_beside(claim, [waiting])  # type: ignore[list-item]
    assert not runs._fits_beside(claim, [waiting, waiting])  # type: ignore[list-item]


def test_a_trial_that_is_cancelled_while_it_waits_is_gone_and_the_others_go_on(
    store: Store, worker: Callable[[Any], None]
) -> None:
    worker(targets.predict_then_time_slowly)
    run = store.submit(planned(SMALL, LARGE, rows=4, protocol=QUICK))
    first = store.progress(run).outcomes[0].trial

    def cancel(progress: Progress) -> None:
        if progress.trial == first and progress.stage == "latency":
            store.cancel_trial(first)

    Runner(store).work(run, cancel)
    cancelled, finished = store.run(run).outcomes
    assert (cancelled.status, cancelled.rows_done, cancelled.latency) == ("cancelled", 4, ())
    assert finished.status == "done"
    assert len(finished.latency[0].forward_ns) >= 5


def test_a_pause_gives_back_all_that_wait(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.predict_then_time_slowly)
    run = store.submit(planned(SMALL, LARGE, rows=4, protocol=replace(QUICK, min_calls=500)))
    thread = threading.Thread(target=Runner(store).work, args=(run,))
    thread.start()
    wait_until(lambda: {one.stage for one in store.progress(run).outcomes} == {"latency"}, 60)
    store.set_wish(run, "pause")
    thread.join(20)
    assert not thread.is_alive()
    assert {(one.status, one.rows_done) for one in store.progress(run).outcomes} == {("queued", 4)}


def test_the_leases_of_all_that_are_held_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LEASE_SECONDS", 0.6)
    run = store.submit(planned(SMALL, LARGE, rows=4))
    with keeper.Keeper(store, "me") as mine:
        claims = [store.claim("me", 0.6, run) for _ in range(2)]
        lost = [mine.hold(claim.trial) for claim in claims if claim]
        time.sleep(1.2)
        assert store.claim("a thief", run_id=run) is None
        store.cancel_trial(claims[0].trial)  # type: ignore[union-attr]
        wait_until(lost[0].is_set)
        assert not lost[1].is_set()
        mine.let_go(claims[1].trial)  # type: ignore[union-attr]
        wait_until(lambda: store.claim("a thief", run_id=run) is not None)


def test_a_runner_killed_while_it_times_is_resumed_and_rows_are_not_predicted_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.submit(planned(SMALL, LARGE, rows=40, protocol=replace(QUICK, min_calls=20_000)))
    script = "from core.store import Store; from core.jobs.runner import Runner; Runner(Store()).forever()"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)})
    wait_until(lambda: {one.stage for one in store.progress(run).outcomes} == {"latency"}, 90)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = store.run(run)
    assert {(one.status, one.rows_done) for one in before.outcomes} == {("running", 40)}
    monkeypatch.setattr(trial, "LocalWorker", _impatient)
    assert Runner(store).work(run) == 2
    after = store.run(run)
    assert {one.status for one in after.outcomes} == {"done"}
    assert [one.chunks[0].positions for one in after.outcomes] == [one.chunks[0].positions for one in before.outcomes]
    assert len({one.latency[0].session for one in after.outcomes}) == 1


def _impatient(*arguments: Any) -> LocalWorker:
    return LocalWorker(*arguments, target=targets.measure_without_predicting)


def test_a_gpu_that_vanishes_is_a_failed_row_and_the_others_go_on(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.lose_the_gpu_of_the_tiny_one)
    run = store.submit(planned(SMALL, LARGE, protocol=replace(QUICK, batch_size=8)))
    assert Runner(store).work(run) == 2
    lost, finished = store.run(run).outcomes
    assert lost.failure is not None
    assert (lost.status, lost.failure.kind) == ("failed", "crash")
    assert lost.failure.message.startswith("The GPU stopped working in the middle of the trial: CUDA error: unspec")
    assert "nvidia-smi" in lost.failure.hint
    assert (finished.status, finished.rows_done) == ("done", 40)
