"""Every task that writes says when its tokens come, and can be told how many to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.engine import request
from core.engine.backends.pytorch import TorchSession
from core.engine.backends.torch_devices import Cpu
from core.records import Protocol
from core.tasks import generation
from core.tasks.base import Context, Task
from tests.tasks import tiny
from tests.tasks.tiny import Tiny

WRITING = [name for name, task in registry.tasks().items() if task.generates]
TOKENS = 6


@cache
def built(task: str, architecture: str) -> Tiny:
    return tiny.architectures()[task][architecture]()


@pytest.fixture(params=[(name, one) for name in WRITING for one in tiny.architectures()[name]], ids="-".join)
def session(request: pytest.FixtureRequest) -> Iterator[tuple[Task, Tiny]]:
    """A task that writes with a tiny model that does; some of its texts end early."""
    name, model = request.param[0], built(*request.param)
    if not model.model.can_generate():
        pytest.skip("it labels frames")
    settings = model.model.generation_config
    own = settings.eos_token_id
    yield registry.task(name), model
    settings.eos_token_id = own


def context(task: Task, beams: int, **changes: Any) -> Context:
    protocol = Protocol(max_new_tokens=TOKENS, num_beams=beams)
    return tiny.context(task, (), needs=frozenset({"answer"}), protocol=protocol, **changes)


def ends_early(task: Task, model: Tiny, rows: list[dict[str, Any]]) -> None:
    """The third token of a text ends all texts from now on."""
    free = tiny.answered(model, task, rows, context(task, 1), len(rows))
    settings = model.model.generation_config
    own = settings.eos_token_id
    settings.eos_token_id = [*(own if isinstance(own, list) else [own]), int(free[0].outputs[0][2])]


@pytest.mark.parametrize("beams", [1, 3])
def test_each_token_is_announced_and_changes_nothing(session: tuple[Task, Tiny], beams: int, tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 4, tmp_path)
    ends_early(task, model, rows)
    seen: list[int] = []
    unseen = context(task, beams)
    watched = tiny.answered(model, task, rows, replace(unseen, on_token=seen.append), len(rows))
    alone = tiny.answered(model, task, rows, unseen, len(rows))
    assert task.decode(model.processor, watched, unseen) == task.decode(model.processor, alone, unseen)
    lengths = [task.written(row) for row in watched]
    assert min(lengths) < TOKENS, "no text ended early, so that proves nothing"
    assert seen == list(range(1, len(seen) + 1))
    # A beam search goes on for a while after its best text has ended.
    assert len(seen) == max(lengths) or (beams > 1 and max(lengths) < len(seen) <= TOKENS)


@pytest.mark.parametrize("beams", [1, 3])
def test_at_a_fixed_length_no_row_ends_early(session: tuple[Task, Tiny], beams: int, tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 4, tmp_path)
    ends_early(task, model, rows)
    seen: list[int] = []
    fixed = context(task, beams, fixed_length=True, on_token=seen.append)
    answered = tiny.answered(model, task, rows, fixed, len(rows))
    assert [task.written(row) for row in answered] == [TOKENS] * len(rows)
    assert seen == list(range(1, TOKENS + 1))


@pytest.mark.parametrize("fixed", [False, True])
def test_a_timed_request_says_when_its_tokens_came(session: tuple[Task, Tiny], fixed: bool, tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 3, tmp_path)
    ends_early(task, model, rows)
    loaded = request.Model(TorchSession(model.model, model.processor, task, Cpu()), task, context(task, 1))
    took = request.call(loaded, rows, fixed_length=fixed)
    writing = took.writing
    assert writing is not None
    assert took.preprocess < writing.first_token_ns
    assert writing.first_token_ns + writing.decode_ns < took.preprocess + took.forward
    assert len(writing.tokens) == len(rows)
    assert writing.steps == max(writing.tokens) - 1
    assert (set(writing.tokens) == {TOKENS}) == fixed


def test_each_batch_begins_anew(tmp_path: Path) -> None:
    task, model = registry.task("text2text-generation"), built("text2text-generation", "t5")
    rows = tiny.rows(task, 4, tmp_path)
    seen: list[int] = []
    tiny.answered(model, task, rows, context(task, 1, fixed_length=True, on_token=seen.append), 2)
    assert seen == [*range(1, TOKENS + 1)] * 2


def test_where_nobody_asks_generate_is_given_no_criterion() -> None:
    settings = generation.settings(Context(protocol=Protocol(max_new_tokens=TOKENS)))
    assert {"stopping_criteria", "min_new_tokens"}.isdisjoint(settings)


def test_a_model_with_room_for_less_writes_less() -> None:
    settings = generation.settings(Context(protocol=Protocol(max_new_tokens=TOKENS), fixed_length=True), room=4)
    assert (settings["max_new_tokens"], settings["min_new_tokens"]) == (4, 4)
