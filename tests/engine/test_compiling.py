from dataclasses import replace

import numpy as np
import pytest

from core import registry
from core.engine import compiling, worker
from core.engine.backends.torch_regions import import_compiler
from core.engine.events import Memory, Note, Rows
from core.engine.quality import QualityPass
from core.engine.worker import Job
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Context, Piece
from tests.engine.tiny import QUICK

TASK = registry.task("text-classification")


class Model:
    """A task, a session and its layers in one: each row takes its time, less of it where layers are compiled."""

    processor = None
    rows_at_once = 100_000
    generates = False
    count = 6

    def __init__(self, rows=2000, second=1.0, gain=1.2, off=0.0, broken=None, fits=True):
        self.logits = np.random.default_rng(0).normal(size=(rows, 3))
        self.second, self.gain, self.off, self.broken, self.fits = second, gain, off, broken, fits
        self.now, self.is_compiled, self.calls = 0.0, False, []

    def clock(self):
        return self.now

    def encode(self, processor, rows, context):
        return [(Piece({"row": row["row"]}, 10 + row["row"] % 3, 10),) for row in rows]

    def decode(self, processor, rows, context):
        return [{"answer": int(row.outputs[0].argmax())} for row in rows]

    def count_units(self, row):
        return 1.0

    def forward(self, pieces, context, ahead=()):
        self.calls.append((self.is_compiled, len(pieces)))
        if self.is_compiled and self.broken:
            raise self.broken
        if self.is_compiled and not self.fits and len(self.calls) > 6:
            self.fits = True
            raise TrialFailed("out_of_memory", "full")
        self.now += self.second * len(pieces) / (self.gain if self.is_compiled else 1)
        return [self.logits[piece.inputs["row"]] + self.off * self.is_compiled for piece in pieces]

    def start(self):
        self.now += 9.0
        self.is_compiled = True

    def settle(self): ...

    def switch(self, compiled):
        self.is_compiled = compiled

    def undo(self):
        self.is_compiled = False
        self.calls.append("undone")


def predict(model, layers=None, close=True, **protocol):
    events = []
    task = type("Task", (), {name: getattr(model, name) for name in ("encode", "decode", "rows_at_once", "generates")})
    task.count = staticmethod(model.count_units)
    work = QualityPass(
        model,
        task,
        Context(protocol=Protocol(batch_tokens=200, **protocol)),
        events.append,
        layers=layers or (lambda: model),
        clock=model.clock,
    )
    work.run([{"row": row} for row in range(len(model.logits))])
    if close:
        work.close()
    answers = [
        (position, prediction["answer"])
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    ]
    assert sorted(answers) == list(enumerate(model.logits.argmax(axis=1).tolist()))
    return work.facts, [event.text for event in events if isinstance(event, Note)]


def test_the_rest_of_a_long_pass_runs_compiled_and_says_so():
    model = Model()
    facts, notes = predict(model)
    assert facts["compiled"] == 6
    assert facts["compile_gain"] == pytest.approx(1.2, abs=0.01)
    assert facts["compile_seconds"] > 9
    (note,) = notes
    assert note.endswith("then 1.20 times as fast: rows per second are of both.")
    assert note.startswith("Compiled the 6 layers in ")
    runs = [call for call in model.calls if call != "undone"]
    assert sum(count for is_compiled, count in runs if is_compiled) > 1800
    assert model.calls[-1] == "undone"


def test_the_longest_rows_run_before_there_is_a_compiler():
    model = Model()
    predict(model)
    assert model.calls[:2] == [(False, 18), (False, 16)], "the estimate, then 16 rows of 12 tokens"


@pytest.mark.parametrize(("rows", "second"), [(2000, 0.05), (100, 10.0)])
def test_rows_that_would_not_pay_it_back_are_left_alone(rows, second):
    model = Model(rows, second)
    facts, notes = predict(model)
    assert "compile_seconds" not in facts
    assert notes == []
    assert not any(is_compiled for is_compiled, _ in model.calls)


