import pytest

from core.engine import request
from core.engine.request import Call, Model
from core.records import Protocol
from core.tasks.base import Context, Piece

MS = 1_000_000


class Machine:
    """A task and a session in one; each stage takes a known time, and time moves only when it works."""

    processor = None

    def __init__(self, pieces=1):
        self.now, self.pieces, self.seen, self.answered = 0, pieces, [], []

    def clock(self):
        return self.now

    def encode(self, processor, rows, context):
        self.now += 2 * MS
        return [(Piece(row, 1, 1),) * self.pieces for row in rows]

    def forward(self, batch, context):
        self.seen.append([piece.inputs["text"] for piece in batch])
        self.now += 10 * MS
        return [piece.inputs["text"] for piece in batch]

    def decode(self, processor, rows, context):
        self.now += 1 * MS
        self.answered += [row.outputs for row in rows]


def test_the_stages_of_a_request_are_timed_apart():
    machine = Machine()
    took = request.call(Model(machine, machine, Context()), [{"text": "a"}, {"text": "b"}], machine.clock)
    assert took == Call(2 * MS, 10 * MS, 1 * MS)
    assert took.total == 13 * MS
    assert machine.answered == [("a",), ("b",)]


def test_the_first_call_is_timed_whole():
    machine = Machine()
    assert request.first_call(Model(machine, machine, Context()), [{"text": "a"}], machine.clock) == 13 * MS


def test_a_row_of_many_pieces_runs_as_many_at_once_as_in_the_quality_pass():
    machine = Machine(pieces=100)
    model = Model(machine, machine, Context(protocol=Protocol(batch_size=64)))
    took = request.call(model, [{"text": "a"}], machine.clock)
    assert [len(batch) for batch in machine.seen] == [64, 36]
    assert machine.answered == [("a",) * 100]
    assert took.forward == 20 * MS


def taken(rows, size, count):
    stream = request.requests(rows, size)
    return [next(stream) for _ in range(count)]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_stream_of_requests_covers_every_row_equally(size):
    seen = [row for one in taken(10, size, 10) for row in one]
    assert {seen.count(row) for row in range(10)} == {size}


def test_every_candidate_is_asked_for_the_same_rows_in_the_same_order():
    assert taken(40, 3, 20) == taken(40, 3, 20)
    assert taken(40, 1, 40) != [(row,) for row in range(40)]


def test_one_row_fills_a_batch_by_being_repeated():
    assert taken(1, 8, 1) == [(0,) * 8]
