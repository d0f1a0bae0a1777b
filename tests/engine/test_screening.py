import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import registry
from core.engine import screening, worker
from core.engine.backends.pytorch import BACKEND, TorchSession
from core.engine.backends.torch_copy import lowered
from core.engine.backends.torch_devices import Cpu
from core.engine.events import Memory, Note, Rows
from core.engine.quality import QualityPass
from core.engine.worker import Job
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Argmax, Context, Piece
from tests.engine.tiny import LABELS, QUICK
from tests.tasks import tiny

TASK = registry.task("text-classification")
ANSWER = frozenset({"answer"})


class Model:
    """A task and two sessions: logits are given, those of the copy are a little off; each row takes its time."""

    processor = None
    rows_at_once = 10_000
    generates = False

    def __init__(self, logits, noise, speed=3.0):
        self.full, self.low = logits, logits + noise
        self.speed, self.now, self.ran = speed, 0.0, {"full": [], "low": []}

    def clock(self):
        return self.now

    def copy(self):
        return Session(self, "low", self.low, 1 / self.speed)

    def encode(self, processor, rows, context):
        return [(Piece({"row": row["row"]}, 10, 10),) for row in rows]

    def logits(self, row, context):
        return row.outputs[0]

    def decode(self, processor, rows, context):
        return [{"answer": int(self.logits(row, context).argmax()), "score": 1.0} for row in rows]

    def count(self, row):
        return 1.0


class Session:
    processor = None

    def __init__(self, model, name, logits, seconds):
        self.model, self.name, self.logits, self.seconds = model, name, logits, seconds

    def forward(self, pieces, context, ahead=()):
        rows = [piece.inputs["row"] for piece in pieces]
        self.model.ran[self.name] += rows
        self.model.now += self.seconds * len(rows)
        return [self.logits[row] for row in rows]


def predict(model, done=(), copy=True, **protocol):
    events = []
    session = Session(model, "full", model.full, 1.0)
    context = Context(needs=ANSWER, protocol=Protocol(batch_tokens=200, **protocol))
    work = QualityPass(
        session, model, context, events.append, copy=model.copy if copy is True else copy, clock=model.clock
    )
    work.run([{"row": row} for row in range(len(model.full))], done)
    work.close()
    found = {
        position: prediction
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    }
    return found, work.facts, [event.text for event in events if isinstance(event, Note)]


def labels(logits):
    return dict(enumerate(logits.argmax(axis=1).tolist()))


def drawn(rows=600, classes=3, noise=0.03, seed=2, scale=2.0):
    draw = np.random.default_rng(seed)
    return draw.normal(0, scale, (rows, classes)), draw.uniform(-noise, noise, (rows, classes))


def test_labels_are_those_of_float32_and_most_rows_never_ran_there():
    model = Model(*drawn())
    assert any(model.full.argmax(axis=1) != model.low.argmax(axis=1)), "without a flip nothing is shown"
    found, facts, notes = predict(model)
    assert {position: one["answer"] for position, one in found.items()} == labels(model.full)
    assert facts["screened"] == "bfloat16"
    assert 0.01 < facts["rechecked"] < 0.2
    assert notes == [f"Screened at bf16, {100 * facts['rechecked']:.1f} % re-checked: rows per second are of both."]
    assert len(model.ran["full"]) < 250


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    noise=st.floats(0, 0.5),
    scale=st.floats(0.01, 5),
    classes=st.integers(2, 6),
    done=st.sets(st.integers(0, 599), max_size=300),
)
def test_whatever_the_margins_are_labels_are_those_of_float32(seed, noise, scale, classes, done):
    logits, off = drawn(600, classes, 1.0, seed, scale)
    # As far off as the sample shows, which is what the bound rests on: every row the most, in either direction.
    model = Model(logits, np.sign(off) * noise)
    found, _, _ = predict(model, done)
    wanted = labels(model.full)
    assert {position: one["answer"] for position, one in found.items()} == {
        position: label for position, label in wanted.items() if position not in done
    }


def test_a_row_that_is_further_off_than_the_sample_widens_the_bound_for_the_others():
    logits, noise = drawn(noise=0.01)
    first = Model(logits, noise)
    predict(first)
    sample = set(first.ran["full"])
    one, other = [row for row in range(600) if row not in sample][:2]
    # One is in doubt and shows how far off a row can be; the other's margin is beyond the bound of the sample.
    logits[one], noise[one] = (1.0, 0.99, -3.0), (0.0, 0.0, 0.02)
    logits[other], noise[other] = (1.0, 0.995, -3.0), (-0.03, 0.03, 0.0)
    model = Model(logits, noise)
    assert model.low[other].argmax() != model.full[other].argmax()
    found, _, _ = predict(model)
    assert {position: one["answer"] for position, one in found.items()} == labels(logits)


