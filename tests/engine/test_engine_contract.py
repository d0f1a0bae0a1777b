"""What holds for every task of the registry when the engine runs it: each has tiny models (`tests/tasks/tiny_*.py`)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import registry
from core.engine import budget, screening
from core.engine.backends.pytorch import TorchSession
from core.engine.backends.torch_copy import lowered
from core.engine.backends.torch_devices import Cpu
from core.engine.budget import Budget
from core.engine.events import Event, Note, Rows
from core.engine.passage import Passage
from core.engine.quality import QualityPass
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Answered, Argmax, Context, Piece, Prediction, Task
from tests.conftest import REPO
from tests.engine.test_screening import tie
from tests.tasks import tiny

COUNT = 9
ANSWER = frozenset({"answer"})
PAIRS = [(name, one) for name in registry.tasks() for one in tiny.architectures().get(name, {})]
SCREENED = [(name, one) for name, one in PAIRS if isinstance(registry.task(name), Argmax)]
WINDOWED = {("token-classification", "words"), ("question-answering", "context")}
"""Inputs that are read in windows, however long they are."""


@dataclass(frozen=True)
class Subject:
    """A task, a tiny model of it, rows, and what a loop gives for them that knows nothing of the engine."""

    task: Task
    session: TorchSession
    context: Context
    rows: Sequence[Mapping[str, Any]]
    outputs: Sequence[Answered]
    predictions: Sequence[Prediction]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Subject]:
    """Makes a subject, once."""
    known: dict[tuple[str, str], Subject] = {}

    def make(name: str, architecture: str) -> Subject:
        if (name, architecture) not in known:
            known[name, architecture] = _subject(name, architecture, tmp_path_factory.mktemp("rows"))
        return known[name, architecture]

    return make


def _subject(name: str, architecture: str, folder: Path) -> Subject:
    task, model = registry.task(name), tiny.architectures()[name][architecture]()
    context = tiny.context(task, model.labels if task.labelled else ())
    rows = tiny.rows(task, COUNT, folder)
    outputs = [_alone(task, model, row, context) for row in rows]
    predictions = [task.decode(model.processor, [one], context)[0] for one in outputs]
    return Subject(task, TorchSession(model.model, model.processor, task, Cpu()), context, rows, outputs, predictions)


def _alone(task: Task, model: tiny.Tiny, row: Mapping[str, Any], context: Context) -> Answered:
    """One row, one piece at a time."""
    (pieces,) = task.encode(model.processor, [row], context)
    return Answered(pieces, tuple(tiny.forward(model, task, [piece], context)[0] for piece in pieces))


@pytest.fixture(params=PAIRS, ids="-".join)
def subject(request: pytest.FixtureRequest, made: Callable[[str, str], Subject]) -> Subject:
    """Each task with each of its tiny models."""
    return made(*request.param)


def predicted(
    subject: Subject, protocol: Protocol, rounds: Iterable[Iterable[int]] = (range(COUNT),), session: Any = None
) -> tuple[dict[int, Prediction], list[str]]:
    """What the engine gives for rounds of rows, by position, and its notes."""
    events: list[Event] = []
    context = replace(
        subject.context, protocol=replace(protocol, max_new_tokens=subject.context.protocol.max_new_tokens)
    )
    work = QualityPass(session or subject.session, subject.task, context, events.append)
    for rows in rounds:
        work.run(subject.rows, set(range(COUNT)) - set(rows))
    work.close()
    found: dict[int, Prediction] = {}
    for event in events:
        if isinstance(event, Rows):
            assert not found.keys() & set(event.positions), "no row is answered twice"
            found.update(zip(event.positions, event.predictions, strict=True))
    return found, [event.text for event in events if isinstance(event, Note)]


def assert_equal(found: Mapping[int, Prediction], subject: Subject, rows: Iterable[int] = range(COUNT)) -> None:
    assert sorted(found) == sorted(rows)
    for position, prediction in found.items():
        wanted = subject.predictions[position]
        given = {key: value for key, value in prediction.items() if key != "truncated"}
        assert tiny.same(given, wanted), (position, given, wanted)


def test_every_task_is_here() -> None:
    assert {name for name, _ in PAIRS} == set(registry.tasks()), "add the new task to a table of tests/tasks/tiny_*.py"


@pytest.mark.parametrize(
    "protocol",
    [Protocol(batch_size=5), Protocol(batch_tokens=70)],
    ids=["five rows", "70 tokens"],
)
def test_batches_of_any_size_give_what_a_plain_loop_gives(subject: Subject, protocol: Protocol) -> None:
    assert_equal(predicted(subject, protocol)[0], subject)


def test_outputs_are_those_of_a_plain_loop(subject: Subject) -> None:
    encoded = subject.task.encode(subject.session.processor, subject.rows, subject.context)
    found: dict[int, Answered] = {}
    passage = Passage(subject.session, subject.context, Budget(Protocol(batch_tokens=200)), lambda: 0.0)
    passage.run(dict(enumerate(encoded)), lambda answered, _: found.update(answered))
    for position, wanted in enumerate(subject.outputs):
        for one, other in zip(found[position].outputs, wanted.outputs, strict=True):
            for mine, theirs in zip(_arrays(one), _arrays(other), strict=True):
                np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def _arrays(output: Any) -> list[Any]:
    return [np.asarray(one, dtype=np.float64) for one in (output if isinstance(output, tuple) else (output,))]


def test_rows_that_ran_while_a_budget_was_sought_are_answered_like_the_others(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    for name, value in (("START", {"cpu": 32}), ("LEAST", 8), ("SHARE", 1), ("ROUNDS", 1)):
        monkeypatch.setattr(budget, name, value)
    is_worth = Budget._is_worth

    def spied(self: Budget, left: int, tokens: int) -> bool:
        tried.append(tokens)
        return is_worth(self, left, tokens)

    monkeypatch.setattr(Budget, "_is_worth", spied)
    assert_equal(predicted(subject, Protocol())[0], subject)
    assert bool(tried) is not subject.task.generates, "texts are generated in batches of a fixed size"


def test_a_trial_that_is_resumed_answers_the_rest_as_it_would_have(subject: Subject) -> None:
    left = [position for position in range(COUNT) if position % 3]
    assert_equal(predicted(subject, Protocol(batch_size=4), [left])[0], subject, left)


def test_rounds_of_a_race_give_what_one_pass_gives(subject: Subject) -> None:
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    assert_equal(predicted(subject, Protocol(batch_size=4), [order[:4], order[4:5], order[5:]])[0], subject)


class Tight:
    """A session in whose memory so many pieces fit."""

    def __init__(self, session: TorchSession, room: int) -> None:
        self.processor, self._session, self._room = session.processor, session, room

    def forward(self, batch: Sequence[Piece], context: Context, *more: Any) -> Sequence[Any]:
        if len(batch) > self._room:
            raise TrialFailed("out_of_memory", f"{len(batch)} rows do not fit")
        return self._session.forward(batch, context, *more)


def test_rows_that_did_not_fit_are_answered_in_smaller_batches(subject: Subject) -> None:
    found, notes = predicted(subject, Protocol(batch_size=16, batch_tokens=100_000), session=Tight(subject.session, 3))
    assert_equal(found, subject)
    assert notes[0].startswith("Out of memory with ")
    with pytest.raises(TrialFailed) as caught:
        predicted(subject, Protocol(batch_size=4), session=Tight(subject.session, 0))
    assert caught.value.kind == "out_of_memory"


def test_a_model_of_broken_weights_gives_no_answers(subject: Subject) -> None:
    import torch

    broken = deepcopy(subject.session.model)
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.fill_(float("nan"))
    session = TorchSession(broken, subject.session.processor, subject.task, Cpu())
    with pytest.raises(TrialFailed, match="not finite numbers") as caught:
        predicted(subject, Protocol(batch_size=4), session=session)
    assert caught.value.kind == "unsupported"


READ = [
    (task.name, column.name)
    for task in registry.tasks().values()
    for column in task.columns
    if column.role == "input" and column.kind in ("text", "words")
]


@pytest.mark.parametrize(("name", "column"), READ, ids=["-".join(one) for one in READ])
def test_a_row_too_long_for_the_model_is_marked_where_it_is_cut(
    made: Callable[[str, str], Subject], name: str, column: str
) -> None:
    for architecture in tiny.architectures()[name]:
        subject = made(name, architecture)
        usual, rows = subject.rows[1][column], [dict(row) for row in subject.rows]
        rows[1][column] = usual * 60 if isinstance(usual, list) else f"{usual} " * 60
        before, _ = predicted(subject, Protocol(batch_size=3))
        after, _ = predicted(replace(subject, rows=rows), Protocol(batch_size=3))
        assert after[1].get("truncated", False) is ((name, column) not in WINDOWED), architecture
        others = [[one.get("truncated") for row, one in found.items() if row != 1] for found in (before, after)]
        assert others[0] == others[1]
        assert None in others[0], "short rows are whole"


# --- screening -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", registry.tasks().values(), ids=registry.tasks())
def test_rows_are_screened_only_where_metrics_read_nothing_but_an_argmax(task: Task) -> None:
    for metric in registry.metrics_of(task).values():
        context = tiny.context(task, needs=ANSWER | frozenset(metric.needs))
        wanted = isinstance(task, Argmax) and set(metric.needs) <= ANSWER
        assert screening.suits(task, Variant(), context) is wanted, metric.name


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibrates on few rows, and whether or not it pays here; what is safe is decided as ever."""
    monkeypatch.setattr(screening, "LEAST_ROWS", 16)
    monkeypatch.setattr(screening, "MOST_SAMPLED", 1.0)
    monkeypatch.setattr(screening, "SAMPLE_LEAST", 10)
    monkeypatch.setattr(screening, "GAIN", 0.0)
    monkeypatch.setattr(screening.Screening, "_is_fast", lambda *_: True)


