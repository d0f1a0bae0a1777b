import gc
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from core import codec
from core.engine import worker
from core.engine.energy import Counter
from core.engine.events import (
    Done,
    Failed,
    Latency,
    Loaded,
    Memory,
    Note,
    Rows,
    Served,
    Stage,
    Timed,
    Untimed,
    from_json,
)
from core.engine.worker import Job
from core.errors import TrialFailed
from core.records import Variant
from tests.engine.tiny import LABELS, QUICK


@pytest.fixture
def job(spec, classifier, rows):
    def make(folder=None, done=(), **changes):
        return Job(spec(**changes), str(folder or classifier), rows, LABELS, done)

    return make


def run(job):
    events, turns = [], []
    worker.run_trial(job, events.append, lambda: turns.append(len(events)))
    return events, turns


def kinds(events):
    return [type(event) for event in events if not isinstance(event, Note)]


def answers(events):
    return {
        position: prediction["answer"]
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    }


def test_a_trial_loads_predicts_times_and_ends(job, rows):
    events, turns = run(job())
    assert kinds(events) == [Stage, Loaded, Stage, Rows, Stage, Stage, Latency, Latency, Memory, Done]
    assert [event.name for event in events if isinstance(event, Stage)] == ["load", "quality", "ready", "latency"]
    assert sorted(answers(events)) == list(range(len(rows)))
    assert set(answers(events).values()) <= set(LABELS)
    assert events[turns[0] - 1] == Stage("latency")
    series = [event.series for event in events if isinstance(event, Latency)]
    assert [one.batch_size for one in series] == [1, 4]
    assert all(len(one.forward_ns) >= 3 and min(one.forward_ns) > 0 for one in series)
    assert series[0].first_call_ns > 0
    assert events[-1].environment["threads"] == 1


def test_a_model_that_writes_says_when_its_tokens_come(job, seq2seq):
    protocol = replace(QUICK, max_new_tokens=5, latency_batch_sizes=(2,))
    events, _ = run(job(seq2seq, task="summarization", metrics=("rougeL",), labels={}, protocol=protocol))
    (series,) = (event.series for event in events if isinstance(event, Latency))
    calls = len(series.forward_ns)
    assert len(series.first_token_ns) == len(series.decode_ns) == len(series.decode_steps) == calls >= 3
    assert len(series.tokens) == 2 * calls
    whole = zip(series.preprocess_ns, series.forward_ns, series.first_token_ns, series.decode_ns, strict=True)
    assert all(before < first and first + decode <= before + forward for before, forward, first, decode in whole)
    assert set(series.fixed_length.tokens) == {10}


def test_what_requests_leave_behind_does_not_pile_up(job, seq2seq):
    """`generate` leaves cycles that hold its caches, and no collection may come in the middle of a request."""
    protocol = replace(QUICK, max_new_tokens=3)
    one = worker.Worker(
        job(seq2seq, task="summarization", metrics=("rougeL",), labels={}, protocol=protocol), lambda _: None
    )
    left = []
    try:
        for calls in (2, 2, 12):
            for _ in range(calls):
                one.time([0])
            assert not gc.isenabled()
            left.append(gc.collect())
    finally:
        gc.unfreeze()
        gc.enable()
    assert 0 < left[2] <= left[1]


def test_memory_is_told_phase_by_phase(job):
    events, _ = run(job())
    memory = next(event.mb for event in events if isinstance(event, Memory))
    assert list(memory) == ["peak", "load", "quality", "latency_b1", "latency_b4", "model"]
    assert memory["peak"] == max(memory.values()) > 0