def test_a_difference_beyond_the_reserve_ends_screening_and_is_told():
    logits, noise = drawn(noise=0.01)
    first = Model(logits, noise)
    predict(first)
    row = next(row for row in range(600) if row not in set(first.ran["full"]))
    logits[row], noise[row] = (1.0, 1.0, -3.0), (0.0, 0.0, 2.5)
    _, _, notes = predict(Model(logits, noise))
    assert "rows were answered before it showed that their margin was too small" in notes[0]


@pytest.mark.parametrize(
    ("why", "model", "settings"),
    [
        ("too few rows", Model(*drawn(200)), {}),
        ("too slow", Model(*drawn(), speed=1.1), {}),
        ("slower than float32", Model(*drawn(), speed=0.1), {}),
        ("too much in doubt", Model(*drawn(noise=3.0)), {}),
        ("no numbers", Model(drawn()[0], np.full((600, 3), np.nan)), {}),
        ("no memory", Model(*drawn()), {"copy": lambda: None}),
    ],
)
def test_it_is_off_by_itself(why, model, settings):
    found, facts, notes = predict(model, **settings)
    assert {position: one["answer"] for position, one in found.items()} == labels(model.full)
    assert "screened" not in facts, why
    assert notes == []
    assert all(one["score"] == 1.0 for one in found.values())
    # What was found out was not thrown away.
    assert len(model.ran["full"]) <= len(model.full) + screening.PROBE


def test_rows_of_which_the_copy_makes_no_number_are_answered_at_float32():
    logits, noise = drawn()
    first = Model(logits, noise)
    predict(first)
    sample = set(first.ran["full"])
    unseen = [row for row in range(600) if row not in sample][::9]
    noise[unseen] = np.nan
    model = Model(logits, noise)
    found, facts, _ = predict(model)
    assert facts["screened"] == "bfloat16"
    assert set(unseen) <= set(model.ran["full"])
    assert {position: one["answer"] for position, one in found.items()} == labels(logits)


@pytest.mark.parametrize("bad", [slice(5, 6), slice(40, 41), slice(0, 60)])
def test_a_sample_with_rows_that_are_no_numbers_turns_it_off(bad):
    logits, noise = drawn()
    first = Model(logits, noise)
    predict(first)
    noise[first.ran["full"][bad]] = np.nan
    found, facts, _ = predict(Model(logits, noise))
    assert "screened" not in facts
    assert {position: one["answer"] for position, one in found.items()} == labels(logits)


def test_each_model_has_a_bound_of_its_own():
    bounds = []
    for noise in (0.01, 0.04):
        model = Model(*drawn(noise=noise))
        session = Session(model, "full", model.full, 1.0)
        context = Context(needs=ANSWER, protocol=Protocol(batch_tokens=200))
        work = QualityPass(session, model, context, lambda _: None, copy=model.copy, clock=model.clock)
        work.run([{"row": row} for row in range(600)])
        assert work._screening.is_on
        bounds.append(work._screening.bound)
        ran = sorted(set(model.ran["full"]))
        assert bounds[-1] == pytest.approx(screening.SAFETY * np.abs(model.low - model.full)[ran].max())
    assert bounds[1] == pytest.approx(4 * bounds[0], rel=0.05)


def test_a_slow_copy_is_given_up_after_a_few_rows():
    model = Model(*drawn(), speed=0.1)
    predict(model)
    assert len(model.ran["low"]) == 2 * screening.PROBE


def test_a_flip_that_the_other_half_of_the_sample_did_not_announce_turns_it_off():
    logits, noise = drawn(noise=0.001)
    first = Model(logits, noise)
    predict(first)
    row = first.ran["full"][20 + 32 + screening.PROBE]
    noise[row] = -3 * logits[row]
    found, facts, _ = predict(Model(logits, noise))
    assert "screened" not in facts
    assert {position: one["answer"] for position, one in found.items()} == labels(logits)


def test_of_screened_rows_only_what_metrics_read_is_kept():
    found, _, _ = predict(Model(*drawn()))
    assert all(set(one) == {"answer"} for one in found.values())


