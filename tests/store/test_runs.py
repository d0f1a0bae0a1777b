from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core import codec
from core.errors import UnknownName, UserError
from core.records import Chunk, Failure, FixedLengthSeries, LatencySeries, Outcome, RunResult, Variant
from core.store import Store, encoding
from core.store.runs import _status
from tests.store.samples import chunk, evalset, prepared, rate, series

CPU, HALF = Variant(), Variant(dtype="bfloat16")


def finish(store: Store, trial: str) -> None:
    store.finish(trial, load_seconds=1.5, memory_mb={"peak": 10.0, "model": 4.0}, environment={"cpu": "x", "gpu": None})


def finish_all(store: Store, run: str) -> None:
    while claim := store.claim("runner", run_id=run):
        store.commit_chunk(claim.trial, chunk(range(6)))
        finish(store, claim.trial)


def states(store: Store, run: str) -> list[str]:
    return [outcome.status for outcome in store.progress(run).outcomes]


def test_trials_come_back_in_plan_order_candidates_first(store: Store) -> None:
    plan = prepared(["org/b", "org/a"], variants=[HALF, CPU])
    run = store.run(store.submit(plan))
    assert [outcome.spec for outcome in run.outcomes] == list(plan.specs)
    assert [outcome.candidate.id for outcome in run.outcomes if outcome.candidate] == ["org/b"] * 2 + ["org/a"] * 2
    assert (run.plan, run.evalset, run.status) == (plan.plan, plan.evalset, "queued")
    assert {outcome.rows_total for outcome in run.outcomes} == {6}


def test_everything_measured_comes_back(store: Store) -> None:
    run = store.submit(prepared(["org/a"]))
    claim = store.claim("runner")
    assert claim is not None
    store.set_stage(claim.trial, "quality")
    assert store.progress(run).outcomes[0].stage == "quality"
    store.commit_chunk(claim.trial, chunk([4, 0, 2]))
    store.commit_chunk(claim.trial, chunk([1, 3, 5], "negative"))
    store.commit_latency(claim.trial, series(1))
    store.commit_latency(claim.trial, series(8))
    store.commit_latency(claim.trial, series(1, first=7))
    store.commit_server(claim.trial, [rate(12.5)])
    store.commit_server(claim.trial, [rate(50.0), rate(25.0)])
    for note in ("Batch size lowered to 8.", "Busy.", "Busy."):
        store.add_note(claim.trial, note)
    finish(store, claim.trial)

    outcome = store.run(run).outcomes[0]
    assert (outcome.status, outcome.rows_done, outcome.stage) == ("done", 6, "")
    assert [one.positions for one in outcome.chunks] == [(4, 0, 2), (1, 3, 5)]
    assert outcome.chunks[0].predictions == chunk([4, 0, 2]).predictions
    for name, values in chunk([4, 0, 2]).statistics.items():
        np.testing.assert_array_equal(outcome.chunks[0].statistics[name], values)
        assert outcome.chunks[0].statistics[name].dtype == values.dtype
    assert (outcome.chunks[1].seconds, outcome.chunks[1].units) == (1.5, 30)
    assert outcome.latency == (series(1, first=7), series(8))
    assert outcome.server == (rate(50.0), rate(25.0))
    assert outcome.notes == ("Batch size lowered to 8.", "Busy.")
    assert (outcome.load_seconds, outcome.memory_mb) == (1.5, {"peak": 10.0, "model": 4.0})
    assert outcome.environment == {"cpu": "x", "gpu": None}
    assert outcome.started is not None
    assert outcome.finished is not None
    assert outcome.started <= outcome.finished
    light = store.progress(run).outcomes[0]
    assert light == replace(outcome, chunks=(), latency=(), server=())


def test_submitting_the_same_plan_again_finds_the_run_and_queues_nothing(store: Store) -> None:
    run = store.submit(prepared())
    finish_all(store, run)
    assert store.submit(prepared()) == run
    assert states(store, run) == ["done", "done"]
    assert len(store.runs()) == 1


def test_another_selection_gets_its_own_run_of_the_same_trials(store: Store) -> None:
    finish_all(store, store.submit(prepared()))
    selection = store.create_selection("one").id
    run = store.submit(prepared(), selection)
    assert store.run(run).status == "done"
    assert [info.id for info in store.runs(selection)] == [run]
    assert len(store.runs()) == 2
    assert store.latest_run(selection) == run
    assert store.latest_run("none") is None


def test_a_larger_plan_reuses_what_is_measured(store: Store) -> None:
    finish_all(store, store.submit(prepared(["org/a"])))
    run = store.submit(prepared(["org/a", "org/b"]))
    assert states(store, run) == ["done", "queued"]


