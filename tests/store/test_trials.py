from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Failure, Stopped, Variant
from core.store import LeaseLost, Store
from core.store.encoding import without
from tests.store.claimer import claim_and_commit
from tests.store.samples import candidate, chunk, prepared, series


def test_claims_follow_the_oldest_run_in_plan_order(store: Store) -> None:
    first = store.submit(prepared(["org/b", "org/a"]))
    store.submit(prepared(["org/c"]))
    claimed = []
    while claim := store.claim("runner"):
        claimed.append(claim.spec.model)
    assert claimed == ["org/b", "org/a", "org/c"]
    assert store.progress(first).status == "running"


def test_a_claim_holds_all_that_running_it_takes(store: Store) -> None:
    plan = prepared(["org/a"], variants=[Variant(threads=1)])
    store.submit(plan)
    claim = store.claim("runner")
    assert claim is not None
    assert claim.spec == plan.specs[0]
    assert claim.evalset_id == plan.evalset.id
    assert claim.candidate == candidate("org/a")
    assert claim.done == frozenset()


def test_where_a_trial_left_the_race_is_kept(store: Store) -> None:
    run = store.submit(prepared(["org/a", "org/b"]))
    stopped = Stopped(400, "the leader", -0.061, -0.09, -0.032)
    for left in (stopped, None):
        claim = store.claim("runner")
        assert claim is not None
        store.finish(claim.trial, load_seconds=1.0, memory_mb={}, environment={}, stopped=left)
    assert [(one.status, one.stopped) for one in store.run(run).outcomes] == [("done", stopped), ("done", None)]


def test_a_claim_can_be_kept_to_one_run_and_to_the_machines_at_hand(store: Store) -> None:
    store.submit(prepared(["org/a"], hardware="big box"))
    second = store.submit(prepared(["org/b"], hardware="small box"))
    assert store.claim("runner", run_id=second, hardware=["big box"]) is None
    claim = store.claim("runner", hardware=["small box", "its GPU"])
    assert claim is not None
    assert claim.spec.model == "org/b"
    assert store.claim("runner", run_id=second) is None


def test_a_held_trial_is_claimable_again_once_its_lease_is_over_and_keeps_its_rows(store: Store) -> None:
    store.submit(prepared(["org/a"]))
    claim = store.claim("first", lease_seconds=60)
    assert claim is not None
    store.commit_chunk(claim.trial, chunk([3, 1]), runner_id="first")
    assert store.claim("second") is None
    assert store.renew(claim.trial, "first", lease_seconds=-1)
    taken = store.claim("second")
    assert taken is not None
    assert (taken.trial, taken.done) == (claim.trial, {1, 3})
    assert not store.renew(claim.trial, "first")
    assert store.renew(claim.trial, "second")