def test_rounds_of_rows_share_one_calibration():
    model = Model(*drawn(2000))
    copies, answers = [], {}

    def copy():
        copies.append(model.copy())
        return copies[-1]

    def keep(event):
        if isinstance(event, Rows):
            answers.update(zip(event.positions, event.predictions, strict=True))

    session = Session(model, "full", model.full, 1.0)
    work = QualityPass(session, model, Context(needs=ANSWER), keep, copy=copy, clock=model.clock)
    rows = [{"row": row} for row in range(2000)]
    for start, end in ((0, 100), (100, 700), (700, 2000)):
        work.run(rows, {*range(2000)} - {*range(start, end)})
    work.close()
    assert len(copies) == 1
    assert {position: one["answer"] for position, one in answers.items()} == labels(model.full)


@pytest.mark.parametrize(
    ("changes", "variant"),
    [
        ({"needs": frozenset({"answer", "probabilities"})}, Variant()),
        ({"protocol": Protocol(screen=False)}, Variant()),
        ({}, Variant(dtype="bfloat16")),
        ({}, Variant(device="mps")),
        ({}, Variant(backend="torch-compile")),
        ({}, Variant(backend="torchao", quantization="int8")),
    ],
)
def test_probabilities_other_runtimes_and_a_plan_that_says_so_keep_it_off(changes, variant):
    assert screening.suits(TASK, Variant(), Context(needs=ANSWER))
    assert screening.suits(TASK, Variant("cuda"), Context(needs=ANSWER))
    assert not screening.suits(TASK, variant, Context(**{"needs": ANSWER, **changes}))


def test_only_tasks_whose_answer_is_the_largest_of_logits_are_screened():
    able = {name for name, task in registry.tasks().items() if isinstance(task, Argmax)}
    assert able == {
        *("text-classification", "zero-shot-classification", "image-classification", "audio-classification"),
    }


# --- real models ---------------------------------------------------------------------------------------------------

SCREENED = [
    (task.name, architecture)
    for task in registry.tasks().values()
    if isinstance(task, Argmax)
    for architecture in tiny.architectures().get(task.name, {})
]


@pytest.fixture
def eager(monkeypatch):
    """Screens whenever it is safe, however few rows there are and whether or not it pays."""
    monkeypatch.setattr(screening, "LEAST_ROWS", 16)
    monkeypatch.setattr(screening, "MOST_SAMPLED", 1.0)
    monkeypatch.setattr(screening, "SAMPLE_LEAST", 20)
    monkeypatch.setattr(screening, "GAIN", 0.0)
    monkeypatch.setattr(screening, "MOST_AGAIN", 1.0)
    monkeypatch.setattr(screening.Screening, "_is_fast", lambda *_: True)


@pytest.mark.parametrize("spread", [1.0, 1e-3], ids=["as they are", "nearly tied"])
@pytest.mark.parametrize(("name", "architecture"), SCREENED, ids=["-".join(one) for one in SCREENED])
def test_a_copy_at_bfloat16_gives_the_labels_of_float32(eager, tmp_path, name, architecture, spread):
    task = registry.task(name)
    model = tiny.architectures()[name][architecture]()
    tie(model.model, spread)
    rows = tiny.rows(task, 60, tmp_path)
    context = tiny.context(task, model.labels, needs=ANSWER, protocol=Protocol(batch_tokens=96))
    session = TorchSession(model.model, model.processor, task, Cpu())
    copies = []

    def copy():
        copies.append(lowered(session, screening.LOW))
        return copies[0]

    exact, _ = run(task, session, rows, context, None)
    screened, facts = run(task, session, rows, context, copy)
    assert facts["screened"] == "bfloat16"
    assert len(copies) == 1
    assert [one["answer"] for one in screened] == [one["answer"] for one in exact]


def tie(model, spread):
    """Bring the logits of all labels close together."""
    import torch

    head = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        for tensor in filter(lambda one: one is not None, (head.weight, head.bias)):
            tensor.copy_(tensor.mean(0) + spread * (tensor - tensor.mean(0)))


def run(task, session, rows, context, copy):
    found = {}

    def keep(event):
        if isinstance(event, Rows):
            found.update(zip(event.positions, event.predictions, strict=True))

    work = QualityPass(session, task, context, keep, copy=copy)
    work.run(rows)
    work.close()
    return [found[position] for position in range(len(rows))], work.facts


