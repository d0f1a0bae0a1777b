"""Summarization and text2text on tiny models: batches change nothing, prefixes are put on, long texts fit."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.records import Protocol
from core.tasks.base import Context, Piece, Task
from core.tasks.sequence_to_sequence import prefix
from tests.tasks.tiny import LENGTH, Tiny, answered, forward, predict, script_settings, texts
from tests.tasks.tiny_text import tiny

every_architecture = pytest.mark.parametrize("architecture", ["t5", "bart"])
every_task = pytest.mark.parametrize("name", ["summarization", "text2text-generation"])
GREEDY = Protocol(max_new_tokens=12)


def answers(task: Task, session: Tiny, rows: list[dict[str, str]], batch_size: int, protocol: Protocol) -> list[str]:
    return [row["answer"] for row in predict(session, task, rows, Context(protocol=protocol), batch_size)]


def encoded(task: Task, tokenizer: Any, rows: list[dict[str, str]]) -> list[Piece]:
    return [pieces[0] for pieces in task.encode(tokenizer, rows, Context())]


@every_task
@every_architecture
@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_batch_gives_what_one_row_at_a_time_gives(name: str, architecture: str, num_beams: int) -> None:
    task, session = registry.task(name), tiny(architecture)
    protocol = Protocol(max_new_tokens=12, num_beams=num_beams)
    rows = [{"text": text} for text in texts(12)]
    alone = answers(task, session, rows, 1, protocol)
    assert answers(task, session, rows, 12, protocol) == alone
    assert answers(task, session, rows, 5, protocol) == alone
    assert len(set(alone)) > 1


@every_architecture
def test_a_single_forward_gives_the_same_logits_in_a_batch(architecture: str) -> None:
    import torch

    task, session = registry.task("summarization"), tiny(architecture)
    pieces = encoded(task, session.processor, [{"text": text} for text in texts(8)])

    def first_step(rows: list[Piece]) -> torch.Tensor:
        batch = task.collate(session.processor, rows)
        start = torch.full((len(rows), 1), session.model.config.decoder_start_token_id)
        with torch.inference_mode():
            return session.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], decoder_input_ids=start
            ).logits

    torch.testing.assert_close(
        first_step(pieces), torch.cat([first_step([piece]) for piece in pieces]), atol=1e-4, rtol=0
    )


@every_architecture
def test_it_writes_no_more_tokens_than_the_protocol_allows(architecture: str) -> None:
    task, session = registry.task("summarization"), tiny(architecture)
    pieces = encoded(task, session.processor, [{"text": "w1 w2"}])
    for limit in (1, 5):
        context = Context(protocol=Protocol(max_new_tokens=limit))
        assert len(forward(session, task, pieces, context)[0]) <= limit
    assert len(forward(session, task, pieces, Context(protocol=Protocol(max_new_tokens=1)))[0]) == 1


@every_architecture
def test_what_is_counted_is_what_was_written(architecture: str) -> None:
    task, session = registry.task("summarization"), tiny(architecture)
    context = Context(protocol=GREEDY)
    rows = answered(session, task, [{"text": text} for text in texts(5)], context, 5)
    assert [task.count(row) for row in rows] == [len(row.outputs[0]) for row in rows]
    assert all(0 not in row.outputs[0] for row in rows), "padding is not written"


@every_architecture
def test_the_same_text_gets_the_same_answer_twice(architecture: str) -> None:
    task, session = registry.task("text2text-generation"), tiny(architecture)
    session.model.generation_config.temperature = 0.7
    first, second = (answers(task, session, [{"text": "w4 w9 w2"}] * 2, 2, GREEDY) for _ in range(2))
    session.model.generation_config.temperature = None
    assert first == second
    assert first[0] == first[1]


@every_task
@every_architecture
def test_a_text_of_50_000_characters_is_cut_to_what_the_model_takes(name: str, architecture: str) -> None:
    task, session = registry.task(name), tiny(architecture)
    rows = [{"text": "w1 w2 w3 w4 " * 4200}, {"text": ""}]
    assert [piece.length for piece in encoded(task, session.processor, rows)] == [LENGTH, 2]
    assert len(answers(task, session, rows, 2, GREEDY)) == 2


def checkpoint(folder: Path, config: dict) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_the_prefix_that_a_checkpoint_wants_is_put_before_every_text(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "t5", {"task_specific_params": {"summarization": {"prefix": "w7 w8 "}}})
    tokenizer = copy(tiny("t5").processor)
    tokenizer.name_or_path = folder
    rows = [{"text": "w1"}, {"text": "w2"}]
    with_prefix = encoded(registry.task("summarization"), tokenizer, rows)
    written = encoded(
        registry.task("summarization"), tiny("t5").processor, [{"text": "w7 w8 w1"}, {"text": "w7 w8 w2"}]
    )
    assert with_prefix == written
    assert encoded(registry.task("text2text-generation"), tokenizer, rows) != written


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"task_specific_params": None},
        {"task_specific_params": {"translation_en_to_de": {"prefix": "translate English to German: "}}},
        {"task_specific_params": {"summarization": None}},
        {"task_specific_params": {"summarization": {"max_length": 200}}},
    ],
)
def test_a_checkpoint_that_wants_no_prefix_gets_none(config: dict, tmp_path: Path) -> None:
    assert prefix(checkpoint(tmp_path / "model", config), "summarization") == ""


def test_a_tokenizer_that_comes_from_no_folder_gets_no_prefix(tmp_path: Path) -> None:
    assert prefix("", "summarization") == ""
    assert prefix(str(tmp_path / "nowhere"), "summarization") == ""


@every_architecture
def test_the_exported_function_writes_the_same_text(architecture: str) -> None:
    task, session = registry.task("summarization"), tiny(architecture)
    rows = [{"text": text} for text in (*texts(4), "w1 w2 " * 400)]
    settings = script_settings(task, Context(protocol=GREEDY))
    written = [task.script(session.model, session.processor, row, settings) for row in rows]
    assert written == answers(task, session, rows, 1, GREEDY)


def test_the_exported_function_puts_the_prefix_on(monkeypatch: pytest.MonkeyPatch) -> None:
    task, session = registry.task("summarization"), tiny("t5")
    settings = script_settings(task, Context(protocol=GREEDY))
    wanted = task.script(session.model, session.processor, {"text": "w7 w8 w1 w30"}, settings)
    params = {"summarization": {"prefix": "w7 w8 "}}
    monkeypatch.setattr(session.model.config, "task_specific_params", params, raising=False)
    assert task.script(session.model, session.processor, {"text": "w1 w30"}, settings) == wanted