def test_submitting_again_gives_failed_trials_another_try(store: Store) -> None:
    run = store.submit(prepared(["org/a"]))
    claim = store.claim("runner")
    assert claim is not None
    store.commit_chunk(claim.trial, chunk([0, 1]))
    store.fail(claim.trial, Failure("timeout", "It took too long.", "Raise the limit.", "tail"))
    failed = store.progress(run).outcomes[0]
    assert failed.failure == Failure("timeout", "It took too long.", "Raise the limit.", "tail")
    store.submit(prepared(["org/a"]))
    again = store.run(run).outcomes[0]
    assert (again.status, again.failure, again.rows_done) == ("queued", None, 2)


def test_fresh_repeats_are_trials_of_their_own(store: Store) -> None:
    run = store.submit(prepared())
    plan_hash = store.run(run).plan_hash
    assert store.next_repeat("unknown") == 0
    assert store.next_repeat(plan_hash) == 1
    finish_all(store, run)
    again = store.submit(prepared(repeat=1))
    assert again != run
    assert states(store, again) == ["queued", "queued"]
    assert store.run(again).plan_hash == plan_hash
    assert store.next_repeat(plan_hash) == 2


def test_a_refused_candidate_is_a_failed_row_in_its_place(store: Store) -> None:
    run = store.submit(prepared(["org/bad", "org/a"], variants=[CPU, HALF], blocked=["org/bad"]))
    outcomes = store.run(run).outcomes
    assert [outcome.spec.model for outcome in outcomes] == ["org/bad"] * 2 + ["org/a"] * 2
    assert [outcome.status for outcome in outcomes] == ["failed"] * 2 + ["queued"] * 2
    assert outcomes[0].failure == Failure("unsupported", "It is refused: a rule.", "Choose another model.")
    assert len({outcome.trial for outcome in outcomes}) == 4
    store.submit(prepared(["org/bad", "org/a"], variants=[CPU, HALF], blocked=["org/bad"]))
    assert store.run(run).outcomes[0].status == "failed"
    with pytest.raises(UserError, match="refused when it was planned"):
        store.retry_trial(outcomes[0].trial)


def test_the_list_of_runs_tells_the_newest_first(store: Store) -> None:
    first = store.submit(prepared(["org/a", "org/b"], variants=[CPU, HALF]))
    time.sleep(0.002)
    second = store.submit(prepared(["org/c"], rows=8))
    finish_all(store, first)
    newer, older = store.runs()
    assert (newer.id, newer.models, newer.rows, newer.status) == (second, ("org/c",), 8, "queued")
    assert (older.id, older.models, older.rows, older.status) == (first, ("org/a", "org/b"), 6, "done")
    assert older.plan_hash == store.run(first).plan_hash


def test_the_status_in_the_list_is_that_of_the_run() -> None:
    kinds = ("queued", "running", "done", "failed", "cancelled")
    for size, wish in itertools.product((1, 2, 3), ("run", "pause", "cancel")):
        for statuses in itertools.combinations(kinds, size):
            spec = prepared(["org/a"]).specs[0]
            outcomes = tuple(Outcome("t", spec, status) for status in statuses)  # type: ignore[arg-type]
            run = RunResult("r", prepared().plan, "", evalset(), outcomes, wish=wish)  # type: ignore[arg-type]
            assert _status(set(statuses), wish) == run.status


def test_the_stamp_changes_with_every_change_and_only_then(store: Store) -> None:
    run = store.submit(prepared(["org/a", "org/b"]))
    other = store.submit(prepared(["org/c"]))
    seen = [store.stamp(run)]

    def changed() -> bool:
        seen.append(store.stamp(run))
        return seen[-1] not in seen[:-1]

    claim = store.claim("runner", run_id=run)
    assert claim is not None
    assert changed()
    steps: list[Callable[[], object]] = [
        lambda: store.set_stage(claim.trial, "load"),
        lambda: store.commit_chunk(claim.trial, chunk([0])),
        lambda: store.commit_latency(claim.trial, series()),
        lambda: store.add_note(claim.trial, "note"),
        lambda: store.release(claim.trial),
        lambda: store.set_wish(run, "pause"),
        lambda: store.set_wish(run, "cancel"),
    ]
    for step in steps:
        step()
        assert changed()
    for silent in (lambda: store.beat("runner", "host", 1), lambda: store.set_wish(other, "cancel")):
        silent()
        assert not changed()


