"""Embeddings as sentence-transformers' files say: every way of pooling, what follows it, prompts and limits."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import registry
from core.errors import TrialFailed
from core.tasks.base import Answered, Context
from core.tasks.sentence_modules import POOLING, pooled, sentence_modules
from core.tasks.sentence_similarity import TASK
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH, Tiny
from tests.tasks.tiny_labels import encoder

ROWS = [
    {"sentence1": one, "sentence2": other} for one, other in zip(tiny.texts(12), tiny.texts(12, seed=1), strict=True)
]
WIDTH = 32
TYPES = "sentence_transformers.models."


def checkpoint(folder: Path, *modules: tuple[str, dict[str, Any]], **files: Any) -> Path:
    """A sentence-transformers repository: a model, the modules behind it, and further JSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    described = [{"idx": 0, "name": "0", "path": "", "type": TYPES + "Transformer"}]
    for number, (kind, config) in enumerate(modules, 1):
        path = f"{number}_{kind}"
        (folder / path).mkdir(exist_ok=True)
        (folder / path / "config.json").write_text(json.dumps(config))
        described.append({"idx": number, "name": str(number), "path": path, "type": TYPES + kind})
    (folder / "modules.json").write_text(json.dumps(described))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def dense(folder: Path, number: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights for a dense layer."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(number)
    weight, bias = (torch.randn(shape, generator=generator) for shape in ((out, WIDTH), (out,)))
    (folder / f"{number}_Dense").mkdir(parents=True, exist_ok=True)
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / f"{number}_Dense" / "model.safetensors")
    return weight.numpy(), bias.numpy()


def session(folder: Path, architecture: str = "bert") -> Tiny:
    """A tiny model whose tokenizer came from that folder."""
    made = encoder(architecture)
    tokenizer = copy(made.processor)
    tokenizer.name_or_path = str(folder)
    return Tiny(made.model, tokenizer)


def hidden_states(made: Tiny, sentence: str) -> np.ndarray:
    """What the model says of each token of one sentence."""
    import torch

    inputs = made.processor(sentence, truncation=True, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        return made.model(**inputs).last_hidden_state[0].double().numpy()


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def answers(made: Tiny, rows: list[dict[str, str]] = ROWS, batch_size: int = 8) -> list[float]:
    return [row["answer"] for row in tiny.predict(made, TASK, rows, Context(), batch_size)]


def by_hand(made: Tiny, embedding: Any, rows: list[dict[str, str]] = ROWS) -> list[float]:
    """Cosines of what `embedding` makes of hidden states (tokens, width)."""
    return [cosine(*(embedding(hidden_states(made, text)) for text in row.values())) for row in rows]


WAYS = {
    "cls": lambda hidden: hidden[0],
    "max": lambda hidden: hidden.max(axis=0),
    "mean": lambda hidden: hidden.mean(axis=0),
    "mean_sqrt_len_tokens": lambda hidden: hidden.sum(axis=0) / len(hidden) ** 0.5,
    "weightedmean": lambda hidden: np.average(hidden, axis=0, weights=np.arange(1, len(hidden) + 1)),
    "lasttoken": lambda hidden: hidden[-1],
}


@pytest.mark.parametrize("architecture", ["bert", "t5"])
@pytest.mark.parametrize("mode", POOLING.values())
def test_sentences_are_pooled_as_the_files_say(mode: str, architecture: str, tmp_path: Path) -> None:
    old_name = next(key for key, name in POOLING.items() if name == mode)
    for name, config in (("new", {"pooling_mode": mode}), ("old", {old_name: True, "pooling_mode_other": False})):
        made = session(checkpoint(tmp_path / name, ("Pooling", config)), architecture)
        assert answers(made) == pytest.approx(by_hand(made, WAYS[mode]), abs=1e-4)
    assert len(set(answers(made))) > 6


@pytest.mark.parametrize("mode", POOLING.values())
def test_padding_on_either_side_changes_nothing(mode: str) -> None:
    import torch

    hidden = torch.randn(2, 5, 3)
    right, left = torch.tensor([[1, 1, 1, 0, 0]] * 2), torch.tensor([[0, 0, 1, 1, 1]] * 2)
    alone = pooled(mode, hidden[:, :3], torch.ones(2, 3, dtype=torch.int64), 1)
    torch.testing.assert_close(pooled(mode, hidden, right, 1), alone)
    torch.testing.assert_close(pooled(mode, hidden.roll(2, dims=1), left, 1), alone)


def test_several_ways_of_pooling_are_joined(tmp_path: Path) -> None:
    both = lambda hidden: np.concatenate([hidden[0], hidden.mean(axis=0)])  # noqa: E731
    for name, config in (
        ("new", {"pooling_mode": ["cls", "mean"]}),
        ("old", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}),
    ):
        made = session(checkpoint(tmp_path / name, ("Pooling", config)))
        assert answers(made) == pytest.approx(by_hand(made, both), abs=1e-4)


