"""Text classification on tiny models: batches change nothing, long texts fit, labels find their names."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from core.tasks.base import Answered, Context, Piece
from core.tasks.text_classification import TASK
from tests.tasks.tiny import LENGTH, MODEL_LABELS, Tiny, answered, predict, script_settings, texts
from tests.tasks.tiny_text import tiny

every_architecture = pytest.mark.parametrize("architecture", ["bert", "distilbert"])
SAME_NAMES = Context(labels=MODEL_LABELS, model_labels=MODEL_LABELS)


def logits(session: Tiny, rows: list[dict[str, str]], batch_size: int) -> np.ndarray:
    return np.stack([row.outputs[0] for row in answered(session, TASK, rows, SAME_NAMES, batch_size)])


def encoded(tokenizer: Any, rows: list[dict[str, str]]) -> list[Piece]:
    return [pieces[0] for pieces in TASK.encode(tokenizer, rows, SAME_NAMES)]


@every_architecture
@pytest.mark.parametrize("pairs", [False, True])
def test_a_batch_gives_what_one_row_at_a_time_gives(architecture: str, pairs: bool) -> None:
    session = tiny(architecture)
    rows: list[dict[str, str]] = [{"text": text} for text in texts(40)]
    if pairs:
        rows = [{**row, "text_pair": other} for row, other in zip(rows, texts(40, seed=1), strict=True)]
    alone = logits(session, rows, 1)
    answers = [row["answer"] for row in predict(session, TASK, rows, SAME_NAMES, 1)]
    for batch_size in (7, 40):
        np.testing.assert_allclose(logits(session, rows, batch_size), alone, atol=1e-4)
        assert [row["answer"] for row in predict(session, TASK, rows, SAME_NAMES, batch_size)] == answers
    assert np.ptp(alone, axis=0).min() > 0.1, "rows that all get the same logits prove nothing"
    assert pairs or len(set(answers)) > 1


@every_architecture
def test_all_rows_are_tokenised_as_each_alone(architecture: str) -> None:
    tokenizer = tiny(architecture).processor
    rows = [{"text": text} for text in (*texts(5), "", "👍")]
    assert encoded(tokenizer, rows) == [encoded(tokenizer, [row])[0] for row in rows]


@every_architecture
def test_a_text_of_50_000_characters_is_cut_to_what_the_model_takes(architecture: str) -> None:
    session = tiny(architecture)
    rows = [{"text": "w1 w2 w3 w4 " * 4200}, {"text": "w5"}]
    assert [piece.length for piece in encoded(session.processor, rows)] == [LENGTH, 3]
    assert logits(session, rows, 2).shape == (2, 3)


def test_the_second_text_counts() -> None:
    session = tiny("bert")
    same, other = ({"text": "w1 w2", "text_pair": pair} for pair in ("w3", "w9"))
    found = logits(session, [same, other, {"text": "w1 w2", "text_pair": ""}], 3)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert encoded(session.processor, [same])[0].inputs["token_type_ids"] == [0, 0, 0, 0, 1, 1]


def test_of_a_pair_the_longer_text_is_cut_first() -> None:
    tokenizer = tiny("bert").processor
    row = encoded(tokenizer, [{"text": "w1 " * 500, "text_pair": "w2 w3"}])[0]
    assert row.length == LENGTH
    assert row.inputs["input_ids"][-4:] == [2, *tokenizer.convert_tokens_to_ids(["w2", "w3"]), 2]


def decoded(outputs: list[list[float]], **context: Any) -> list[dict[str, Any]]:
    rows = [Answered((), (one,)) for one in np.log(np.array(outputs, dtype=np.float32))]
    return TASK.decode(None, rows, Context(**context))


def test_probabilities_stand_in_the_order_of_the_data_sets_labels() -> None:
    found = decoded(
        [[0.7, 0.3], [0.125, 0.875]],
        labels=("negative", "positive"),
        model_labels=("LABEL_0", "LABEL_1"),
        mapping={"LABEL_0": "positive", "LABEL_1": "negative"},
    )
    assert found == [
        {"answer": "positive", "score": 0.7, "probabilities": [0.3, 0.7]},
        {"answer": "negative", "score": 0.875, "probabilities": [0.875, 0.125]},
    ]


def test_a_model_label_without_a_partner_keeps_its_name_and_its_share() -> None:
    found = decoded([[0.2, 0.5, 0.3]], labels=("neg", "pos"), model_labels=("neg", "neutral", "pos"), mapping={})
    assert found == [{"answer": "neutral", "score": 0.5, "probabilities": [0.2, 0.3]}]


def test_model_labels_that_mean_the_same_add_up() -> None:
    stars = {"1": "bad", "2": "bad", "3": "good"}
    found = decoded([[0.3, 0.2, 0.5]], labels=("bad", "good"), model_labels=("1", "2", "3"), mapping=stars)
    assert found == [{"answer": "good", "score": 0.5, "probabilities": [0.5, 0.5]}]
    found = decoded([[0.4, 0.25, 0.35]], labels=("bad", "good"), model_labels=("1", "2", "3"), mapping=stars)
    assert found == [{"answer": "bad", "score": 0.65, "probabilities": [0.65, 0.35]}]


def test_a_label_of_the_data_set_that_the_model_does_not_know_gets_nothing() -> None:
    found = decoded([[0.25, 0.75]], labels=("a", "b", "c"), model_labels=("a", "c"))
    assert found[0]["probabilities"] == [0.25, 0.0, 0.75]


def test_huge_logits_do_not_overflow() -> None:
    found = TASK.decode(None, [Answered((), (np.array([3e38, -3e38, 0], dtype=np.float32),))], SAME_NAMES)
    assert found == [{"answer": "LABEL_0", "score": 1.0, "probabilities": [1.0, 0.0, 0.0]}]


@every_architecture
def test_the_exported_function_gives_the_same_labels(architecture: str) -> None:
    session = tiny(architecture)
    rows = [{"text": text} for text in (*texts(10), "w1 w2 w3 " * 500)]
    names = {"LABEL_0": "a", "LABEL_1": "b"}
    context = Context(labels=("a", "b"), model_labels=MODEL_LABELS, mapping=names)
    wanted = [row["answer"] for row in predict(session, TASK, rows, context, 4)]
    assert inspect.isfunction(TASK.script)
    settings = script_settings(TASK, context)
    assert [TASK.script(session.model, session.processor, row, settings) for row in rows] == wanted
