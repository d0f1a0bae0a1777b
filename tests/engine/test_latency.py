import itertools
import statistics
from dataclasses import replace

import pytest

from core.engine.events import Writing
from core.engine.latency import FIXED_CALLS, MAX_WARMUP, Dropout, Subject, joint
from core.engine.latency import measure as measure_with_tokens
from core.engine.request import Call
from core.records import Protocol

MS = 1_000_000


class World:
    """Time moves only when a subject works. `slowed(now in seconds)` is what a neighbour does to everybody."""

    def __init__(self, slowed=lambda seconds: 1.0):
        self.now, self.slowed, self.asked = 0, slowed, []

    def clock(self):
        return self.now

    def subject(self, name, milliseconds, fails_at=None):
        """Takes that many ms; a function of the number of its call where it is not the same each time."""
        numbers = itertools.count(1)

        def time(rows):
            number = next(numbers)
            if number == fails_at:
                raise Dropout
            self.asked.append((name, rows))
            forward = milliseconds(number) if callable(milliseconds) else milliseconds
            took = int(forward * self.slowed(self.now / 1e9) * MS)
            self.now += took + 3 * MS
            return Call(2 * MS, took, MS)

        return Subject(time, first_call_ns=7)


def requests(size=1):
    return (tuple(range(start, start + size)) for start in itertools.count(0, size))


def measure(world, *subjects, size=1, session="s", **protocol):
    settings = {"min_calls": 20, "min_seconds": 0.1, "max_seconds": 60.0, "warmup": 10}
    return joint(subjects, requests(size), Protocol(**{**settings, **protocol}), session=session, clock=world.clock)


def one(forward=10, world=None, **protocol):
    world = world or World()
    return measure(world, world.subject("a", forward), **protocol)[0]


def test_what_a_gpu_counted_is_kept_call_by_call():
    world = World()
    plain = world.subject("a", 10)
    clocked = Subject(lambda rows: replace(plain.time(rows), device=len(world.asked)))
    series = measure(world, clocked)[0]
    assert len(series.device_ns) == len(series.forward_ns)
    assert len(set(series.device_ns)) == len(series.device_ns)
    assert one().device_ns == ()


def test_stages_are_kept_apart_and_raw():
    series = one()
    assert set(series.preprocess_ns) == {2 * MS}
    assert set(series.forward_ns) == {10 * MS}
    assert set(series.postprocess_ns) == {1 * MS}
    assert (series.first_call_ns, series.batch_size, series.session) == (7, 1, "s")


def test_it_stops_at_min_calls_when_min_seconds_are_over():
    assert len(one(min_calls=20, min_seconds=0.1).forward_ns) == 20


def test_it_goes_on_until_min_seconds_are_over_for_each():
    assert len(one(min_calls=20, min_seconds=1.3).forward_ns) == 100  # of 13 ms each, and as many for A/A


def test_max_seconds_end_a_slow_model_before_min_calls():
    series = one(997, max_seconds=5.0, min_calls=100)
    assert len(series.forward_ns) == 5
    assert series.warmup_calls == 5


def test_even_the_slowest_model_gets_one_call():
    assert len(one(60_000, max_seconds=5.0).forward_ns) == 1


def test_a_slow_model_does_not_keep_a_fast_one_from_its_calls():
    world = World()
    slow, fast = measure(world, world.subject("slow", 10_000), world.subject("fast", 1), max_seconds=30.0, min_calls=50)
    assert len(slow.forward_ns) == 3
    assert len(fast.forward_ns) == 50
    assert fast.requests[:3] == slow.requests


def test_a_steady_machine_is_warm_after_the_least_number_of_calls():
    assert one().warmup_calls == 10


def test_warm_up_goes_on_until_two_rounds_take_equally_long():
    series = one(lambda call: 100 - 4 * min(call, 20))
    assert series.warmup_calls > 20
    assert max(series.forward_ns) == 20 * MS


def test_one_disturbed_call_does_not_prolong_warm_up():
    assert one(lambda call: 90 if call == 8 else 10).warmup_calls == 10


