"""Text generation on tiny models: what is written after a text, and how likely the text itself is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TrialFailed
from core.metrics.scoring import needs
from core.records import Protocol
from core.tasks import text_generation
from core.tasks.text_generation import TASK, windows
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH, Tiny, texts
from tests.tasks.tiny_language import build

every_architecture = pytest.mark.parametrize("architecture", ["gpt2", "llama"])
ANSWERS, LIKELIHOODS = frozenset({"answer"}), frozenset({"nll", "tokens", "bytes"})


def session(architecture: str) -> Tiny:
    return build("text-generation", architecture)


def predict(model: Tiny, *given: str, **changes: Any) -> list[dict[str, Any]]:
    return tiny.predict(model, TASK, [{"text": text} for text in given], tiny.context(TASK, **changes), 8)


def loss(model: Tiny, ids: list[int], counted: int) -> float:
    """The summed loss of the last tokens, by transformers."""
    import torch

    inputs = torch.tensor([ids])
    labels = inputs.clone()
    labels[:, : len(ids) - counted] = -100
    with torch.inference_mode():
        return counted * model.model(input_ids=inputs, labels=labels).loss.item()


@every_architecture
def test_the_likelihood_is_the_models_own_loss(architecture: str) -> None:
    model, given = session(architecture), texts(12)
    for text, found in zip(given, predict(model, *given, needs=LIKELIHOODS), strict=True):
        ids = model.processor(text)["input_ids"]
        assert found["tokens"] == len(ids) - 1
        assert found["nll"] == pytest.approx(loss(model, ids, len(ids) - 1) if len(ids) > 1 else 0, rel=1e-4)


@every_architecture
@pytest.mark.parametrize("stride", [None, 7, 39])
def test_a_long_text_is_read_in_windows_as_transformers_documents_it(architecture: str, stride: int | None) -> None:
    model, text = session(architecture), " ".join(texts(12))
    ids, width, step = model.processor(text)["input_ids"], 40, stride or 20
    wanted, before = 0.0, 1
    for begin in range(0, len(ids), step):
        end = min(begin + width, len(ids))
        wanted += loss(model, ids[begin:end], end - before)
        before = end
        if end == len(ids):
            break
    (found,) = predict(model, text, needs=LIKELIHOODS, options={"max_length": width, "stride": stride})
    assert found["nll"] == pytest.approx(wanted, rel=1e-4)
    assert found["tokens"] == len(ids) - 1 > 3 * width


@given(tokens=st.integers(0, 300), width=st.integers(2, 50), data=st.data())
def test_every_token_but_the_first_counts_once(tokens: int, width: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, width - 1))
    found = list(windows(tokens, width, stride))
    counted = [position for _, end, scored in found for position in range(end - scored, end)]
    assert counted == list(range(1, tokens))
    assert all(0 < scored < end - first <= width for first, end, scored in found)


def test_a_window_is_never_longer_than_the_model_takes() -> None:
    model = session("gpt2")
    (pieces,) = TASK.encode(model.processor, [{"text": " ".join(texts(12))}], tiny.context(TASK, needs=LIKELIHOODS))
    assert max(piece.length for piece in pieces) == LENGTH


def test_only_the_bytes_of_tokens_that_count_are_counted() -> None:
    text = "w1 w20  größe 武満徹 w3"
    (plain,), (started,) = (predict(session(name), text, needs=LIKELIHOODS) for name in ("gpt2", "llama"))
    assert started["bytes"] == len(text.encode())
    assert plain["bytes"] == len(text.encode()) - len("w1")
    assert (plain["tokens"], started["tokens"]) == (4, 5)


@every_architecture
def test_windows_add_up_to_the_bytes_of_the_whole(architecture: str) -> None:
    text = " é ".join(texts(12))
    found = [
        predict(session(architecture), text, needs=LIKELIHOODS, options={"max_length": width})[0] for width in (48, 9)
    ]
    assert found[0]["bytes"] == found[1]["bytes"]
    assert found[0]["tokens"] == found[1]["tokens"]


def test_where_a_tokenizer_does_not_say_where_tokens_end_all_bytes_count() -> None:
    from transformers import ByT5Tokenizer

    context = tiny.context(TASK, needs=LIKELIHOODS, options={"max_length": 8})
    (pieces,) = TASK.encode(ByT5Tokenizer(), [{"text": "größer als zwei"}], context)
    assert len(pieces) > 2
    assert sum(piece.notes.bytes for piece in pieces) == len("größer als zwei".encode())


@every_architecture
def test_likelihoods_computed_in_parts_are_the_same(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predict(session(architecture), *texts(5), needs=LIKELIHOODS)
    monkeypatch.setattr(text_generation, "AT_ONCE", 3)
    assert all(map(tiny.same, predict(session(architecture), *texts(5), needs=LIKELIHOODS), whole))


@every_architecture
def test_a_text_without_tokens_has_no_likelihood(architecture: str) -> None:
    nothing = {"answer": "", "nll": 0.0, "tokens": 0, "bytes": 0}
    assert predict(session(architecture), "", needs=LIKELIHOODS) == [nothing]


def test_only_what_a_metric_reads_is_computed() -> None:
    assert needs(TASK, ("perplexity", "bits_per_byte")) == LIKELIHOODS
    assert needs(TASK, ("bleu",)) == ANSWERS
    processor = session("llama").processor
    for wanted, notes in ((ANSWERS, [True]), (LIKELIHOODS, [False]), (ANSWERS | LIKELIHOODS, [True, False])):
        (pieces,) = TASK.encode(processor, [{"text": "w1 w2"}], tiny.context(TASK, needs=wanted))
        assert [piece.notes is None for piece in pieces] == notes
    (answer,) = predict(session("llama"), "w1 w2", needs=LIKELIHOODS)
    assert answer["answer"] == ""
    assert predict(session("llama"), "w1 w2", needs=ANSWERS)[0].keys() == {"answer"}


@every_architecture
def test_prompts_padded_together_are_answered_as_without_padding(architecture: str) -> None:
    import torch

    model = session(architecture)
    given = [text for text in texts(10) if len(text.split()) < 25]
    raw = {"chat_template": False}
    found = predict(model, *given, needs=ANSWERS, options=raw)
    for text, one in zip(given, found, strict=True):
        ids = torch.tensor([model.processor(text)["input_ids"]])
        with torch.inference_mode():
            for _ in range(8):
                best = model.model(input_ids=ids).logits[0, -1].argmax()
                ids = torch.cat((ids, best.reshape(1, 1)), dim=1)
                if best == 2:
                    break
        wanted = model.processor.decode(ids[0, len(model.processor(text)["input_ids"]) :], skip_special_tokens=True)
        assert one["answer"] == wanted
    assert len({one["answer"] for one in found}) > 3


def test_each_row_stops_by_itself_and_tokens_behind_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    model, context = session("llama"), tiny.context(TASK, needs=ANSWERS)
    rows = [{"text": text} for text in texts(6)]
    free = [row.outputs[0].tolist() for row in tiny.answered(model, TASK, rows, context, 6)]
    stop = free[0][3]
    monkeypatch.setattr(model.model.generation_config, "eos_token_id", stop)
    stopped = tiny.answered(model, TASK, rows, context, 6)
    for before, after in zip(free, stopped, strict=True):
        length = before.index(stop) + 1 if stop in before else len(before)
        assert after.outputs[0].tolist() == before[:length]
        assert TASK.count(after) == length
    assert len(stopped[0].outputs[0]) == 4


def test_a_prompt_is_put_into_the_chat_template_and_a_likelihood_is_not() -> None:
    processor, row = session("llama").processor, {"text": "w7 w8"}
    (prompt, text), = TASK.encode(processor, [row], tiny.context(TASK))  # fmt: skip
    assert processor.convert_ids_to_tokens(prompt.inputs["input_ids"]) == ["w1", "w7", "w8", "w2", "w3"]
    assert processor.convert_ids_to_tokens(text.inputs["input_ids"]) == ["[BOS]", "w7", "w8"]
    (prompt, _), = TASK.encode(processor, [row], tiny.context(TASK, options={"chat_template": False}))  # fmt: skip
    assert processor.convert_ids_to_tokens(prompt.inputs["input_ids"]) == ["[BOS]", "w7", "w8"]


def test_a_chat_template_that_refuses_is_told() -> None:
    processor = deepcopy(session("llama").processor)
    processor.chat_template = "{{ raise_exception('a system prompt, please') }}"
    with pytest.raises(TrialFailed, match="a system prompt, please") as caught:
        TASK.encode(processor, [{"text": "w1"}], tiny.context(TASK, needs=ANSWERS))
    assert "chat_template: false" in caught.value.hint


@every_architecture
def test_of_a_prompt_that_is_too_long_the_end_is_kept(architecture: str) -> None:
    model, long = session(architecture), " ".join(texts(9))
    options = {"chat_template": False}
    ((piece,),) = TASK.encode(model.processor, [{"text": long}], tiny.context(TASK, needs=ANSWERS, options=options))
    assert piece.length == LENGTH - 8
    assert model.processor.decode(piece.inputs["input_ids"]) == " ".join(long.split()[-(LENGTH - 8) :])
    assert predict(model, long, needs=ANSWERS, options=options)[0]["answer"]


@every_architecture
def test_more_new_tokens_than_the_model_has_places_for_are_not_written(architecture: str) -> None:
    model, protocol = session(architecture), Protocol(max_new_tokens=10 * LENGTH)
    context = tiny.context(TASK, needs=ANSWERS, protocol=protocol)
    for row in tiny.answered(model, TASK, [{"text": text} for text in texts(3)], context, 3):
        assert 0 < len(row.outputs[0]) < LENGTH


@every_architecture
def test_an_empty_prompt_is_answered(architecture: str) -> None:
    options = {"chat_template": False}
    alone = predict(session(architecture), "", needs=ANSWERS, options=options)
    assert predict(session(architecture), "", "w1 w2 w3", needs=ANSWERS, options=options)[:1] == alone


@every_architecture
@pytest.mark.parametrize("chat", [True, False])
def test_the_exported_function_writes_the_same(architecture: str, chat: bool) -> None:
    model, context = session(architecture), tiny.context(TASK, needs=ANSWERS, options={"chat_template": chat})
    rows = [{"text": text} for text in (*texts(4), "", " ".join(texts(9)))]
    wanted = [one["answer"] for one in tiny.predict(model, TASK, rows, context, 6)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(model.model, model.processor, row, settings) for row in rows] == wanted