def screened(task: Task, session: TorchSession, rows: Sequence[Any], context: Context) -> tuple[bool, bool]:
    """Whether rows were screened, and whether the answers are those of float32."""
    exact = _answers(task, session, rows, context, None)[0]
    found, facts = _answers(task, session, rows, context, lambda: lowered(session, screening.LOW))
    return "screened" in facts, found == exact


def _answers(task: Task, session: TorchSession, rows: Sequence[Any], context: Context, copy: Any) -> Any:
    found: dict[int, Any] = {}

    def keep(event: Event) -> None:
        if isinstance(event, Rows):
            answers = (one["answer"] for one in event.predictions)
            found.update(zip(event.positions, answers, strict=True))

    work = QualityPass(session, task, context, keep, copy=copy)
    work.run(rows)
    work.close()
    return found, work.facts


@pytest.mark.parametrize(("name", "architecture"), SCREENED, ids=["-".join(one) for one in SCREENED])
def test_a_model_that_tells_its_rows_apart_is_screened_and_labels_are_those_of_float32(
    brisk: None, tmp_path: Path, name: str, architecture: str
) -> None:
    task, session, context = _argmax(name, architecture)
    rows = tiny.rows(task, 80, tmp_path)
    exact = _logits(task, session, rows, context)
    low = _logits(task, lowered(session, screening.LOW), rows, context)
    # Rows as a trained model has them: what low precision does to them is small beside their margins.
    off = np.abs(exact - low).max(axis=1)
    margins = np.diff(np.sort(low)[:, -2:])[:, 0]
    clear = np.flatnonzero((off <= np.median(off)) & (margins > 5 * np.median(off)))
    assert len(clear) >= 20
    assert screened(task, session, [rows[place] for place in clear], context) == (True, True)


