from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import registry
from core.engine.prepare import Prepared, prepare
from core.errors import Interrupted, ModelNotFound
from core.jobs import ensure_runner, processes, runner, trial
from core.jobs.runner import Progress, Runner
from core.records import DatasetSpec, Outcome, Plan, PlanCandidate, Protocol, RunResult, Sample, Variant
from core.store import Store
from tests.conftest import REPO
from tests.jobs import targets
from tests.jobs.test_local import wait_until

SMALL, LARGE = "helpdesk-lab/ticket-router-bert-tiny", "helpdesk-lab/ticket-router-bert-mini"
QUICK = Protocol(latency_batch_sizes=(1,), min_calls=5, min_seconds=0.01, warmup=1, timeout_seconds=120)


def planned(*models: str, rows: int | None = 40, protocol: Protocol = QUICK) -> Prepared:
    sample = Sample(rows) if rows else None
    dataset = DatasetSpec(path=str(REPO / "samples/data/tickets.csv"), sample=sample)
    candidates = tuple(PlanCandidate(model, "samples") for model in models)
    plan = Plan("text-classification", dataset, candidates, (Variant(threads=1),), ("accuracy", "f1"), {}, protocol)
    return prepare(plan)


def predictions(outcome: Outcome) -> dict[int, Any]:
    return {
        position: prediction["answer"]
        for chunk in outcome.chunks
        for position, prediction in zip(chunk.positions, chunk.predictions, strict=True)
    }


def test_a_run_of_real_models_ends_with_their_rows_scores_and_times(store: Store) -> None:
    run = store.submit(planned(SMALL, LARGE))
    seen: list[Progress] = []
    assert Runner(store).work(run, seen.append) == 2
    result = store.run(run)
    assert result.status == "done"
    assert store.runners() == []
    for outcome in result.outcomes:
        assert (outcome.status, outcome.failure, outcome.rows_done) == ("done", None, 40)
        said = predictions(outcome)
        assert sorted(said) == list(range(40))
        right = [said[row] == label for row, label in enumerate(result.evalset.references)]
        assert accuracy(result, outcome) == pytest.approx(sum(right) / 40)
        assert sum(right) > 20
        assert [series.batch_size for series in outcome.latency] == [1]
        assert len(outcome.latency[0].forward_ns) >= 5
        assert outcome.load_seconds is not None
        assert outcome.memory_mb["peak"] > 0
        assert outcome.environment["torch"]
    first = [progress for progress in seen if progress.spec.model == SMALL]
    assert [progress.stage for progress in first if progress.rows_done == 0][:3] == ["fetch", "load", "quality"]
    assert (first[-1].stage, first[-1].rows_done, first[-1].rows_total) == ("latency", 40, 40)


def accuracy(run: RunResult, outcome: Outcome) -> float:
    totals = sum(chunk.statistics["accuracy"].sum(axis=0) for chunk in outcome.chunks)
    return float(
        registry.metric("accuracy", registry.task("text-classification")).value(totals, run.evalset.labels, {})
    )


def test_a_runner_killed_in_mid_run_is_resumed_with_the_same_result(store: Store) -> None:
    slow = replace(QUICK, batch_size=1, latency_batch_sizes=())
    run = store.submit(planned(LARGE, rows=None, protocol=slow))
    script = "from core.store import Store; from core.jobs.runner import Runner; Runner(Store()).forever()"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPO)
    wait_until(lambda: store.progress(run).outcomes[0].rows_done > 0, 90)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = store.run(run).outcomes[0]
    assert before.status == "running"
    assert 0 < before.rows_done < before.rows_total
    assert family
    wait_until(lambda: not any(map(alive, family)))

    assert Runner(store).work(run) == 1
    resumed = store.run(run).outcomes[0]
    assert resumed.status == "done"
    assert [chunk.positions for chunk in resumed.chunks[: len(before.chunks)]] == [
        chunk.positions for chunk in before.chunks
    ]
    undisturbed = store.submit(planned(LARGE, rows=None, protocol=replace(QUICK, latency_batch_sizes=())))
    Runner(store).work(undisturbed)
    assert predictions(resumed) == predictions(store.run(undisturbed).outcomes[0])
    assert len(predictions(resumed)) == resumed.rows_total == resumed.rows_done


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_one_failing_trial_stops_no_other(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.fail_the_tiny_one)
    run = store.submit(planned(SMALL, LARGE, rows=4))
    assert Runner(store).work(run) == 2
    failed, finished = store.run(run).outcomes
    assert (failed.status, finished.status) == ("failed", "done")
    assert failed.failure is not None
    assert failed.failure.kind == "crash"


