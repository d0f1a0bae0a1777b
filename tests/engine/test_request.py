import pytest

from core.engine import request
from core.engine.events import Writing
from core.engine.request import Call, Model
from core.records import Protocol
from core.tasks.base import Context, Piece

MS = 1_000_000


class Machine:
    """A task and a session in one; each stage takes a known time, and time moves only when it works."""

    processor = None
    device_ns = None

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


class Writer(Machine):
    """Writes: 20 ms for a batch's first token, 5 ms for each further one, and 2 ms to hand the texts out."""

    def __init__(self, lengths, pieces=1):
        super().__init__(pieces)
        self.lengths = lengths

    def forward(self, batch, context):
        self.seen.append([piece.inputs["text"] for piece in batch])
        lengths = [4 if context.fixed_length else self.lengths[piece.inputs["text"]] for piece in batch]
        for number in range(1, max(lengths) + 1):
            self.now += (20 if number == 1 else 5) * MS
            context.on_token(number)
        self.now += 2 * MS
        return lengths

    def written(self, row):
        return sum(row.outputs)


def write(machine, texts, **more):
    rows = [{"text": text} for text in texts]
    return request.call(Model(machine, machine, Context(**more)), rows, machine.clock)


def test_the_first_token_is_waited_for_from_the_start_of_the_request():
    took = write(Writer({"a": 3}), "a")
    assert took.writing == Writing(first_token_ns=22 * MS, decode_ns=10 * MS, steps=2, tokens=(3,))
    assert took.total == (2 + 20 + 10 + 2 + 1) * MS


def test_rows_of_a_batch_get_their_tokens_together():
    assert write(Writer({"a": 3, "b": 6}), "ab").writing == Writing(22 * MS, 25 * MS, 5, (3, 6))


def test_a_text_of_one_token_has_no_time_per_token():
    assert write(Writer({"a": 1}), "a").writing == Writing(22 * MS, 0, 0, (1,))


def test_the_time_between_two_batches_of_a_request_is_not_that_of_a_token():
    machine = Writer({"a": 3}, pieces=2)
    took = write(machine, "a", protocol=Protocol(batch_size=1))
    assert len(machine.seen) == 2
    assert took.writing == Writing(22 * MS, 20 * MS, 4, (6,))


def test_at_a_fixed_length_the_task_is_told():
    machine = Writer({"a": 1})
    model = Model(machine, machine, Context())
    assert request.call(model, [{"text": "a"}], machine.clock, fixed_length=True).writing.tokens == (4,)
    assert request.call(model, [{"text": "a"}], machine.clock).writing.tokens == (1,)


def test_a_task_that_writes_nothing_has_no_tokens():
    assert write(Machine(), "a").writing is None


def test_what_a_gpu_counted_of_a_request_is_the_sum_over_its_batches():
    machine = Machine()
    machine.device_ns = 3 * MS
    rows = [{"text": "a"}, {"text": "b"}]
    assert request.call(Model(machine, machine, Context()), rows, machine.clock).device == 3 * MS
    machine.pieces = 100
    context = Context(protocol=Protocol(batch_size=50, batch_tokens=10_000))
    assert request.call(Model(machine, machine, context), rows, machine.clock).device == 4 * 3 * MS


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
