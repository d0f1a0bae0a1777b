from __future__ import annotations

import pytest

from core.catalog.safety import check_config, check_files, check_tags, is_allowed, is_config


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"auto_map": {"AutoModel": "modeling.Mine"}}, "Remote code"),
        ({"text_config": {"auto_map": {}}}, "text_config.auto_map"),
        ({"trust_remote_code": True}, "Remote code"),
        ({"_attn_implementation": "org/kernel"}, "Foreign kernel"),
        ({"attn_implementation": {"text_config": "org/kernel"}}, "Foreign kernel"),
        ({"parts": [{"_experts_implementation_internal": "org/kernel"}]}, "Foreign kernel"),
        ({"Attn_Implementation": ["sdpa", "org/kernel@main:f"]}, "org/kernel"),
    ],
)
def test_a_configuration_that_runs_foreign_code_is_refused_by_a_named_rule(config, rule):
    reason = check_config(config)
    assert reason is not None
    assert rule in reason


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "bert", "_name_or_path": "org/name"},
        {"_attn_implementation": "sdpa"},
        {"attn_implementation": None},
    ],
)
def test_ordinary_configurations_pass(config):
    assert check_config(config) is None


def test_a_repository_without_safetensors_is_refused_with_what_was_found():
    reason = check_files(["config.json", "pytorch_model.bin", "checkpoint-10/model.safetensors"])
    assert reason is not None
    assert "pytorch_model.bin" in reason
    assert check_files(["config.json", "model.safetensors"]) is None
    assert "config.json" in (check_files(["model.safetensors"]) or "")


def test_the_tags_of_the_hub_already_tell_most_refusals():
    assert check_tags(["safetensors", "bert"]) is None
    assert "Remote code" in (check_tags(["safetensors", "custom_code"]) or "")
    assert "safetensors" in (check_tags(["pytorch"]) or "")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling.py", "x.pkl", "a/b.safetensors", "run.sh", "w.pt"])
def test_files_that_are_not_needed_or_not_safe_are_never_fetched(name):
    assert not is_allowed(name)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "1_Pooling/config.json", "vocab.txt", "spiece.model", "README.md"]
)
def test_files_that_a_trial_needs_are_fetched(name):
    assert is_allowed(name)


def test_configurations_at_the_top_are_checked():
    assert [
        name for name in ("config.json", "tokenizer_config.json", "a/config.json", "vocab.json") if is_config(name)
    ] == [
        "config.json",
        "tokenizer_config.json",
    ]
