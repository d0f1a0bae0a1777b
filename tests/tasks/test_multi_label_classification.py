"""Several labels for a text: thresholds, names on either side, nothing at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tasks.base import Answered, Context
from core.tasks.multi_label_classification import TASK
from tests.tasks import tiny
from tests.tasks.tiny_text import tiny as tiny_model

LABELS = ("anger", "joy", "trust")


def decoded(shares: list[list[float]], threshold: float = 0.5, **context: Any) -> list[dict[str, Any]]:
    given = np.array(shares, dtype=np.float32)
    rows = [Answered((), (row,)) for row in np.log(given / (1 - given))]
    names = {"labels": LABELS, "model_labels": LABELS, "options": {"threshold": threshold}}
    return TASK.decode(None, rows, Context(**{**names, **context}))


def test_every_label_over_the_threshold_is_an_answer() -> None:
    assert decoded([[0.9, 0.6, 0.1], [0.2, 0.3, 0.4]]) == [
        {"answer": ["anger", "joy"], "probabilities": [0.9, 0.6, 0.1]},
        {"answer": [], "probabilities": [0.2, 0.3, 0.4]},
    ]


def test_the_threshold_is_an_option() -> None:
    assert decoded([[0.9, 0.6, 0.1]], threshold=0.05)[0]["answer"] == ["anger", "joy", "trust"]
    assert decoded([[0.9, 0.6, 0.1]], threshold=0.7)[0]["answer"] == ["anger"]


def test_answers_are_sorted_and_probabilities_stand_in_the_data_sets_order() -> None:
    found = decoded([[0.9, 0.2, 0.6]], model_labels=("b", "x", "a"), labels=("x", "b", "a"))
    assert found == [{"answer": ["a", "b"], "probabilities": [0.2, 0.9, 0.6]}]


def test_of_model_labels_that_mean_the_same_the_likeliest_counts() -> None:
    found = decoded(
        [[0.3, 0.4, 0.9]],
        labels=("bad", "good"),
        model_labels=("anger", "grief", "joy"),
        mapping={"anger": "bad", "grief": "bad", "joy": "good"},
    )
    assert found == [{"answer": ["good"], "probabilities": [0.4, 0.9]}]


def test_what_the_data_set_does_not_know_is_no_answer_and_what_the_model_does_not_know_is_unlikely() -> None:
    found = decoded([[0.9, 0.8, 0.7]], labels=("joy", "shame"))
    assert found == [{"answer": ["joy"], "probabilities": [0.8, 0.0]}]


def test_rows_without_any_label_in_the_whole_data_set_can_be_decoded() -> None:
    assert decoded([[0.9, 0.8, 0.7]], labels=()) == [{"answer": [], "probabilities": []}]
    assert TASK.decode(None, [], Context()) == []


@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32).filter(lambda one: abs(one) > 1e-6), min_size=3, max_size=3))
def test_no_logit_is_too_large(logits: list[float]) -> None:
    context = Context(labels=LABELS, model_labels=LABELS, options={"threshold": 0.5})
    (found,) = TASK.decode(None, [Answered((), (np.array(logits, dtype=np.float32),))], context)
    assert all(0 <= share <= 1 for share in found["probabilities"])
    assert found["answer"] == [label for label, logit in zip(LABELS, logits, strict=True) if logit > 0]


@pytest.mark.parametrize("architecture", ["bert", "distilbert"])
def test_the_exported_function_gives_the_same_labels(architecture: str) -> None:
    session = tiny_model(architecture)
    names = {"LABEL_0": "joy", "LABEL_1": "joy", "LABEL_2": "anger"}
    context = tiny.context(TASK, session.labels, labels=("anger", "joy"), mapping=names, options={"threshold": 0.4})
    rows = [{"text": text} for text in (*tiny.texts(10), "w1 w2 w3 " * 500)]
    wanted = [row["answer"] for row in tiny.predict(session, TASK, rows, context, 4)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(session.model, session.processor, row, settings) for row in rows] == wanted
    assert len(set(map(tuple, wanted))) > 1


def test_a_blank_answer_has_no_label() -> None:
    assert TASK.blank({"text": "a"}) == {"answer": []}