@pytest.mark.parametrize("files", ["none", "a Pooling that says nothing"])
def test_without_a_word_about_it_pooling_is_the_mean(files: str, tmp_path: Path) -> None:
    folder = tmp_path if files == "none" else checkpoint(tmp_path, ("Pooling", {"word_embedding_dimension": WIDTH}))
    made = session(folder)
    assert answers(made) == pytest.approx(by_hand(made, WAYS["mean"]), abs=1e-4)
    assert answers(encoder("bert")) == answers(made)


@pytest.mark.parametrize("normalised", [False, True])
def test_dense_layers_follow_pooling_and_normalising_stands_where_the_files_put_it(
    normalised: bool, tmp_path: Path
) -> None:
    modules = [("Pooling", {}), *([("Normalize", {})] if normalised else [])]
    place = len(modules) + 1
    modules.append(("Dense", {"activation_function": "torch.nn.modules.activation.Tanh"}))
    weight, bias = dense(tmp_path, place, 8)
    made = session(checkpoint(tmp_path, *modules))

    def embedding(hidden: np.ndarray) -> np.ndarray:
        mean = hidden.mean(axis=0)
        return np.tanh(weight @ (mean / np.linalg.norm(mean) if normalised else mean) + bias)

    assert answers(made) == pytest.approx(by_hand(made, embedding), abs=1e-4)


def test_a_dense_layer_may_have_no_activation(tmp_path: Path) -> None:
    weight, bias = dense(tmp_path, 2, 8)
    config = {"activation_function": "torch.nn.modules.linear.Identity"}
    made = session(checkpoint(tmp_path, ("Pooling", {}), ("Dense", config)))
    assert answers(made) == pytest.approx(by_hand(made, lambda hidden: weight @ hidden.mean(axis=0) + bias), abs=1e-4)


PROMPTS = {"prompts": {"query": "w5 w6 ", "other": "w7 "}, "default_prompt_name": "query"}


def test_the_default_prompt_stands_before_every_sentence(tmp_path: Path) -> None:
    made = session(checkpoint(tmp_path, ("Pooling", {}), config_sentence_transformers=PROMPTS))
    written = [{word: "w5 w6 " + text for word, text in row.items()} for row in ROWS]
    assert answers(made) == answers(encoder("bert"), written)
    none = session(checkpoint(tmp_path / "none", config_sentence_transformers=PROMPTS | {"default_prompt_name": None}))
    assert answers(none) == answers(encoder("bert"))


@pytest.mark.parametrize("mode", POOLING.values())
def test_a_prompt_that_is_not_pooled_is_read_all_the_same(mode: str, tmp_path: Path) -> None:
    config = {"pooling_mode": mode, "include_prompt": False}
    made = session(checkpoint(tmp_path, ("Pooling", config), config_sentence_transformers=PROMPTS))
    written = [{word: "w5 w6 " + text for word, text in row.items()} for row in ROWS]

    def embedding(hidden: np.ndarray) -> np.ndarray:
        if mode == "weightedmean":
            return np.average(hidden[3:], axis=0, weights=np.arange(4, len(hidden) + 1))
        return WAYS[mode](hidden[3:])

    assert answers(made) == pytest.approx(by_hand(made, embedding, written), abs=1e-4)