def test_a_runner_that_lost_its_trial_can_write_no_more(store: Store) -> None:
    run = store.submit(prepared(["org/a"]))
    claim = store.claim("first", lease_seconds=-1)
    assert claim is not None
    trial = claim.trial
    assert store.claim("second") is not None
    before = store.stamp(run)
    writes: list[Callable[[], None]] = [
        lambda: store.set_stage(trial, "load", runner_id="first"),
        lambda: store.commit_chunk(trial, chunk([0]), runner_id="first"),
        lambda: store.commit_latency(trial, series(), runner_id="first"),
        lambda: store.add_note(trial, "note", runner_id="first"),
        lambda: store.finish(trial, load_seconds=1, memory_mb={}, environment={}, runner_id="first"),
        lambda: store.fail(trial, Failure("crash", "x"), runner_id="first"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    store.release(trial, runner_id="first")
    assert store.stamp(run) == before
    assert store.renew(trial, "second")


def test_nothing_is_written_to_a_trial_that_has_ended(store: Store) -> None:
    run = store.submit(prepared(["org/a"]))
    claim = store.claim("runner")
    assert claim is not None
    store.cancel_trial(claim.trial)
    with pytest.raises(LeaseLost):
        store.commit_chunk(claim.trial, chunk([0]))
    with pytest.raises(LeaseLost):
        store.finish(claim.trial, load_seconds=1, memory_mb={}, environment={})
    store.release(claim.trial)
    assert store.progress(run).outcomes[0].status == "cancelled"


def test_committing_rows_twice_keeps_them_once(store: Store) -> None:
    run = store.submit(prepared(["org/a"]))
    claim = store.claim("runner")
    assert claim is not None
    store.commit_chunk(claim.trial, chunk([0, 1, 2]))
    store.commit_chunk(claim.trial, chunk([0, 1, 2], "negative"))
    store.commit_chunk(claim.trial, chunk([2, 3], "negative"))
    outcome = store.run(run).outcomes[0]
    assert outcome.rows_done == 4
    assert [one.positions for one in outcome.chunks] == [(0, 1, 2), (3,)]
    assert outcome.chunks[1].predictions == chunk([3], "negative").predictions
    np.testing.assert_array_equal(outcome.chunks[1].statistics["f1"], chunk([2, 3]).statistics["f1"][1:])
    assert (outcome.chunks[1].seconds, outcome.chunks[1].units) == (0.5, 10)


@given(st.lists(st.integers(0, 30), unique=True, min_size=1), st.frozensets(st.integers(0, 30)))
def test_rows_left_out_of_a_chunk_take_their_share_with_them(positions: list[int], known: frozenset[int]) -> None:
    left = without(chunk(positions), known)
    kept = [position for position in positions if position not in known]
    assert list(left.positions) == kept
    assert list(left.predictions) == list(chunk(kept).predictions)
    assert left.seconds == pytest.approx(0.5 * len(kept))
    assert left.units == pytest.approx(10 * len(kept))


def test_a_trial_that_keeps_killing_its_runner_fails_in_the_end(store: Store) -> None:
    run = store.submit(prepared(["org/a", "org/b"]))
    for _ in range(3):
        claim = store.claim("doomed", lease_seconds=-1)
        assert claim is not None
        assert claim.spec.model == "org/a"
    claim = store.claim("other")
    assert claim is not None
    assert claim.spec.model == "org/b"
    failure = store.progress(run).outcomes[0].failure
    assert failure is not None
    assert failure.kind == "crash"
    assert "vanished 3 times" in failure.message


def test_a_trial_that_makes_progress_may_lose_any_number_of_runners(store: Store) -> None:
    store.submit(prepared(["org/a"]))
    for position in range(6):
        claim = store.claim("unlucky", lease_seconds=-1)
        assert claim is not None
        store.commit_chunk(claim.trial, chunk([position]))
    assert store.claim("lucky") is not None


def test_runners_are_alive_as_long_as_they_beat(store: Store) -> None:
    store.beat("one", "host", 11)
    store.beat("two", "host", 12)
    store.beat("one", "host", 11)
    assert {(runner.id, runner.host, runner.pid) for runner in store.live_runners()} == {
        ("one", "host", 11),
        ("two", "host", 12),
    }
    assert store.live_runners(max_age_seconds=-1) == []
    assert len(store.runners()) == 2


def test_what_a_forgotten_runner_held_can_be_claimed_at_once(store: Store) -> None:
    store.beat("dead", "host", 11)
    store.submit(prepared(["org/a"]))
    assert store.claim("dead") is not None
    store.forget_runner("dead")
    assert store.runners() == []
    assert store.claim("next") is not None


def test_threads_never_claim_the_same_trial(store: Store, open_store: Callable[[], Store]) -> None:
    store.submit(prepared([f"org/{number}" for number in range(24)]))
    stores = [open_store() for _ in range(4)]
    ready = threading.Barrier(len(stores))

    def claim_all(number: int) -> list[str]:
        ready.wait()
        taken = []
        while claim := stores[number].claim(f"runner {number}"):
            taken.append(claim.trial)
        return taken

    with ThreadPoolExecutor(len(stores)) as pool:
        taken = [trial for trials in pool.map(claim_all, range(len(stores))) for trial in trials]
    assert len(taken) == 24
    assert set(Counter(taken).values()) == {1}


def test_processes_never_claim_the_same_trial(store: Store, url: str) -> None:
    run = store.submit(prepared([f"org/{number}" for number in range(20)]))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=claim_and_commit, args=(url, f"runner {number}")) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    outcomes = store.run(run).outcomes
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert all([one.positions for one in outcome.chunks] == [tuple(range(6))] for outcome in outcomes)
