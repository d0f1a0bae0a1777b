"""Labels that a model was never trained on: the same as transformers' own pipeline gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.errors import TrialFailed
from core.tasks.base import Context
from core.tasks.zero_shot_classification import TASK
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH
from tests.tasks.tiny_labels import JUDGEMENTS, TOPICS, judge

every_architecture = pytest.mark.parametrize("architecture", ["bert", "distilbert"])
ROWS = [{"text": text} for text in (*tiny.texts(20), "w1 w2 w3 w4 " * 200)]


def context(template: str = "w9 {} w8", **changes: Any) -> Context:
    return tiny.context(TASK, JUDGEMENTS, options={"hypothesis_template": template}, **changes)


@every_architecture
def test_answers_and_probabilities_are_those_of_transformers_own_pipeline(architecture: str) -> None:
    import transformers

    session = judge(architecture)
    pipeline = transformers.pipeline(
        "zero-shot-classification", model=session.model, tokenizer=session.processor, device="cpu"
    )
    found = tiny.predict(session, TASK, ROWS, context(), 8)
    for row, one in zip(ROWS, found, strict=True):
        wanted = pipeline(row["text"], candidate_labels=list(TOPICS), hypothesis_template="w9 {} w8")
        assert one["answer"] == wanted["labels"][0]
        assert one["score"] == pytest.approx(wanted["scores"][0], abs=1e-4)
        shares = dict(zip(wanted["labels"], wanted["scores"], strict=True))
        assert one["probabilities"] == pytest.approx([shares[topic] for topic in TOPICS], abs=1e-4)
    assert {one["answer"] for one in found} == set(TOPICS)


def test_a_row_has_a_piece_for_every_label_and_its_hypothesis_is_never_cut() -> None:
    session = judge("bert")
    ids = session.processor.convert_tokens_to_ids
    topics = (*TOPICS, "w2 " * 35 + "w3")
    for pieces in TASK.encode(session.processor, ROWS, context(labels=topics)):
        assert len(pieces) == len(topics)
        for piece, topic in zip(pieces, topics, strict=True):
            assert piece.length <= LENGTH
            hypothesis = [*ids(["w9", *topic.split(), "w8"]), 2]
            assert piece.inputs["input_ids"][-len(hypothesis) :] == hypothesis


def test_the_template_changes_the_answer() -> None:
    one, other = (tiny.predict(judge("bert"), TASK, ROWS, context(text), 8) for text in ("{}", "w9 w10 {} w11 w12"))
    assert [row["answer"] for row in one] != [row["answer"] for row in other]


def test_the_mapping_says_which_of_the_models_labels_means_entailment() -> None:
    session = judge("bert")
    names = ("LABEL_0", "LABEL_1", "LABEL_2")
    wanted = tiny.predict(session, TASK, ROWS, context(), 8)
    unnamed = replace(context(), model_labels=names)
    given = replace(unnamed, mapping={"LABEL_2": "entailment"})
    assert tiny.predict(session, TASK, ROWS, given, 8) == wanted
    other = replace(unnamed, mapping={"LABEL_0": "entailment"})
    assert tiny.predict(session, TASK, ROWS, other, 8) != wanted
    with pytest.raises(TrialFailed, match="is known to mean entailment"):
        tiny.predict(session, TASK, ROWS, unnamed, 8)


def test_the_model_needs_to_know_entailment_and_none_of_the_labels() -> None:
    assert TASK.wanted_labels(("sport", "politics")) == ("entailment",)
    assert TASK.known_labels(JUDGEMENTS) == JUDGEMENTS


@pytest.mark.parametrize("template", ["This example is sport.", "about {label}", "{", "{0.x}", "{1}", ""])
def test_a_template_without_a_place_for_the_label_is_refused(template: str) -> None:
    with pytest.raises(TrialFailed, match="hypothesis_template") as failed:
        TASK.encode(judge("bert").processor, ROWS, context(template))
    assert failed.value.kind == "data"
    assert "{}" in failed.value.hint


def test_a_hypothesis_that_is_too_long_is_refused_and_one_that_fills_the_model_is_not() -> None:
    processor = judge("bert").processor
    with pytest.raises(TrialFailed, match="alone has") as failed:
        TASK.encode(processor, ROWS, context("{} " + "w1 " * LENGTH))
    assert failed.value.kind == "data"
    full = context("{}" + " w1" * (LENGTH - 5), labels=("w2",))
    assert {piece.length for (piece,) in TASK.encode(processor, ROWS, full)} == {LENGTH}


@every_architecture
def test_the_exported_function_gives_the_same_labels(architecture: str) -> None:
    session, given = judge(architecture), context()
    wanted = [row["answer"] for row in tiny.predict(session, TASK, ROWS, given, 4)]
    settings = tiny.script_settings(TASK, given)
    assert [TASK.script(session.model, session.processor, row, settings) for row in ROWS] == wanted
