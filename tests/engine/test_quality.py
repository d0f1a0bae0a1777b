import numpy as np
import pytest

from core.engine import quality
from core.engine.events import Note, Rows
from core.errors import TrialFailed
from core.records import Protocol
from core.tasks.base import Context, Piece


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Model:
    """A task and a session in one: tokens are words, the answer is the text's length, room is for `room` tokens.

    With `window`, a text is cut into pieces of so many words.
    """

    processor = None
    rows_at_once = 1000
    generates = False

    def __init__(self, room=10**9, seconds=0.1, output=lambda length: np.array([float(length)]), window=None):
        self.room, self.seconds, self.output, self.window = room, seconds, output, window
        self.clock, self.encoded, self.shapes = Clock(), 0, []

    def encode(self, processor, rows, context):
        self.encoded += len(rows)
        return [self.pieces(len(row["text"].split())) for row in rows]

    def pieces(self, words):
        step = self.window or max(words, 1)
        return tuple(
            Piece({}, length, length) for start in range(0, words, step) if (length := min(step, words - start))
        )

    def forward(self, pieces, context, ahead=()):
        width = max(piece.length for piece in pieces)
        if len(pieces) * width > self.room:
            raise TrialFailed("out_of_memory", "full")
        self.shapes.append((len(pieces), width))
        self.clock.now += self.seconds
        return [self.output(piece.length) for piece in pieces]

    def decode(self, processor, rows, context):
        return [{"answer": int(sum(output[0] for output in row.outputs))} for row in rows]

    def count(self, row):
        return sum(piece.units for piece in row.pieces)


def predict(model, rows, done=(), **protocol):
    events = []
    context = Context(protocol=Protocol(**protocol))
    quality.run(model, model, rows, context, done=frozenset(done), emit=events.append, clock=model.clock)
    chunks = [event for event in events if isinstance(event, Rows)]
    answers = {
        position: prediction["answer"]
        for chunk in chunks
        for position, prediction in zip(chunk.positions, chunk.predictions, strict=True)
    }
    return answers, chunks, [event.text for event in events if isinstance(event, Note)]


def expected(rows):
    return {position: len(row["text"].split()) for position, row in enumerate(rows)}


@pytest.mark.parametrize("size", [1, 8, 64])
def test_every_row_gets_its_own_answer_at_any_batch_size(rows, size):
    answers, chunks, _ = predict(Model(), rows, batch_size=size)
    assert answers == expected(rows)
    assert sum(len(chunk.positions) for chunk in chunks) == len(rows)


def test_rows_are_tokenised_once(rows):
    model = Model()
    predict(model, rows)
    assert model.encoded == len(rows)


def test_rows_done_before_are_not_run_again(rows):
    model = Model()
    answers, _, _ = predict(model, rows, done=range(0, 90, 2))
    assert sorted(answers) == list(range(1, 90, 2))
    assert model.encoded == 45
    assert all(answers[position] == expected(rows)[position] for position in answers)


def test_nothing_runs_when_every_row_is_done(rows):
    model = Model()
    assert predict(model, rows, done=range(90)) == ({}, [], [])
    assert model.shapes == []


def test_results_come_about_once_a_second(rows):
    _, chunks, _ = predict(Model(seconds=0.3), rows, batch_size=1)
    assert [len(chunk.positions) for chunk in chunks] == [4] * 22 + [2]
    assert chunks[0].seconds == pytest.approx(1.2)


def test_units_are_tokens_without_padding(rows):
    _, chunks, _ = predict(Model(), rows)
    assert sum(chunk.units for chunk in chunks) == sum(expected(rows).values())


@pytest.mark.parametrize("window", [1, 3, 7])
@pytest.mark.parametrize("room", [10**9, 25])
def test_a_row_of_several_pieces_is_answered_once_all_of_them_have_run(rows, window, room):
    answers, chunks, _ = predict(Model(window=window, room=room), rows, batch_size=8)
    assert answers == expected(rows)
    assert sum(chunk.units for chunk in chunks) == sum(expected(rows).values())


def test_pieces_of_one_row_may_run_apart_and_beside_those_of_others(rows):
    model = Model(window=4)
    predict(model, rows, batch_size=16)
    assert len(model.shapes) < len(rows)


def test_a_row_without_pieces_has_its_answer_without_the_model():
    answers, _, _ = predict(Model(), [{"text": ""}, {"text": "a b"}, {"text": " "}])
    assert answers == {0: 0, 1: 2, 2: 0}


def test_rows_are_encoded_block_by_block_where_they_are_large(rows):
    model = Model()
    model.rows_at_once = 7
    assert predict(model, rows)[0] == expected(rows)
    assert max(count for count, _ in model.shapes) <= 7


def test_out_of_memory_halves_the_batch_and_goes_on(rows):
    model = Model(room=200)
    answers, _, notes = predict(model, rows, batch_size=64, batch_tokens=2048)
    assert answers == expected(rows)
    assert all(count * width <= 200 for count, width in model.shapes)
    assert notes[0].startswith("Out of memory with ")


def test_a_single_row_that_does_not_fit_fails_the_trial(rows):
    with pytest.raises(TrialFailed) as caught:
        predict(Model(room=1), rows)
    assert caught.value.kind == "out_of_memory"


def test_rows_before_a_failure_were_handed_on(rows):
    model = Model(seconds=2.0)
    events = []

    def fail_later(length):
        if len(model.shapes) == 3:
            raise RuntimeError("device lost")
        return np.ones(1)

    model.output = fail_later
    with pytest.raises(RuntimeError, match="device lost"):
        quality.run(model, model, rows, Context(), done=(), emit=events.append, clock=model.clock)
    assert len(events) == 2


def test_outputs_that_are_not_numbers_fail_the_trial_instead_of_counting_as_answers(rows):
    with pytest.raises(TrialFailed, match="not finite") as caught:
        predict(Model(output=lambda length: np.array([np.nan])), rows)
    assert caught.value.kind == "unsupported"