def test_energy_is_of_the_quality_pass_alone_and_unknown_where_nothing_is_counted(job, rows, monkeypatch):
    spent = iter(range(0, 10**6, 10))
    monkeypatch.setattr(worker, "counters", lambda device: [Counter(device, lambda: next(spent))])
    events, _ = run(job(done=(0, 1)))
    facts = events[-1].environment
    chunks = sum(isinstance(event, Rows) for event in events)
    # 10 J per reading: one for each chunk, and one at the end.
    assert facts["energy_joules"] == 10 * (chunks + 1)
    assert (facts["energy_rows"], facts["energy_sources"]) == (len(rows) - 2, "cpu")
    monkeypatch.setattr(worker, "counters", lambda device: [])
    assert run(job())[0][-1].environment["energy_joules"] is None


def test_a_trial_resumes_where_it_was(job):
    whole = answers(run(job())[0])
    rest = answers(run(job(done=tuple(range(0, 90, 3))))[0])
    assert rest == {position: answer for position, answer in whole.items() if position % 3}


def test_no_batch_sizes_mean_no_latency_pass(job):
    events, turns = run(job(protocol=replace(QUICK, latency_batch_sizes=())))
    assert Latency not in kinds(events)
    assert turns == []


def test_one_row_is_enough_for_every_pass(job, rows):
    events, _ = run(replace(job(), inputs=rows[:1]))
    assert len([event for event in events if isinstance(event, Latency)]) == 2


@pytest.fixture
def piped():
    """Runs `child_main` on one end of a pipe and gives the other, as a parent has it."""
    parent, child = multiprocessing.Pipe()
    thread = threading.Thread(target=worker.child_main, args=(child,))
    thread.start()
    yield parent
    parent.close()
    thread.join(timeout=30)
    assert not thread.is_alive()
    gc.unfreeze()  # as a process of its own would not have to
    gc.enable()


def ask(piped, message):
    """The events that answer a job or a command, up to the one that ends the answer."""
    piped.send_bytes((codec.dumps(message) if isinstance(message, Job) else json.dumps(message)).encode())
    events = []
    while not (
        events
        and (isinstance(events[-1], Loaded | Timed | Untimed | Served | Done | Failed) or events[-1] == Stage("ready"))
    ):
        events.append(from_json(piped.recv_bytes()))
    return events


def test_a_child_does_what_it_is_told_and_waits_in_between(piped, job, rows):
    assert kinds(ask(piped, job(done=(0, 1)))) == [Stage, Loaded]
    assert not piped.poll(0.2)
    assert sorted(answers(ask(piped, {"do": "predict", "rows": [1, 2, 5]}))) == [2, 5]
    took = ask(piped, {"do": "time", "rows": [3, 4], "calls": 1})[-1]
    assert min(took.preprocess_ns, took.forward_ns, took.postprocess_ns) > 0
    assert sorted(answers(ask(piped, {"do": "predict", "rows": None}))) == sorted({*range(90)} - {0, 1, 2, 5})
    assert not piped.poll(0.2)
    assert kinds(ask(piped, {"do": "end"})) == [Memory, Done]


def test_a_request_is_timed_as_often_as_is_said(piped, job):
    ask(piped, job())
    ask(piped, {"do": "time", "rows": [0], "calls": 3})
    assert [type(from_json(piped.recv_bytes())) for _ in range(2)] == [Timed, Timed]
    assert kinds(ask(piped, {"do": "end"})) == [Memory, Done]


def test_a_request_can_be_timed_at_a_fixed_length(piped, job, seq2seq):
    protocol = replace(QUICK, max_new_tokens=5)
    ask(piped, job(seq2seq, task="summarization", metrics=("rougeL",), labels={}, protocol=protocol))
    took = ask(piped, {"do": "time", "rows": [0, 1, 2], "calls": 1, "fixed_length": True})[-1]
    assert took.writing.tokens == (5, 5, 5)
    assert took.writing.steps == 4


def test_requests_that_arrive_by_chance_are_all_answered(piped, job):
    protocol = replace(QUICK, server_p99_ms=60_000.0, server_max_batch=3)
    ask(piped, job(protocol=protocol))
    series = ask(piped, {"do": "serve", "rate": 2000.0, "requests": 120, "seed": 0})[-1].series
    assert (series.rate, series.requests, len(series.latency_ns)) == (2000.0, 120, 120)
    assert min(series.latency_ns) > 0
    assert sum(series.batch_sizes) == 120
    assert 1 <= min(series.batch_sizes) <= max(series.batch_sizes) == 3
    # How much it is says nothing here: the worker shares this process with all tests before it.
    assert "server" in ask(piped, {"do": "end"})[0].mb


