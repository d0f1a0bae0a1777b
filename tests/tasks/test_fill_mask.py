"""Filling gaps by tiny models: the word for the first gap, and the likelihood of every token."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import TrialFailed
from core.metrics.scoring import values
from core.tasks.base import Answered, Piece
from core.tasks.fill_mask import TASK, Hidden
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH, Tiny, texts
from tests.tasks.tiny_language import build

every_architecture = pytest.mark.parametrize("architecture", ["bert", "roberta"])
ANSWERS = frozenset({"answer"})


def session(architecture: str = "bert") -> Tiny:
    return build("fill-mask", architecture)


def predict(text: str, architecture: str = "bert", **changes: Any) -> dict[str, Any]:
    return tiny.predict(session(architecture), TASK, [{"text": text}], tiny.context(TASK, **changes), 8)[0]


def log_probabilities(model: Tiny, ids: list[int], position: int) -> Any:
    import torch

    masked = [*ids[:position], model.processor.mask_token_id, *ids[position + 1 :]]
    with torch.inference_mode():
        return model.model(input_ids=torch.tensor([masked])).logits[0, position].log_softmax(dim=-1)


@every_architecture
def test_the_likelihood_hides_one_token_at_a_time(architecture: str) -> None:
    model = session(architecture)
    for text in texts(4):
        ids = model.processor(text)["input_ids"]
        inner = range(1, len(ids) - 1)
        wanted = -sum(log_probabilities(model, ids, position)[ids[position]].item() for position in inner)
        found = predict(text, architecture)
        assert found == {"answer": "", "score": 0.0, "ranked": [], "nll": found["nll"], "tokens": len(inner)}
        assert found["nll"] == pytest.approx(wanted, rel=1e-4)


@every_architecture
def test_the_answer_is_the_likeliest_token(architecture: str) -> None:
    model = session(architecture)
    found = predict("w1 w2 [MASK] w3", architecture, needs=ANSWERS)
    best = log_probabilities(model, model.processor("w1 w2 [MASK] w3")["input_ids"], 3).topk(5)
    assert found["ranked"] == [model.processor.decode([token]) for token in best.indices.tolist()]
    assert found["answer"] == found["ranked"][0]
    assert found["score"] == pytest.approx(best.values[0].exp().item(), abs=1e-4)


@pytest.mark.parametrize("marker", ["[MASK]", "<mask>", "___", "_______"])
def test_every_marker_is_the_tokenizers_mask(marker: str) -> None:
    assert predict(f"w1 {marker} w2") == predict("w1 [MASK] w2")


def test_two_underscores_are_no_gap() -> None:
    assert predict("w1 __ w2")["answer"] == ""


def test_of_several_gaps_the_first_is_filled_and_the_others_stay() -> None:
    (pieces,) = TASK.encode(session().processor, [{"text": "w1 ___ w2 <mask>"}], tiny.context(TASK, needs=ANSWERS))
    mask = session().processor.mask_token_id
    assert [(piece.notes.position, piece.notes.token) for piece in pieces] == [(2, None)]
    assert [index for index, token in enumerate(pieces[0].inputs["input_ids"]) if token == mask] == [2, 4]


def test_gaps_do_not_count_in_the_likelihood() -> None:
    found = predict("w1 [MASK] w2 [MASK]")
    ids = session().processor("w1 [MASK] w2 [MASK]")["input_ids"]
    wanted = -sum(log_probabilities(session(), ids, position)[ids[position]].item() for position in (1, 3))
    assert found["tokens"] == 2
    assert found["nll"] == pytest.approx(wanted, rel=1e-4)


def test_without_a_metric_that_reads_it_no_likelihood_is_computed() -> None:
    context = tiny.context(TASK, needs=ANSWERS)
    rows = [{"text": "w1 [MASK] w2"}, {"text": "w1 w2"}, {"text": ""}]
    assert [len(pieces) for pieces in TASK.encode(session().processor, rows, context)] == [1, 0, 0]
    found = tiny.predict(session(), TASK, rows, context, 4)
    assert found[0].keys() == {"answer", "score", "ranked"}
    assert found[1] == found[2] == {"answer": "", "score": 0.0, "ranked": []}


def test_texts_without_a_right_word_count_in_no_accuracy() -> None:
    found = tiny.predict(session(), TASK, [{"text": "w1 ___"}, {"text": "w1 w2"}], tiny.context(TASK), 2)
    names = ("accuracy", "accuracy_at_5", "pseudo_perplexity")
    scores = values(TASK, names, {}, (), found, [None, None])
    assert (scores["accuracy"], scores["accuracy_at_5"]) == (None, None)
    assert scores["pseudo_perplexity"] > 1
    assert values(TASK, names, {}, (), found, [found[0]["answer"], None])["accuracy"] == 1


def test_an_empty_text_has_no_tokens() -> None:
    assert predict("") == {"answer": "", "score": 0.0, "ranked": [], "nll": 0.0, "tokens": 0}


@every_architecture
def test_a_gap_behind_what_the_model_takes_is_seen_with_its_neighbours(architecture: str) -> None:
    words = " ".join(texts(20)).split()
    for place in (0, 20, 150, len(words) - 1):
        text = " ".join((*words[:place], "[MASK]", *words[place + 1 :]))
        around = min(max(place - (LENGTH - 2) // 2, 0), len(words) - (LENGTH - 2))
        near = " ".join(text.split()[around : around + LENGTH - 2])
        assert predict(text, architecture, needs=ANSWERS) == predict(near, architecture, needs=ANSWERS)


def test_every_token_of_a_long_text_counts_once() -> None:
    words = " ".join(texts(10)).split()
    (pieces,) = TASK.encode(session().processor, [{"text": " ".join(words)}], tiny.context(TASK))
    assert len(pieces) == len(words) > 2 * LENGTH
    assert {piece.length for piece in pieces} == {LENGTH}
    hidden = session().processor.convert_ids_to_tokens([piece.notes.token for piece in pieces])
    assert hidden == words
    for piece in pieces:
        assert piece.inputs["input_ids"][piece.notes.position] == piece.notes.token
    assert predict(" ".join(words))["tokens"] == len(words)


def test_padding_on_the_left_hides_the_same_tokens() -> None:
    left = deepcopy(session().processor)
    left.padding_side = "left"
    context = tiny.context(TASK)
    pieces = [piece for row in TASK.encode(left, [{"text": text} for text in texts(3)], context) for piece in row]
    batch = TASK.collate(left, pieces)
    for ids, mask, place, token, piece in zip(
        batch["input_ids"], batch["attention_mask"], batch["hidden"], batch["tokens"], pieces, strict=True
    ):
        read = ids[mask.bool()].tolist()
        assert ids[place] == left.mask_token_id
        assert read.index(left.mask_token_id) == piece.notes.position
        assert token == piece.notes.token


def test_the_blank_in_front_of_a_word_is_no_part_of_it() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.BPE({"ĠParis": 0, "Paris": 1, "Ġparis": 2, "<unk>": 3}, [], unk_token="<unk>"))
    words.decoder = decoders.ByteLevel()
    gap = Answered((Piece({}, 3, 3, Hidden(1, None)),), (np.array([[0, 2, 1], [0.5, 0.25, 0.125]]),))
    processor = PreTrainedTokenizerFast(tokenizer_object=words)
    (found,) = TASK.decode(processor, [gap], tiny.context(TASK, needs=ANSWERS))
    assert found == {"answer": "Paris", "score": 0.5, "ranked": ["Paris", "paris", "Paris"]}


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path) -> None:
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(TrialFailed, match="no mask token") as caught:
        TASK.load_processor(tmp_path, session().model)
    assert caught.value.kind == "unsupported"


@every_architecture
def test_the_exported_function_fills_the_same_words(architecture: str) -> None:
    model, context = session(architecture), tiny.context(TASK, needs=ANSWERS)
    long = " ".join(texts(20)).split()
    rows = [{"text": text} for text in ("w1 ___ w2", "w7 [MASK]", "w1 w2", "")]
    rows += [{"text": " ".join((*long[:place], "<mask>", *long[place:]))} for place in (3, 60, len(long) - 1)]
    wanted = [one["answer"] for one in tiny.predict(model, TASK, rows, context, 2)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(model.model, model.processor, row, settings) for row in rows] == wanted
    assert wanted[2:4] == ["", ""]
