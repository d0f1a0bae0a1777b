import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine import serving
from core.engine.latency import Dropout
from core.engine.serving import TOLERANCE, Search, Subject, allowed_late, arrivals, held, joint, serve, wait_until
from core.errors import PlanError
from core.records import LatencySeries, Protocol, ServerSeries

MS = 1_000_000
BOUND = Protocol(server_p99_ms=100.0, max_seconds=30.0)


class World:
    """Time moves when the model works or sleeps; a batch takes `fixed` ms and `each` ms for each of its requests."""

    def __init__(self, fixed=5.0, each=0.0, oversleep_ns=0):
        self.now, self.fixed, self.each, self.oversleep_ns, self.slept = 0, fixed, each, oversleep_ns, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += round(seconds * 1e9) + self.oversleep_ns

    def answer(self, numbers):
        self.now += int((self.fixed + self.each * len(numbers)) * MS)

    def serve(self, due, max_batch=8, bound_ms=1000.0):
        return serve(self.answer, due, max_batch=max_batch, bound_ns=bound_ms * MS, clock=self.clock, sleep=self.sleep)


def ms(values):
    return [round(value / MS, 3) for value in values]


# --- arrivals ------------------------------------------------------------------------------------------------------


def test_arrivals_are_a_poisson_process():
    gaps = np.diff(arrivals(20_000, 50.0, seed=3)) / 1e9
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)  # as of an exponential distribution
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.03


def test_a_seed_gives_one_pattern_at_every_rate():
    slow, fast = arrivals(500, 10.0, seed=1), arrivals(800, 40.0, seed=1)
    np.testing.assert_allclose(np.array(slow) / 4, fast[:500], atol=2)
    assert arrivals(500, 10.0, seed=2) != slow


# --- one rate ------------------------------------------------------------------------------------------------------


def test_a_request_that_finds_the_model_free_takes_as_long_as_its_answer():
    taken = World(fixed=5).serve([10 * MS, 20 * MS, 40 * MS])
    assert ms(taken.latency_ns) == [5, 5, 5]
    assert taken.batch_sizes == [1, 1, 1]


def test_the_time_a_request_waits_for_those_before_it_counts():
    taken = World(fixed=10).serve([MS, 2 * MS, 30 * MS], max_batch=1)
    assert ms(taken.latency_ns) == [10, 19, 10]


def test_what_waits_when_the_model_is_free_runs_as_one_batch_of_at_most_so_many():
    due = [0, 1 * MS, 2 * MS, 3 * MS, 4 * MS, 50 * MS]
    taken = World(fixed=10).serve(due, max_batch=3)
    assert taken.batch_sizes == [1, 3, 1, 1]
    assert ms(taken.latency_ns) == [10, 19, 18, 17, 26, 10]


def test_nobody_waits_for_a_batch_to_fill():
    assert World(fixed=1).serve([0, 2 * MS, 4 * MS], max_batch=8).batch_sizes == [1, 1, 1]


def test_a_model_that_falls_behind_is_not_asked_on_once_its_99th_percentile_is_lost():
    taken = World(fixed=10).serve(arrivals(1000, 500.0), max_batch=1, bound_ms=50)
    late = sum(took > 50 * MS for took in taken.latency_ns)
    assert late == allowed_late(1000) + 1 == 11
    assert len(taken.latency_ns) < 30


def test_one_late_request_in_a_hundred_is_allowed():
    due = [number * 20 * MS for number in range(1000)]
    world = World(fixed=5)
    slow = iter([number % 100 == 0 for number in range(1000)])
    world.answer = lambda numbers: setattr(world, "now", world.now + (15 if next(slow) else 5) * MS)
    assert len(world.serve(due, bound_ms=10).latency_ns) == 1000


def test_a_wait_ends_in_naps_and_never_spins():
    world = World(oversleep_ns=60_000)
    wait_until(20 * MS, world.clock, world.sleep)
    assert world.slept[0] == pytest.approx(0.019)
    assert max(world.slept[1:]) <= 50e-6
    assert len(world.slept) < 20
    assert 20 * MS <= world.now < 20.2 * MS


def test_the_machines_own_clock_wakes_in_time():
    late = []
    for _ in range(5):
        moment = time.perf_counter_ns() + 5 * MS
        wait_until(moment)
        late.append(time.perf_counter_ns() - moment)
    assert 0 <= min(late) < 5 * MS


@given(
    gaps=st.lists(st.integers(0, 20 * MS), min_size=1, max_size=60),
    fixed=st.floats(0.1, 30),
    each=st.floats(0, 5),
    max_batch=st.integers(1, 9),
)
def test_every_request_is_answered_once_in_order_and_no_batch_is_too_large(gaps, fixed, each, max_batch):
    due = list(itertools.accumulate(gaps))
    world, asked = World(fixed, each), []
    work = world.answer
    world.answer = lambda numbers: (asked.extend(numbers), work(numbers))
    taken = world.serve(due, max_batch, bound_ms=math.inf)
    assert asked == list(range(len(due)))
    assert sum(taken.batch_sizes) == len(taken.latency_ns) == len(due)
    assert max(taken.batch_sizes) <= max_batch
    assert min(taken.latency_ns) >= int(fixed * MS)
    answered = [moment + took for moment, took in zip(due, taken.latency_ns, strict=True)]
    assert answered == sorted(answered)


# --- which rates ---------------------------------------------------------------------------------------------------


