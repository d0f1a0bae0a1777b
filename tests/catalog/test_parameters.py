from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.catalog.checkpoint import describe
from core.catalog.parameters import count, tensors
from core.errors import RefusedModel
from tests.catalog.checkpoints import make_checkpoint

MIXTURE = [
    ("model.embed_tokens.weight", (100, 8)),
    *((f"model.layers.0.mlp.experts.{index}.up_proj.weight", (16, 8)) for index in range(4)),
    ("model.layers.0.mlp.shared_experts.up_proj.weight", (16, 8)),
    ("lm_head.weight", (100, 8)),
]


def test_a_dense_model_uses_all_its_parameters_and_says_which_are_tables():
    found = [("bert.embeddings.word_embeddings.weight", (100, 8)), ("bert.encoder.layer.0.dense.weight", (8, 8))]
    assert count(found, {}) == {"parameters": 864, "embedding_parameters": 800, "active_parameters": None}


@pytest.mark.parametrize(
    "name",
    [
        "bert.embeddings.position_embeddings.weight",
        "transformer.wte.weight",
        "model.decoder.embed_positions.weight",
        "shared.weight",
        "gpt_neox.embed_in.weight",
        "backbone.embeddings.weight",
        "model.embeddings.tok_embeddings.weight",
        "transformer.word_embedding.weight",
    ],
)
def test_tables_are_known_by_their_names(name: str):
    assert count([(name, (10, 4))], {})["embedding_parameters"] == 40


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("bert.embeddings.LayerNorm.weight", (8,)),
        ("vision_model.embeddings.patch_embedding.weight", (8, 3, 16, 16)),
        ("vit.embeddings.patch_embeddings.projection.weight", (8, 3, 16, 16)),
        ("lm_head.weight", (10, 4)),
        ("embed_out.weight", (10, 4)),
    ],
)
def test_what_is_no_table_is_not_counted_as_one(name: str, shape: tuple[int, ...]):
    assert count([(name, shape)], {})["embedding_parameters"] == 0


@pytest.mark.parametrize(
    "config",
    [
        {"num_experts": 4, "num_experts_per_tok": 1},
        {"n_routed_experts": 4, "num_experts_per_tok": 1, "n_shared_experts": 1},
        {"text_config": {"num_local_experts": 4, "experts_per_token": 1}},
    ],
)
def test_a_mixture_uses_the_experts_it_asks_and_all_that_is_shared(config: dict[str, object]):
    counted = count(MIXTURE, config)
    assert counted["parameters"] == 800 + 4 * 128 + 128 + 800
    assert counted["active_parameters"] == 800 + 128 + 128 + 800


def test_experts_in_one_tensor_count_as_those_in_many():
    fused = [("model.layers.0.mlp.experts.gate_up_proj", (4, 16, 8)), ("model.norm.weight", (8,))]
    assert count(fused, {"num_local_experts": 4, "num_experts_per_tok": 2})["active_parameters"] == 4 * 128 // 2 + 8


@pytest.mark.parametrize(
    "config", [{}, {"num_experts": 4}, {"num_experts": 0, "num_experts_per_tok": 1}, {"num_experts": "4"}]
)
def test_a_mixture_that_does_not_say_how_many_it_asks_leaves_that_open(config: dict[str, object]):
    assert count(MIXTURE, config)["active_parameters"] is None


def test_a_folder_tells_its_counts_and_its_bytes(tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine", config={"num_experts": 4, "num_experts_per_tok": 2})
    save_file({name: np.zeros(shape, np.float32) for name, shape in MIXTURE}, folder / "model.safetensors")
    (folder / "notes.pdf").write_bytes(b"0" * 5000)
    facts = describe(folder)
    assert (facts["parameters"], facts["embedding_parameters"], facts["active_parameters"]) == (2240, 800, 1984)
    assert facts["disk_bytes"] == facts["download_bytes"] + 5000
    assert facts["origins"]["active_parameters"] == "computed"


def test_a_header_that_is_cut_short_is_refused(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(RefusedModel, match="not a valid safetensors file"):
        tensors([tmp_path / "model.safetensors"])
