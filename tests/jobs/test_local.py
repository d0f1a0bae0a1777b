from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.engine import worker
from core.engine.events import Done, Event, Loaded, Memory, Note, Rows, Stage
from core.engine.request import Call
from core.errors import Interrupted, TrialFailed
from core.jobs import child, spawn
from core.jobs.local import LocalWorker
from core.records import Failure
from tests.jobs import targets
from tests.store.samples import FAST, evalset, prepared
from tests.tasks import tiny

Start = Callable[..., LocalWorker]
JOB = worker.Job(prepared(["org/a"]).specs[0], "/models/a", evalset().inputs, done=(2, 5))


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a worker that runs a target; it is closed when the test ends."""
    started: list[LocalWorker] = []

    def start(target: Any, *, should_stop: Callable[[], bool] = lambda: False, **limits: Any) -> LocalWorker:
        started.append(LocalWorker(replace(FAST, **limits), should_stop, target))
        return started[-1]

    yield start
    for one in started:
        one.close()


def failure_of(one: LocalWorker, events: list[Event] | None = None) -> TrialFailed:
    with pytest.raises(TrialFailed) as caught:
        one.load(JOB, ([] if events is None else events).append)
    return caught.value


def test_no_secret_reaches_the_process(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("HF_TOKEN", "OAUTH_CLIENT_SECRET", "SHORTLIST_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "MY_OWN_KEY")
    for name in secrets:
        monkeypatch.setenv(name, "s3cret")
    environment = surroundings(start)["environment"]
    assert not set(environment) & set(secrets)
    assert "s3cret" not in str(environment)
    assert environment["HF_HUB_OFFLINE"] == environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert os.environ["HF_TOKEN"] == "s3cret"  # the runner keeps its own


def test_the_process_stands_alone_in_an_empty_folder_and_knows_its_job(start: Start) -> None:
    told = surroundings(start)
    assert (told["folder"], told["leads_group"]) == ([], True)
    assert (told["done"], told["argument"]) == ([2, 5], "/models/a")


def surroundings(start: Start) -> dict[str, Any]:
    events: list[Event] = []
    start(targets.tell_surroundings).load(JOB, events.append)
    assert isinstance(events[0], Note)
    told: dict[str, Any] = json.loads(events[0].text)
    return told


def test_a_worker_does_what_it_is_told_step_by_step(start: Start) -> None:
    one, events = start(targets.measure), list[Event]()
    one.load(JOB, events.append)
    assert events == [Loaded(0.1, 1.0, 5000)]
    one.predict(events.append)
    assert [type(event) for event in events] == [Loaded, Rows, Rows, Stage]
    assert one.time([3]) == Call(1000, 2000, 500)
    one.end(events.append)
    assert [type(event) for event in events[4:]] == [Memory, Done]


def test_a_request_that_does_not_fit_is_told_and_the_worker_goes_on(start: Start) -> None:
    one = start(targets.measure_without_room_for_large_batches)
    one.load(JOB, lambda _: None)
    assert one.time(range(8)) == Failure("out_of_memory", "8 rows do not fit: no memory")
    assert one.time([0]) == Call(1, 2, 3)


def test_time_counts_while_it_works_and_not_while_it_waits(start: Start) -> None:
    one = start(targets.predict_then_time_slowly, timeout_seconds=1.5)
    one.load(JOB, lambda _: None)
    time.sleep(1.6)

    def time_often(count: int) -> None:
        for _ in range(count):
            one.time([0])

    time_often(3)
    with pytest.raises(TrialFailed, match=r"not done after 1\.5 seconds"):
        time_often(6)


def test_a_worker_that_dies_while_it_waits_is_a_crash_at_the_next_command(start: Start) -> None:
    one = start(targets.die_when_timed)
    one.load(JOB, lambda _: None)
    for _ in range(2):
        with pytest.raises(TrialFailed, match="exit code 3"):
            one.time([0])


def test_a_trial_that_takes_too_long_is_ended(start: Start) -> None:
    started, events = time.monotonic(), list[Event]()
    one = start(targets.sleep, timeout_seconds=0.5)
    failure = failure_of(one, events)
    assert (failure.kind, failure.message) == ("timeout", "The trial was not done after 0.5 seconds.")
    one.close()
    assert time.monotonic() - started < 20
    assert not psutil.pid_exists(pid_of(events))


def test_a_trial_that_takes_too_much_memory_is_ended(start: Start) -> None:
    failure = failure_of(start(targets.eat_memory, memory_mb=1500))
    assert failure.kind == "out_of_memory"
    assert "the limit is 1500 MB" in failure.message


def test_a_stopped_trial_is_gone_with_all_it_started(start: Start) -> None:
    seen: list[Event] = []
    one = start(targets.sleep_with_a_grandchild, should_stop=lambda: bool(seen))
    with pytest.raises(Interrupted):
        one.load(JOB, seen.append)
    one.close()
    leader = pid_of(seen)
    wait_until(lambda: not any(_group(process) == leader for process in psutil.process_iter()))


def test_a_death_by_signal_is_a_crash_with_the_end_of_the_log(start: Start) -> None:
    failure = failure_of(start(targets.segfault))
    assert (failure.kind, failure.message) == ("crash", "The worker died of SIGSEGV.")
    assert "about to read address 0" in failure.log_tail
    assert "in segfault" in failure.log_tail


def test_an_end_without_a_result_is_a_crash(start: Start) -> None:
    failure = failure_of(start(targets.leave))
    assert (failure.kind, failure.message) == ("crash", "The worker ended with exit code 7 and no result.")
    assert "nothing more to say" in failure.log_tail


def test_what_is_no_event_is_never_interpreted(start: Start) -> None:
    events: list[Event] = []
    failure = failure_of(start(targets.babble), events)
    assert events == []
    assert failure.kind == "crash"
    assert "no event" in failure.message


def test_a_log_without_end_is_cut_off(start: Start) -> None:
    failure = failure_of(start(targets.print_without_end))
    assert failure.kind == "crash"
    assert len(failure.log_tail) <= 4000


def test_an_error_of_the_taker_is_raised(start: Start) -> None:
    def fail(_: Event) -> None:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        start(targets.sleep).load(JOB, fail)


def test_only_known_names_of_the_environment_are_handed_on() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1", "PASSWORD": "x", "PYTHONPATH": "/mine"}
    kept = spawn.child_environment(given)
    assert {name: kept.get(name) for name in given} == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "CUDA_VISIBLE_DEVICES": "1",
        "PASSWORD": None,
        "PYTHONPATH": str(Path(child.__file__).parents[2]),
    }


def pid_of(events: list[Event]) -> int:
    assert isinstance(events[0], Note)
    return int(events[0].text)


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (psutil.Error, ProcessLookupError):
        return None


def test_a_model_that_never_stops_writing_is_ended_by_the_time_limit(start: Start, tmp_path: Path) -> None:
    writer = tiny.architectures()["text2text-generation"]["t5"]()
    writer.model.generation_config.eos_token_id = writer.model.config.eos_token_id = None
    for part in (writer.model, writer.processor):
        part.save_pretrained(tmp_path / "model")
    protocol = replace(FAST, max_new_tokens=10**7, timeout_seconds=3)
    spec = replace(JOB.spec, task="text2text-generation", metrics=("exact_match",), protocol=protocol)
    job = worker.Job(spec, str(tmp_path / "model"), ({"text": "w1 w2 w3"},))
    one, events, began = start(worker.child_main, timeout_seconds=3), list[Event](), time.monotonic()
    with pytest.raises(TrialFailed) as caught:
        one.load(job, events.append)  # which answers one row
    assert (caught.value.kind, time.monotonic() - began < 20) == ("timeout", True)
    assert "`max_new_tokens`" in caught.value.hint
    assert events == [Stage("load")]
    pid = one._process.pid
    one.close()
    assert pid is not None
    assert not psutil.pid_exists(pid)