def test_a_rate_that_is_surely_lost_is_not_kept_up(piped, job):
    ask(piped, job(protocol=replace(QUICK, server_p99_ms=0.001)))
    series = ask(piped, {"do": "serve", "rate": 50.0, "requests": 1000, "seed": 0})[-1].series
    assert 11 <= len(series.latency_ns) < 30


def test_a_batch_that_does_not_fit_is_told_and_the_worker_goes_on(piped, job, monkeypatch):
    ask(piped, job(protocol=replace(QUICK, server_p99_ms=100.0)))

    def no_room(*_):
        raise TrialFailed("out_of_memory", "no memory", "")

    with monkeypatch.context() as broken:
        broken.setattr(worker, "call", no_room)
        answer = ask(piped, {"do": "serve", "rate": 50.0, "requests": 1000, "seed": 0})[-1]
    assert isinstance(answer, Untimed)
    assert ask(piped, {"do": "time", "rows": [0], "calls": 1})[-1].forward_ns > 0


def test_a_child_leaves_when_nobody_tells_it_anything_more(piped, job):
    ask(piped, job())
    piped.close()  # the fixture sees that it has left


def test_what_is_no_command_is_a_failure(piped, job):
    ask(piped, job())
    assert "no command: 'dance'" in ask(piped, {"do": "dance"})[-1].failure.message


def test_a_failure_is_the_last_event(piped, job, masked_model):
    piped.send_bytes(codec.dumps(job(folder=masked_model)).encode())
    assert from_json(piped.recv_bytes()) == Stage("load")
    failed = from_json(piped.recv_bytes())
    assert failed.failure.kind == "unsupported"


def test_a_variant_this_machine_lacks_fails_before_loading(piped, job):
    piped.send_bytes(codec.dumps(job(variant=Variant(device="mps"))).encode())
    assert from_json(piped.recv_bytes()).failure.kind == "unsupported"


def test_a_bug_is_a_row_with_its_traceback(piped, job):
    failure = ask(piped, replace(job(), inputs=({"no_text": "a"},)))[-1].failure
    assert failure.kind == "crash"
    assert "KeyError" in failure.message
    assert "Traceback" in failure.log_tail


def test_memory_that_runs_out_is_told_as_such():
    assert worker.as_failure(MemoryError()).kind == "out_of_memory"


def test_the_same_worker_speaks_over_stdin_and_stdout(job):
    commands = ({"do": "predict", "rows": None}, {"do": "time", "rows": [0], "calls": 2}, {"do": "end"})
    text = "\n".join([codec.dumps(job()), *map(json.dumps, commands)]) + "\n"
    command = [sys.executable, "-m", "core.engine.worker"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, input=text.encode(), capture_output=True, env=environment, timeout=120)
    assert (done.returncode, done.stderr.decode()) == (0, ""), "libraries that warn about themselves are not heard"
    events = [from_json(line) for line in done.stdout.splitlines()]
    assert kinds(events) == [Stage, Loaded, Stage, Rows, Stage, Timed, Timed, Memory, Done]
    assert answers(events) == answers(run(job())[0])


def test_over_stdout_a_failure_is_an_event_and_the_exit_code_says_so():
    command = [sys.executable, "-m", "core.engine.worker"]
    done = subprocess.run(command, input=b"not a job\n", capture_output=True, timeout=120)
    assert done.returncode == 1
    assert json.loads(done.stdout)["event"] == "failed"


def test_waiting_threads_do_not_spin():
    code = "import os, core.engine.worker as w, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["passive", "False"]
    assert worker.PRELOAD[0] == "core.engine.worker"