def search(limit, start, lowest=1.0):
    """The rates tried where all up to `limit` hold."""
    found, tried = Search(start, lowest), []
    while (rate := found.next()) is not None:
        tried.append(rate)
        found.tell(rate, held=rate <= limit)
    return tried


@given(limit=st.floats(2, 1e5), start=st.floats(2, 1e4))
def test_a_search_encloses_the_highest_rate_within_its_tolerance(limit, start):
    tried = search(limit, start)
    best, worst = max(rate for rate in tried if rate <= limit), min(rate for rate in tried if rate > limit)
    assert best < worst <= best * (1 + TOLERANCE) * 1.0001
    assert len(tried) <= serving.MAX_RATES


def test_a_search_doubles_halves_and_bisects_in_ratios():
    assert [round(rate, 1) for rate in search(90, 50)] == [50, 100, 70.7, 84.1, 91.7]
    assert [round(rate, 1) for rate in search(20, 50)][:3] == [50, 25, 12.5]


def test_no_rate_is_tried_that_could_not_be_told():
    assert search(0.0, 50, lowest=20) == [50, 25, 20]
    assert search(0.0, 5, lowest=20) == [20]


def test_a_search_ends_where_everything_holds():
    assert len(search(math.inf, 1)) == serving.MAX_RATES


# --- all of it -----------------------------------------------------------------------------------------------------


def subject(world, name="", log=None):
    def answer(rate, requests):
        if log is not None:
            log.append((name, rate))
        due = arrivals(requests, rate)
        start, world.now = world.now, 0
        taken = serve(world.answer, due, max_batch=8, bound_ns=100 * MS, clock=world.clock, sleep=world.sleep)
        world.now += start
        return ServerSeries(rate, requests, tuple(taken.latency_ns), tuple(taken.batch_sizes))

    return Subject(answer, 1000 / (world.fixed + world.each))


def highest(rates, protocol=BOUND):
    return max((one.rate for one in rates if held(one, protocol.server_p99_ms)), default=None)


def test_batching_lets_a_model_keep_up_with_more_than_it_answers_one_by_one():
    # Batches of 8 take 20 + 8 ms: at most 286 a second; one by one 48.
    [rates] = joint([subject(World(fixed=20, each=1))], BOUND)
    assert 150 < highest(rates) < 286


def test_what_cannot_batch_stays_below_its_single_rate():
    # 10 ms for each request, whatever runs together: the queue alone decides.
    [rates] = joint([subject(World(fixed=0, each=10))], BOUND)
    assert 50 < highest(rates) < 100


def test_a_rate_that_was_tried_has_a_thousand_requests_or_was_surely_lost():
    [rates] = joint([subject(World(fixed=20, each=1))], BOUND)
    for one in rates:
        late = sum(took > 100 * MS for took in one.latency_ns)
        assert one.requests >= 1000
        assert len(one.latency_ns) == one.requests or late > allowed_late(one.requests)


def test_a_rate_holds_only_where_every_request_was_answered():
    whole = ServerSeries(50.0, 1000, (5 * MS,) * 1000, ())
    assert held(whole, 100)
    assert not held(replace(whole, latency_ns=whole.latency_ns[:-1]), 100)


def test_a_model_slower_than_the_bound_holds_nothing_and_that_is_known_soon():
    [rates] = joint([subject(World(fixed=300))], BOUND)
    assert highest(rates) is None
    assert min(one.rate for one in rates) == pytest.approx(1000 / 30)
    assert sum(len(one.latency_ns) for one in rates) < 200


def test_candidates_take_turns_in_an_order_drawn_anew_and_keep_the_session():
    log = []
    subjects = [subject(World(fixed=5 * place), str(place), log) for place in (1, 2, 3, 4)]
    found = joint(subjects, BOUND, session="s")
    rounds = [{name for name, _ in log[start : start + 4]} for start in (0, 4, 8)]
    assert rounds == [{"1", "2", "3", "4"}] * 3
    assert len({tuple(name for name, _ in log[start : start + 4]) for start in (0, 4, 8)}) > 1
    assert {one.session for rates in found for one in rates} == {"s"}


def test_one_that_drops_out_keeps_what_it_has_and_the_others_go_on():
    steady, failing = subject(World()), subject(World())
    numbers = itertools.count()

    def serve_twice(rate, requests):
        if next(numbers) == 2:
            raise Dropout
        return failing.serve(rate, requests)

    short, whole = joint([replace(failing, serve=serve_twice), steady], BOUND)
    assert len(short) == 2
    assert highest(whole) is not None


def test_a_rate_is_kept_up_long_enough_for_a_queue_to_show():
    slow_bound = replace(BOUND, server_p99_ms=2000.0)
    assert serving.requests_at(40, BOUND) == 1000
    assert serving.requests_at(400, slow_bound) == 400 * 20


def test_a_search_begins_from_the_times_of_single_calls():
    series = LatencySeries(2, (MS, MS, MS), (8 * MS, 9 * MS, 99 * MS), (0, 0, 0), 0, 0)
    assert serving.rows_per_second(series) == pytest.approx(200)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"latency_batch_sizes": ()}, "batch_sizes is empty"), ({"server_p99_ms": 5000.0}, "kept up for 50 seconds")],
)
def test_what_cannot_be_measured_is_refused(changes, words):
    serving.check(BOUND)
    serving.check(Protocol(latency_batch_sizes=()))
    with pytest.raises(PlanError, match=words):
        serving.check(replace(BOUND, **changes))
