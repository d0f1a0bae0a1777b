import gc

import pytest

from core.engine import latency
from core.engine.latency import Subject
from core.records import Protocol
from core.tasks.base import Context, Piece

MS = 1_000_000


class Clock:
    """Time moves only when somebody works."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


class Machine:
    """A task and a session in one; each stage takes a known time."""

    processor = None

    def __init__(self, clock, forward_ms=lambda call: 10):
        self.clock, self.forward_ms, self.seen = clock, forward_ms, []
        self.pieces, self.answered = 1, []

    def encode(self, processor, rows, context):
        self.clock.now += 2 * MS
        return [(Piece(row, 1, 1),) * self.pieces for row in rows]

    def forward(self, batch, context):
        self.seen.append([piece.inputs["text"] for piece in batch])
        self.clock.now += self.forward_ms(len(self.seen)) * MS
        return [piece.inputs["text"] for piece in batch]

    def decode(self, processor, rows, context):
        self.clock.now += 1 * MS
        self.answered += [row.outputs for row in rows]


def measure(rows=40, size=1, forward_ms=lambda call: 10, **protocol):
    clock = Clock()
    machine = Machine(clock, forward_ms)
    settings = {"min_calls": 20, "min_seconds": 0.1, "max_seconds": 60.0, "warmup": 10}
    inputs = [{"text": str(number)} for number in range(rows)]
    series = latency.measure(
        Subject(machine, machine, Context()),
        inputs,
        size,
        Protocol(**{**settings, **protocol}),
        first_call_ns=7,
        clock=clock,
    )
    return series, machine


def test_stages_are_timed_apart_and_raw_values_kept():
    series, _ = measure()
    assert set(series.preprocess_ns) == {2 * MS}
    assert set(series.forward_ns) == {10 * MS}
    assert set(series.postprocess_ns) == {1 * MS}
    assert series.first_call_ns == 7


def test_it_stops_at_min_calls_when_min_seconds_are_over():
    assert len(measure(min_calls=20, min_seconds=0.1)[0].forward_ns) == 20


def test_it_goes_on_until_min_seconds_are_over():
    assert len(measure(min_calls=20, min_seconds=1.3)[0].forward_ns) == 100


def test_max_seconds_end_a_slow_model_before_min_calls():
    series, _ = measure(forward_ms=lambda call: 997, max_seconds=5.0, min_calls=100)
    assert len(series.forward_ns) == 5
    assert series.warmup_calls == 5


def test_even_the_slowest_model_gets_one_call():
    series, _ = measure(forward_ms=lambda call: 60_000, max_seconds=5.0)
    assert len(series.forward_ns) == 1


def test_a_steady_machine_is_warm_after_the_least_number_of_calls():
    assert measure()[0].warmup_calls == 10


def test_warm_up_goes_on_until_two_rounds_take_equally_long():
    slow_start = measure(forward_ms=lambda call: 100 - 4 * min(call, 20))[0]
    assert slow_start.warmup_calls > 20
    assert max(slow_start.forward_ns) == 20 * MS


def test_warm_up_ends_even_if_times_never_settle():
    assert measure(forward_ms=lambda call: 10 + 40 * (call // 5 % 2))[0].warmup_calls == latency.MAX_WARMUP


def test_every_candidate_gets_the_same_rows_in_the_same_order():
    assert measure()[1].seen == measure()[1].seen


def test_rows_are_drawn_from_the_whole_set():
    _, machine = measure(rows=40, min_calls=100)
    assert {text for batch in machine.seen for text in batch} == {str(number) for number in range(40)}


def test_one_row_fills_a_batch_by_being_repeated():
    series, machine = measure(rows=1, size=8)
    assert machine.seen[0] == ["0"] * 8
    assert series.batch_size == 8


def test_garbage_is_not_collected_meanwhile_and_is_afterwards():
    inside = []
    measure(forward_ms=lambda call: inside.append(gc.isenabled()) or 10)
    assert not any(inside)
    assert gc.isenabled()


def test_the_first_call_is_timed_whole():
    clock = Clock()
    machine = Machine(clock)
    assert latency.first_call(Subject(machine, machine, Context()), [{"text": "a"}], clock) == 13 * MS


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_stream_of_requests_covers_every_row_equally(size):
    rows = [{"text": str(number)} for number in range(10)]
    stream = latency.requests(rows, size)
    seen = [row["text"] for _ in range(10) for row in next(stream)]
    assert {seen.count(str(number)) for number in range(10)} == {size}


def test_a_row_of_many_pieces_runs_as_many_at_once_as_in_the_quality_pass():
    clock = Clock()
    machine = Machine(clock)
    machine.pieces = 100
    subject = Subject(machine, machine, Context(protocol=Protocol(batch_size=64)))
    took = latency.call(subject, [{"text": "a"}], clock)
    assert [len(batch) for batch in machine.seen] == [64, 36]
    assert machine.answered == [("a",) * 100]
    assert took.forward == 20 * MS