def test_what_is_not_faster_is_given_up_at_once():
    model = Model(gain=1.04)
    facts, (note,) = predict(model)
    assert facts["compile_gain"] == 1.04
    assert "compiled" not in facts
    assert note.endswith("for nothing (1.04 times as fast): the model ran as it is.")
    assert not any(is_compiled for is_compiled, _ in model.calls[model.calls.index("undone") + 1 :])


def test_other_outputs_are_never_kept():
    model = Model(off=1e-3)
    facts, (note,) = predict(model)
    assert "compiled" not in facts
    assert "gave other outputs" in note
    assert not model.is_compiled


@pytest.mark.parametrize("error", [RuntimeError("no such header\nin line 7"), MemoryError(), TrialFailed("crash", "x")])
def test_whatever_a_compiler_does_the_pass_goes_on(error):
    model = Model(broken=error)
    facts, (note,) = predict(model)
    assert "compiled" not in facts
    assert note.startswith("The layers could not be compiled, and ran as they are: ")
    assert "\n" not in note
    assert not model.is_compiled


def test_a_model_without_repeated_layers_runs_as_it_is():
    assert predict(Model(), layers=lambda: None) == ({"batch_tokens": 200}, [])


def test_a_compiled_batch_that_does_not_fit_ends_it():
    model = Model(fits=False)
    facts, _ = predict(model)
    assert "compiled" not in facts
    assert not model.is_compiled


def test_later_rounds_run_compiled_until_the_end_is_told():
    model = Model()
    predict(model, close=False)
    assert model.is_compiled


def test_outputs_are_compared_whatever_they_are():
    row = np.array([1.0, 2.0, 100.0])
    assert compiling.is_close({"a": [row, "x"]}, {"a": [row + 5e-5, "x"]})
    assert not compiling.is_close([row], [row + 1e-2])
    assert not compiling.is_close([row], [row, row])
    assert not compiling.is_close({"a": row}, {"b": row})
    assert not compiling.is_close("x", "y")
    assert not compiling.is_close(row, row[:2])
    assert not compiling.is_close(np.array([1.0, 1.00001]), np.array([1.00001, 1.0])), "another label"


@pytest.mark.parametrize(
    ("task", "variant", "context"),
    [
        ("summarization", Variant(), Context()),
        ("text-classification", Variant(dtype="bfloat16"), Context()),
        ("text-classification", Variant(device="cuda"), Context()),
        ("text-classification", Variant(backend="torch-compile"), Context()),
        ("text-classification", Variant(), Context(protocol=Protocol(compile=False))),
    ],
)
def test_it_is_for_float32_on_a_cpu(task, variant, context):
    assert not compiling.suits(registry.task(task), variant, context)


def test_it_takes_a_compiler(monkeypatch):
    assert compiling.suits(TASK, Variant(), Context())
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not compiling.suits(TASK, Variant(), Context())


def test_a_trial_compiles_once_and_is_timed_as_it_was_loaded(monkeypatch, classifier, spec, rows):
    import_compiler()
    import torch

    started = []
    monkeypatch.setattr(compiling, "pays", lambda seconds: True)
    monkeypatch.setattr(compiling, "LEAST_GAIN", 0.0)
    monkeypatch.setattr(
        worker.Worker, "_be_alone", lambda self: (self._quality.close(), started.append(self._session.model))
    )
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    protocol = replace(QUICK, batch_tokens=200, screen=False)
    found, exact = [], []
    for emit, settings in ((found, protocol), (exact, replace(protocol, compile=False))):
        worker.run_trial(Job(spec(protocol=settings), str(classifier), rows), emit.append, lambda: None)
    graphs = torch._dynamo.utils.counters["stats"]
    assert graphs["unique_graphs"] - before <= 2, "with padding and without, whatever the shapes"
    facts = found[-1].environment
    assert facts["compiled"] == 2
    assert not {"compiled", "compile_gain"} & set(exact[-1].environment)
    assert _answers(found) == _answers(exact)
    (memory,) = [event.mb for event in found if isinstance(event, Memory)]
    assert "compiling" in memory
    assert memory["peak"] == max(memory[phase] for phase in memory if phase not in ("peak", "compiling", "model"))
    assert not any(layer._compiled_call_impl for layer in started[0].bert.encoder.layer)


def _answers(events):
    return sorted(
        (position, prediction["answer"])
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    )