def test_a_cancelled_run_can_go_on(store: Store) -> None:
    run = store.submit(prepared(["org/a", "org/b", "org/c"]))
    finished = store.claim("runner")
    assert finished is not None
    finish(store, finished.trial)
    running = store.claim("runner")
    assert running is not None
    store.commit_chunk(running.trial, chunk([0, 1]))
    store.set_wish(run, "cancel")
    assert states(store, run) == ["done", "cancelled", "cancelled"]
    assert store.claim("runner") is None
    assert not store.renew(running.trial, "runner")
    store.set_wish(run, "run")
    assert states(store, run) == ["done", "queued", "queued"]
    resumed = store.claim("runner")
    assert resumed is not None
    assert (resumed.trial, resumed.done) == (running.trial, {0, 1})


def test_a_trial_that_another_run_waits_for_survives_a_cancel(store: Store) -> None:
    first = store.submit(prepared(["org/a", "org/b"]))
    second = store.submit(prepared(["org/a"]))
    store.set_wish(first, "cancel")
    assert states(store, first) == ["queued", "cancelled"]
    claim = store.claim("runner")
    assert claim is not None
    assert store.renew(claim.trial, "runner")
    finish(store, claim.trial)
    assert store.run(second).status == "done"


def test_a_paused_run_is_not_claimed_until_it_goes_on(store: Store) -> None:
    run = store.submit(prepared())
    claim = store.claim("runner")
    assert claim is not None
    store.set_wish(run, "pause")
    assert not store.renew(claim.trial, "runner")
    store.release(claim.trial)
    assert store.progress(run).status == "paused"
    assert store.claim("runner") is None
    store.set_wish(run, "run")
    assert store.claim("runner") is not None


def test_one_trial_is_cancelled_and_retried_alone(store: Store) -> None:
    run = store.submit(prepared())
    first = store.progress(run).outcomes[0].trial
    store.cancel_trial(first)
    assert states(store, run) == ["cancelled", "queued"]
    store.retry_trial(first)
    assert states(store, run) == ["queued", "queued"]
    store.set_wish(run, "cancel")
    store.retry_trial(first)
    assert states(store, run) == ["queued", "cancelled"]
    assert store.progress(run).wish == "run"


@pytest.mark.parametrize("method", ["run", "progress", "stamp", "cancel_trial", "retry_trial"])
def test_what_is_not_there_is_named(store: Store, method: str) -> None:
    with pytest.raises(UnknownName, match="'nothing'"):
        getattr(store, method)("nothing")
    with pytest.raises(UnknownName):
        store.set_wish("nothing", "pause")


def test_times_kept_before_there_were_joint_measurements_are_still_read() -> None:
    text = '{"batch_size":1,"preprocess_ns":[1,2],"forward_ns":[3,4],"postprocess_ns":[5,6],'
    text += '"first_call_ns":9,"warmup_calls":10}'
    assert encoding.latency_series(text) == LatencySeries(1, (1, 2), (3, 4), (5, 6), 9, 10)


def test_when_tokens_came_is_read_as_it_was_kept() -> None:
    fixed = FixedLengthSeries((70, 80), (16, 16), (0, 1))
    tokens = {"first_token_ns": (2, 3), "decode_ns": (1, 2), "decode_steps": (1, 2), "tokens": (2, 1, 3, 3)}
    tokens["device_ns"] = (2, 3)
    series = LatencySeries(2, (1, 2), (3, 4), (5, 6), 9, 10, (0, 1), "together", **tokens, fixed_length=fixed)
    assert encoding.latency_series(codec.dumps(series)) == series


def test_fifty_trials_of_two_thousand_rows_are_read_in_a_moment() -> None:
    store = Store()
    run = store.submit(prepared([f"org/{number}" for number in range(50)], rows=2000))
    measured = [_realistic(range(start, start + 500)) for start in range(0, 2000, 500)]
    times = tuple(range(1_000_000, 1_001_000))
    while claim := store.claim("runner"):
        for one in measured:
            store.commit_chunk(claim.trial, one)
        store.commit_latency(claim.trial, LatencySeries(1, times, times, times, 1, 10))
        finish(store, claim.trial)
    store.run(run)
    assert _best(lambda: store.run(run)) < 0.5  # 0.2 s on an idle machine
    assert _best(lambda: store.progress(run)) < 0.05
    assert _best(lambda: store.stamp(run)) < 0.02
    store.close()


def _realistic(positions: range) -> Chunk:
    scores = np.random.default_rng(0).random(len(positions)).round(6).tolist()
    predictions = tuple({"answer": "positive", "scores": {"negative": 1 - s, "positive": s}} for s in scores)
    ones = np.ones((len(positions), 1))
    return Chunk(tuple(positions), predictions, {"accuracy": ones, "f1": np.ones((len(positions), 6))}, 0.5, 4000)


def _best(action: Callable[[], object]) -> float:
    taken = []
    for _ in range(4):
        started = time.process_time()
        action()
        taken.append(time.process_time() - started)
    return min(taken)