def test_a_model_that_cannot_be_fetched_is_a_failed_row_with_the_reason(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.submit(planned(SMALL, rows=4))

    def locate(*_: Any) -> Any:
        raise ModelNotFound("It has been deleted.", "Choose another model.")

    monkeypatch.setattr(trial, "locate", locate)
    Runner(store).work(run)
    failure = store.run(run).outcomes[0].failure
    assert failure is not None
    assert (failure.kind, failure.message, failure.hint) == ("load", "It has been deleted.", "Choose another model.")


@pytest.mark.parametrize(("wish", "status"), [("cancel", "cancelled"), ("pause", "queued")])
def test_a_wish_reaches_a_running_trial_and_its_rows_stay(
    store: Store, worker: Callable[[Any], None], wish: Any, status: str
) -> None:
    worker(targets.measure_half_then_sleep)
    run = store.submit(planned(SMALL, rows=4))
    thread = threading.Thread(target=Runner(store).work, args=(run,))
    thread.start()
    wait_until(lambda: store.progress(run).outcomes[0].rows_done == 2, 60)
    store.set_wish(run, wish)
    thread.join(20)
    assert not thread.is_alive()
    outcome = store.run(run).outcomes[0]
    assert (outcome.status, outcome.rows_done) == (status, 2)

    worker(targets.measure)
    store.set_wish(run, "run")
    Runner(store).work(run)
    assert store.run(run).outcomes[0].status == "done"
    assert len(predictions(store.run(run).outcomes[0])) == 4


def test_ctrl_c_puts_the_trial_back_in_the_queue(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure_half_then_sleep)
    run = store.submit(planned(SMALL, rows=4))

    def interrupt(progress: Progress) -> None:
        if progress.rows_done:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="start again"):
        Runner(store).work(run, interrupt)
    outcome = store.progress(run).outcomes[0]
    assert (outcome.status, outcome.rows_done) == ("queued", 2)
    assert store.runners() == []


def test_trials_of_another_machine_are_left_alone(store: Store) -> None:
    prepared = planned(SMALL, rows=4)
    elsewhere = replace(prepared, specs=tuple(replace(spec, hardware="another") for spec in prepared.specs))
    run = store.submit(elsewhere)
    assert Runner(store).work(run) == 0
    assert store.progress(run).outcomes[0].status == "queued"


def test_two_runners_of_a_machine_never_measure_at_once(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.measure_slowly)
    run = store.submit(planned(SMALL, LARGE, rows=4))
    at_work: list[int] = []
    executed: list[int] = []

    def work() -> None:
        executed.append(Runner(store).work(run, lambda _: at_work.append(threading.get_ident())))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.progress(run).status == "done"
    assert len(set(at_work)) == 1
    assert sorted(executed) == [0, 2]


def test_an_idle_runner_leaves_when_told_how_long_to_wait(store: Store) -> None:
    started = time.monotonic()
    Runner(store).forever(idle_minutes=0.005)
    assert time.monotonic() - started < 10
    assert store.runners() == []


def test_what_a_dead_runner_of_this_machine_held_is_free_at_once(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    store.beat(processes.runner_id(gone.pid), processes.host(), gone.pid)
    store.beat("elsewhere-1", "elsewhere", gone.pid)
    store.beat(processes.runner_id(os.getpid()), processes.host(), os.getpid())
    time.sleep(0.6)
    runner.free_dead_runners(store)
    assert {one.id for one in store.runners()} == {"elsewhere-1", processes.runner_id(os.getpid())}


def test_a_runner_is_started_once_where_none_is_alive(store: Store, home: Path) -> None:
    started_here: list[bool] = []
    threads = [threading.Thread(target=lambda: started_here.append(ensure_runner(store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started_here) == [False, False, False, True]
    [started] = store.live_runners()
    try:
        assert not ensure_runner(store)
        run = store.submit(planned(SMALL, rows=4))
        wait_until(lambda: store.progress(run).status == "done", 90)
        assert (home / "logs/runner.log").is_file()
    finally:
        os.kill(started.pid, signal.SIGTERM)
    wait_until(lambda: not processes.is_running(started))
    assert store.runners() == []