def test_warm_up_ends_even_if_times_never_settle():
    assert one(lambda call: 10 + 40 * (call // 5 % 2)).warmup_calls == MAX_WARMUP


def test_all_get_the_same_requests_and_only_the_first_gets_them_twice():
    world = World()
    found = measure(world, *(world.subject(name, 10) for name in "abc"), size=8)
    assert [series.requests for series in found] == [tuple(range(20))] * 3
    assert [len(series.again_ns) for series in found] == [20, 0, 0]
    assert {series.batch_size for series in found} == {8}
    asked = [[rows for name, rows in world.asked[30:] if name == wanted] for wanted in "abc"]
    assert asked[0][::2] == asked[0][1::2] == asked[1] == asked[2]


def test_requests_that_warm_up_are_not_timed_again():
    world = World()
    measure(world, world.subject("a", 10))
    assert {rows for _, rows in world.asked[:10]}.isdisjoint(rows for _, rows in world.asked[10:])


def test_the_order_is_drawn_anew_for_each_request_and_can_be_drawn_again():
    def order(session):
        world = World()
        measure(world, *(world.subject(name, 10) for name in "abc"), session=session)
        asked = [name for name, _ in world.asked[30:]]
        return ["".join(asked[start : start + 4]) for start in range(0, 80, 4)]

    assert len(set(order("s"))) > 5
    assert order("s") == order("s") != order("t")
    assert {"".join(sorted(turn)) for turn in order("s")} == {"aabc"}


def test_a_subject_that_drops_out_stops_no_other():
    world = World()
    subjects = [world.subject("a", 10), world.subject("b", 10, fails_at=20), world.subject("c", 10)]
    a, b, c = measure(world, *subjects)
    assert b is None
    assert len(a.forward_ns) == len(c.forward_ns) == len(a.again_ns) == 20


@pytest.mark.parametrize("fails_at", [1, 7])
def test_the_first_that_can_be_timed_is_timed_twice(fails_at):
    world = World()
    found = measure(world, world.subject("a", 10, fails_at=fails_at), world.subject("b", 10))
    assert found[0] is None
    assert len(found[1].again_ns) == len(found[1].forward_ns)


def test_nobody_left_is_the_end():
    world = World()
    assert measure(world, world.subject("a", 10, fails_at=15), world.subject("b", 10, fails_at=3)) == [None, None]


def writer(world, name, per_token, tokens, fails_at=None):
    """Writes that many tokens for each row, 40 at a fixed length; `fails_at` is the number of a call at that length."""
    fixed_calls = itertools.count(1)

    def call(rows, steps):
        took = steps * per_token * MS
        world.asked.append((name, rows))
        world.now += took
        return Call(0, took, 0, writing=Writing(per_token * MS, took - per_token * MS, steps - 1, (steps,) * len(rows)))

    def fixed(rows):
        if next(fixed_calls) == fails_at:
            raise Dropout
        return call(rows, 40)

    return Subject(lambda rows: call(rows, tokens), time_fixed_length=fixed)


def measure_writers(world, *subjects, size=1, **protocol):
    settings = Protocol(**{"min_calls": 50, "min_seconds": 0.1, "max_seconds": 60.0, **protocol})
    return measure_with_tokens(subjects, requests(size), settings, session="s", clock=world.clock)


def test_of_each_call_it_is_kept_when_its_tokens_came():
    (series,) = measure_writers(world := World(), writer(world, "a", 5, tokens=3), size=2)
    assert set(series.first_token_ns) == {5 * MS}
    assert set(series.decode_ns) == {10 * MS}
    assert set(series.decode_steps) == {2}
    assert series.tokens == (3, 3) * 50


def test_a_model_of_few_words_is_timed_on_equal_work_besides():
    world = World()
    short, long = measure_writers(world, writer(world, "short", 10, tokens=2), writer(world, "long", 5, tokens=30))
    assert (set(short.forward_ns), set(long.forward_ns)) == ({20 * MS}, {150 * MS})
    assert set(short.fixed_length.total_ns) == {400 * MS}
    assert set(long.fixed_length.total_ns) == {200 * MS}
    assert set(short.fixed_length.tokens) == set(long.fixed_length.tokens) == {40}


def test_at_a_fixed_length_all_answer_the_same_few_requests_by_turns():
    world = World()
    found = measure_writers(world, *(writer(world, name, 5, tokens=3) for name in "abc"), size=4)
    assert {len(series.fixed_length.total_ns) for series in found} == {FIXED_CALLS}
    assert {series.fixed_length.requests for series in found} == {tuple(range(FIXED_CALLS))}
    assert set(found[0].fixed_length.tokens) == {160}
    turns = [name for name, _ in world.asked[-4 * FIXED_CALLS :]]
    assert {"".join(sorted(turns[start : start + 4])) for start in range(0, len(turns), 4)} == {"aabc"}


def test_a_slow_model_writes_at_a_fixed_length_for_a_quarter_of_the_time():
    world = World()
    (series,) = measure_writers(world, writer(world, "a", 50, tokens=2), max_seconds=40.0)
    assert len(series.fixed_length.total_ns) == 5  # of 2 s each, in 10 s


def test_models_that_write_nothing_are_timed_once():
    world = World()
    silent = replace(world.subject("plain", 10), time_fixed_length=lambda rows: pytest.fail("it writes nothing"))
    plain, wordy = measure_writers(world, silent, writer(world, "wordy", 5, tokens=3))
    assert plain.fixed_length is None
    assert plain.tokens == plain.first_token_ns == ()
    assert wordy.fixed_length is not None
    assert [name for name, _ in world.asked[-FIXED_CALLS:]] == ["wordy"] * FIXED_CALLS


@pytest.mark.parametrize("fails_at", [1, 15])
def test_what_does_not_fit_at_the_fixed_length_keeps_its_other_times(fails_at):
    world = World()
    a, b = measure_writers(world, writer(world, "a", 5, 3, fails_at=fails_at), writer(world, "b", 5, 3))
    assert (len(a.forward_ns), a.fixed_length) == (50, None)
    assert len(b.fixed_length.total_ns) == FIXED_CALLS


def test_a_neighbour_that_comes_and_goes_hits_both_and_not_their_ratio():
    """For a second everything takes three times as long, then not."""
    world = World(lambda seconds: 3.0 if int(seconds) % 2 else 1.0)
    a, b = measure(world, world.subject("a", 12), world.subject("b", 10), min_calls=100)
    assert (min(a.forward_ns), max(a.forward_ns)) == (12 * MS, 36 * MS)
    ratios = [x / y for x, y in zip(a.forward_ns, b.forward_ns, strict=True)]
    assert statistics.median(ratios) == pytest.approx(1.2)
