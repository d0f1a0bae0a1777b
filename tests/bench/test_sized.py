"""Models grown from a small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bench import rows, sized
from bench.sized import Shape

SAMPLE = rows.REPO / "samples/models/helpdesk-lab/ticket-router-bert-mini"
IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 9, 3, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sized, "WIDTH", 24)
    monkeypatch.setattr(sized, "LAYERS", 2)
    monkeypatch.setattr(sized, "HEADS", 3)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96,
        max_position_embeddings=16, initializer_range=0.5,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config).eval()


def grown(small: Any, shape: Shape, levels: list[tuple[float, float]]) -> Any:
    config = transformers.AutoConfig.for_model(
        shape.kind, **sized._dimensions(shape), vocab_size=30, max_position_embeddings=16
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    model.load_state_dict(sized._grown(small.state_dict(), model.state_dict(), shape, levels))
    return model


def hidden(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_a_wider_model_computes_what_the_small_one_does(small: Any, kind: str) -> None:
    wide = hidden(grown(small, Shape(kind, 2, 48), []))
    real = MASK.bool()
    assert torch.allclose(wide[real], hidden(small).repeat(1, 1, 2)[real], atol=1e-4)


def test_a_layer_put_in_between_passes_on_almost_what_it_is_given(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Words:
        def __call__(self, texts: object, **_: object) -> dict[str, torch.Tensor]:
            return {"input_ids": IDS, "attention_mask": MASK}

    deep = hidden(grown(small, Shape("bert", 4, 24), sized._levels(small, Words(), [])))
    real = MASK.bool()
    alike = torch.nn.functional.cosine_similarity(deep[real], hidden(small)[real], dim=-1)
    assert alike.min() > 0.95


def test_the_head_has_learned_its_rows(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(SAMPLE)
    small.resize_token_embeddings(len(tokenizer))
    small.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    monkeypatch.setattr(sized, "VOCABULARY", len(tokenizer))
    monkeypatch.setattr(sized, "SHAPES", {"tiny": Shape("distilbert", 2, 48)})
    texts = [("refund please", "no"), ("thank you very much", "yes")] * 20
    folder = sized.classifier("tiny", tmp_path / "large", tmp_path / "small", texts)
    classify = transformers.pipeline("text-classification", model=str(folder), device="cpu")
    assert [one["label"] for one in classify(["refund please", "thank you very much"])] == ["no", "yes"]


def test_a_checkpoint_of_another_shape_is_not_grown() -> None:
    assert not sized.can_grow(SAMPLE)


def test_the_writer_ends_its_texts_at_different_lengths(tmp_path: Path) -> None:
    from bench.contenders import continuations, generate

    folder = sized.writer(tmp_path, SAMPLE)
    texts = ["Where is my parcel?", "I want to pay by card", "The app crashes when I open it", "Cancel my order"] * 2
    said = continuations(folder, texts)().said
    assert said == generate("AutoModelForCausalLM", goes_on=True)(folder, texts)().said
    assert len(set(said)) == 4
    assert len({len(one.split()) for one in said}) > 1