def test_a_copy_is_what_the_checkpoint_gives_at_that_precision(classifier, rows):
    session = BACKEND.load(classifier, TASK, Variant(threads=1))
    copy = lowered(session, "bfloat16")
    loaded = BACKEND.load(classifier, TASK, Variant(threads=1, dtype="bfloat16"))
    pieces = [piece for row in TASK.encode(session.processor, rows[:8], Context()) for piece in row]
    assert np.array_equal(copy.forward(pieces, Context()), loaded.forward(pieces, Context()))
    assert {str(one.dtype) for one in session.model.parameters()} == {"torch.float32"}


def test_tied_weights_stay_one(masked_model):
    import transformers

    model = transformers.AutoModelForMaskedLM.from_pretrained(masked_model)
    copy = lowered(TorchSession(model, None, registry.task("fill-mask"), Cpu()), "bfloat16").model
    assert copy.get_input_embeddings().weight is copy.get_output_embeddings().weight


def test_no_copy_is_made_where_memory_does_not_hold_both(classifier):
    session = BACKEND.load(classifier, TASK, Variant(threads=1))
    assert lowered(session, "bfloat16", limit_mb=1) is None


def test_outputs_of_the_model_itself_must_be_numbers():
    model = Model(*drawn())
    model.full[7] = np.nan
    with pytest.raises(TrialFailed, match="not finite"):
        predict(model, copy=None)


def test_a_model_whose_errors_have_no_bound_is_not_screened(monkeypatch, classifier, rows):
    monkeypatch.setattr(screening, "LEAST_ROWS", 16)
    monkeypatch.setattr(screening, "MOST_SAMPLED", 1.0)
    monkeypatch.setattr(screening, "GAIN", 0.0)
    monkeypatch.setattr(screening.Screening, "_is_fast", lambda *_: True)
    session = BACKEND.load(classifier, TASK, Variant(threads=1))
    context = Context(LABELS, session.model_labels, protocol=Protocol(batch_tokens=200))
    screened, facts = run(TASK, session, rows, context, lambda: lowered(session, screening.LOW))
    assert "screened" not in facts
    exact, _ = run(TASK, session, rows, context, None)
    assert [one["answer"] for one in screened] == [one["answer"] for one in exact]


def test_a_trial_says_what_was_screened_and_is_timed_without_the_copy(eager, spec, rows, tmp_path, monkeypatch):
    model = tiny.architectures()[TASK.name]["bert"]()
    for part in (model.model, model.processor):
        part.save_pretrained(tmp_path / "model")
    held, taken, protocol = [], [], replace(QUICK, batch_tokens=200)
    monkeypatch.setattr(worker, "lowered", lambda *one: held.append(weakref.ref(made := lowered(*one))) or made)
    screened, exact = [], []
    worker.run_trial(
        Job(spec(protocol=protocol), str(tmp_path / "model"), rows, model.labels),
        screened.append,
        lambda: taken.append(held[0]() is None),
    )
    off = spec(protocol=replace(protocol, screen=False))
    worker.run_trial(Job(off, str(tmp_path / "model"), rows, model.labels), exact.append, lambda: None)
    assert answers(screened) == answers(exact)
    assert taken == [True], "the copy is gone when timing begins"
    (note,) = [event.text for event in screened if isinstance(event, Note) and "Screened" in event.text]
    (memory,) = [event.mb for event in screened if isinstance(event, Memory)]
    facts = screened[-1].environment
    assert note == f"Screened at bf16, {100 * facts['rechecked']:.1f} % re-checked: rows per second are of both."
    assert facts["screened"] == "bfloat16"
    assert facts["batch_tokens"] == exact[-1].environment["batch_tokens"] == 200
    assert {"peak", "screening"} <= set(memory)
    assert "screened" not in exact[-1].environment


def answers(events):
    return {
        position: prediction["answer"]
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    }


def test_nothing_is_sampled_where_the_sample_would_be_a_large_part_of_the_rows():
    model = Model(*drawn(rows=300))
    found, facts, notes = predict(model)
    assert model.ran["low"] == []
    assert sorted(model.ran["full"]) == list(range(300)), "each once"
    assert {position: one["answer"] for position, one in found.items()} == labels(model.full)
    assert ("screened" in facts, notes) == (False, [])


def test_rows_of_later_rounds_are_counted_among_those_a_sample_pays_for():
    model = Model(*drawn(rows=1000))
    _, facts, _ = predict(model, done=range(300, 1000))
    assert facts["screened"] == "bfloat16"
