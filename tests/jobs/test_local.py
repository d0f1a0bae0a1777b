from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core import codec
from core.engine.events import Done, Event, Note, Rows, Stage
from core.errors import Interrupted
from core.jobs import child, local
from core.records import Failure
from core.store import Claim
from tests.jobs import targets
from tests.store.samples import FAST, candidate, evalset, prepared

Run = Callable[..., tuple[Failure | None, list[Event]]]


@pytest.fixture
def run() -> Run:
    def run(target: Any, *, should_stop: Callable[[list[Event]], bool] = lambda _: False, **protocol: Any) -> Any:
        spec = replace(prepared(["org/a"]).specs[0], protocol=replace(FAST, **protocol))
        claim = Claim(codec.identity(spec), spec, spec.evalset, candidate(), frozenset({5, 2}))
        events: list[Event] = []
        failure = local.execute(
            claim, evalset(), Path("/models/a"), events.append, lambda: should_stop(events), target=target
        )
        return failure, events

    return run


def test_no_secret_reaches_the_process(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("HF_TOKEN", "OAUTH_CLIENT_SECRET", "SHORTLIST_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "MY_OWN_KEY")
    for name in secrets:
        monkeypatch.setenv(name, "s3cret")
    failure, events = run(targets.tell_surroundings)
    assert failure is None
    done = events[-1]
    assert isinstance(done, Done)
    environment = done.environment["environment"]
    assert not set(environment) & set(secrets)
    assert "s3cret" not in str(environment)
    assert environment["HF_HUB_OFFLINE"] == environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert os.environ["HF_TOKEN"] == "s3cret"  # the runner keeps its own


def test_the_process_stands_alone_in_an_empty_folder_and_knows_its_job(run: Run) -> None:
    _, events = run(targets.tell_surroundings)
    done = events[-1]
    assert isinstance(done, Done)
    told = done.environment
    assert (told["folder"], told["leads_group"]) == ([], True)
    assert (told["done"], told["argument"]) == ([2, 5], "/models/a")


def test_latency_begins_once_everything_before_is_taken(run: Run) -> None:
    failure, events = run(targets.measure)
    assert failure is None
    assert [type(event) for event in events] == [Rows, Rows, Stage, Note, Done]


def test_a_trial_that_takes_too_long_is_ended(run: Run) -> None:
    started = time.monotonic()
    failure, events = run(targets.sleep, timeout_seconds=0.5)
    assert failure is not None
    assert (failure.kind, failure.message) == ("timeout", "The trial was not done after 0.5 seconds.")
    assert time.monotonic() - started < 20
    assert not psutil.pid_exists(pid_of(events))


def test_a_trial_that_takes_too_much_memory_is_ended(run: Run) -> None:
    failure, _ = run(targets.eat_memory, memory_mb=1500)
    assert failure is not None
    assert failure.kind == "out_of_memory"
    assert "the limit is 1500 MB" in failure.message


def test_a_stopped_trial_is_gone_with_all_it_started(run: Run) -> None:
    seen: list[Event] = []

    def stop_when_up(events: list[Event]) -> bool:
        seen[:] = events
        return bool(events)

    with pytest.raises(Interrupted):
        run(targets.sleep_with_a_grandchild, should_stop=stop_when_up)
    leader = pid_of(seen)
    wait_until(lambda: not any(_group(process) == leader for process in psutil.process_iter()))


def test_a_death_by_signal_is_a_crash_with_the_end_of_the_log(run: Run) -> None:
    failure, _ = run(targets.segfault)
    assert failure is not None
    assert (failure.kind, failure.message) == ("crash", "The worker died of SIGSEGV.")
    assert "about to read address 0" in failure.log_tail
    assert "in segfault" in failure.log_tail


def test_an_end_without_a_result_is_a_crash(run: Run) -> None:
    failure, _ = run(targets.leave)
    assert failure is not None
    assert (failure.kind, failure.message) == ("crash", "The worker ended with exit code 7 and no result.")
    assert "nothing more to say" in failure.log_tail


def test_what_is_no_event_is_never_interpreted(run: Run) -> None:
    failure, events = run(targets.babble)
    assert events == []
    assert failure is not None
    assert failure.kind == "crash"
    assert "no event" in failure.message


def test_a_log_without_end_is_cut_off(run: Run) -> None:
    failure, _ = run(targets.print_without_end)
    assert failure is not None
    assert failure.kind == "crash"
    assert len(failure.log_tail) <= 4000


def test_an_error_of_the_taker_ends_the_process(run: Run) -> None:
    spec = prepared(["org/a"]).specs[0]
    claim = Claim("t", spec, spec.evalset, candidate(), frozenset())
    pids = []

    def fail(event: Event) -> None:
        pids.append(pid_of([event]))
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        local.execute(claim, evalset(), Path("x"), fail, lambda: False, target=targets.sleep)
    assert not psutil.pid_exists(pids[0])


def test_only_known_names_of_the_environment_are_handed_on() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1", "PASSWORD": "x", "PYTHONPATH": "/mine"}
    kept = local.child_environment(given)
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