def test_sentences_are_cut_and_lowered_as_the_files_say(tmp_path: Path) -> None:
    settings = {"max_seq_length": 10, "do_lower_case": True}
    checkpoint(tmp_path, ("Pooling", {}), sentence_bert_config=settings)
    encoder("bert").processor.save_pretrained(tmp_path)
    tokenizer = TASK.load_processor(tmp_path, encoder("bert").model)
    assert tokenizer.model_max_length == 10
    rows = [{"sentence1": "W1 w2", "sentence2": "w3 " * 100}]
    ((one, other),) = TASK.encode(tokenizer, rows, Context())
    assert one.inputs["input_ids"][1:3] == tokenizer.convert_tokens_to_ids(["w1", "w2"])
    assert other.length == 10
    found = answers(Tiny(encoder("bert").model, tokenizer), rows)
    assert TASK.script(encoder("bert").model, tokenizer, rows[0], {}) == pytest.approx(found[0], abs=1e-4)


def test_a_text_of_50_000_characters_is_cut_to_what_the_model_takes() -> None:
    ((one, other),) = TASK.encode(
        encoder("bert").processor, [{"sentence1": "w1 " * 20_000, "sentence2": ""}], Context()
    )
    assert (one.length, other.length) == (LENGTH, 2)


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ([("LSTM", {})], "LSTM"),
        ([("Pooling", {"pooling_mode": "median"})], "median"),
        ([("Dense", {"activation_function": "torch.nn.modules.activation.Custom"})], "Custom"),
        ([("Dense", {"use_residual": True})], "residual"),
        ([("Dense", {})], "no weights in 1_Dense"),
    ],
)
def test_what_cannot_be_run_is_said(modules: list[tuple[str, dict[str, Any]]], words: str, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, *modules)
    encoder("bert").processor.save_pretrained(folder)
    with pytest.raises(TrialFailed, match=words) as failed:
        TASK.load_processor(folder, encoder("bert").model)
    assert failed.value.kind in ("unsupported", "load")


@pytest.mark.parametrize("mode", POOLING.values())
def test_the_exported_function_gives_the_same_similarity(mode: str, tmp_path: Path) -> None:
    dense(tmp_path, 2, 8)
    config = {"pooling_mode": [mode, "mean"], "include_prompt": False}
    folder = checkpoint(tmp_path, ("Pooling", config), ("Dropout", {}), config_sentence_transformers=PROMPTS)
    made = session(folder)
    assert [TASK.script(made.model, made.processor, row, {}) for row in ROWS] == pytest.approx(answers(made), abs=1e-4)


def test_the_exported_function_applies_dense_layers_too(tmp_path: Path) -> None:
    dense(tmp_path, 2, 8)
    made = session(checkpoint(tmp_path, ("Pooling", {}), ("Dense", {}), ("Normalize", {})))
    assert [TASK.script(made.model, made.processor, row, {}) for row in ROWS] == pytest.approx(answers(made), abs=1e-4)


def test_the_same_sentence_twice_is_as_alike_as_can_be_and_nothing_is_like_nothing() -> None:
    assert answers(encoder("bert"), [{"sentence1": "w1 w2", "sentence2": "w1 w2"}]) == [1.0]
    nothing = Answered((), (np.zeros(3, dtype=np.float32), np.ones(3, dtype=np.float32)))
    assert TASK.decode(None, [nothing], Context()) == [{"answer": 0.0}]
    assert TASK.decode(None, [], Context()) == []


def test_the_files_of_a_folder_are_read_once(tmp_path: Path) -> None:
    folder = str(checkpoint(tmp_path, ("Pooling", {"pooling_mode": "cls"})))
    assert sentence_modules(folder) is sentence_modules(folder)


def test_feature_extraction_is_the_same_by_another_name() -> None:
    other = registry.task("feature-extraction")
    assert other.columns == TASK.columns
    assert {other.tags, TASK.tags} == {
        ("feature-extraction", "sentence-similarity"),
        ("sentence-similarity", "feature-extraction"),
    }