@pytest.mark.parametrize(("name", "architecture"), SCREENED, ids=["-".join(one) for one in SCREENED])
def test_a_model_that_is_sure_of_nothing_turns_screening_off_and_labels_are_those_of_float32(
    brisk: None, tmp_path: Path, name: str, architecture: str
) -> None:
    task, session, context = _argmax(name, architecture)
    nearly_tied = deepcopy(session.model)
    tie(nearly_tied, 1e-3)
    session = TorchSession(nearly_tied, session.processor, task, Cpu())
    assert screened(task, session, tiny.rows(task, 40, tmp_path), context) == (False, True)


def _argmax(name: str, architecture: str) -> tuple[Task, TorchSession, Context]:
    task, model = registry.task(name), tiny.architectures()[name][architecture]()
    # Each row by itself: at low precision what stands beside a row changes its logits, too.
    context = tiny.context(task, model.labels, needs=ANSWER, protocol=Protocol(batch_tokens=1))
    return task, TorchSession(model.model, model.processor, task, Cpu()), context


def _logits(task: Task, session: TorchSession | None, rows: Sequence[Any], context: Context) -> Any:
    assert session is not None
    found: dict[int, Answered] = {}
    passage = Passage(session, context, Budget(context.protocol), lambda: 0.0)
    encoded = task.encode(session.processor, rows, context)
    passage.run(dict(enumerate(encoded)), lambda answered, _: found.update(answered))
    assert isinstance(task, Argmax)
    return np.array([task.logits(found[place], context) for place in range(len(rows))])


BUNDLED = ("helpdesk-lab/ticket-router-bert-mini", "opendesk/distil-ticket-router", "quietmail/ticket-electra-small")


@pytest.fixture
def willing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screens wherever it is safe, also on machines where it gains nothing, and however few rows there are."""
    monkeypatch.setattr(screening, "MOST_SAMPLED", 1.0)
    monkeypatch.setattr(screening, "GAIN", 0.0)
    monkeypatch.setattr(screening.Screening, "_is_fast", lambda *_: True)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_classifiers_are_screened_and_labels_are_those_of_float32(willing: None, name: str) -> None:
    with (REPO / "samples/data/tickets.csv").open(encoding="utf-8", newline="") as file:
        rows = [{"text": row["text"]} for row in islice(csv.DictReader(file), 400)]
    assert _trained(REPO / "samples/models" / name, rows) == (True, True)


@pytest.mark.parametrize("name", ["minilm-l2-sst2", "minilm-l6-sst2"])
def test_trained_classifiers_are_screened_and_labels_are_those_of_float32(
    willing: None, shared: Path, name: str
) -> None:
    lines = (shared / "data/text-classification/sst2/dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [{"text": line.split("\t")[0]} for line in lines[:300]]
    assert _trained(shared / "models" / name, rows) == (True, True)


def _trained(folder: Path, rows: Sequence[Any]) -> tuple[bool, bool]:
    task = registry.task("text-classification")
    session = registry.backend("torch").load(folder, task, Variant())
    assert isinstance(session, TorchSession)
    return screened(task, session, rows, Context(model_labels=session.model_labels))
