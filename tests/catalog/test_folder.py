from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.catalog import FolderCatalog
from core.errors import GatedModel, ModelNotFound, RefusedModel, UserError
from core.records import ModelQuery, ReportedScore
from tests.catalog.checkpoints import make_checkpoint


def test_a_checkpoint_is_described_by_its_card_its_configuration_and_its_headers(tmp_path: Path):
    make_checkpoint(tmp_path / "mine", parameters=1234)
    model = FolderCatalog(tmp_path).describe("mine")
    assert (model.task, model.license, model.license_class) == ("text-classification", "apache-2.0", "permissive")
    assert (model.parameters, model.architecture, model.labels) == (1234, "bert", ("negative", "positive"))
    assert (model.languages, model.library, model.datasets) == (("en", "de"), "transformers", ("imdb",))
    assert model.base_model == "google/bert"
    assert model.reported == (ReportedScore("accuracy", 0.9, "IMDb"),)
    assert model.formats == ("safetensors",)
    assert model.download_bytes == sum(path.stat().st_size for path in (tmp_path / "mine").iterdir())
    assert (model.origins["license"], model.origins["parameters"]) == ("reported", "computed")
    assert model.blocked is None


def test_a_list_among_the_configurations_is_checked_like_the_others(tmp_path: Path):
    make_checkpoint(tmp_path / "mine")
    listed = tmp_path / "mine" / "data_config.json"
    listed.write_text(json.dumps([{"name": "reddit", "weight": 3}]))
    assert FolderCatalog(tmp_path).describe("mine").blocked is None
    listed.write_text(json.dumps([{"auto_map": {"AutoModel": "code.Model"}}]))
    assert "Remote code" in (FolderCatalog(tmp_path).describe("mine").blocked or "")


def test_ids_are_paths_below_the_root_at_most_three_levels_deep(tmp_path: Path):
    for place in ("one", "org/two", "a/b/three", "a/b/c/four", ".hidden/five", "one/inner"):
        make_checkpoint(tmp_path / place)
    assert [row.id for row in FolderCatalog(tmp_path).search(ModelQuery())] == ["a/b/three", "one", "org/two"]


@pytest.mark.parametrize("id", ["../other", "/etc", "", ".", "missing"])
def test_an_id_never_leads_out_of_the_folder(tmp_path: Path, id: str):
    make_checkpoint(tmp_path / "other")
    (tmp_path / "root").mkdir()
    with pytest.raises(ModelNotFound, match="No checkpoint"):
        FolderCatalog(tmp_path / "root").describe(id)


def test_a_missing_folder_is_said_with_its_name(tmp_path: Path):
    with pytest.raises(UserError, match=r"no folder.*gone"):
        FolderCatalog(tmp_path / "gone")


def test_the_revision_changes_with_the_weights_and_not_with_the_clock(tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine")
    catalog = FolderCatalog(tmp_path)
    before = catalog.describe("mine").revision
    os.utime(folder / "model.safetensors", (1, 1))
    assert catalog.describe("mine").revision == before
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert catalog.describe("mine").revision != before


def test_files_that_changed_since_the_plan_are_not_used(tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine")
    catalog = FolderCatalog(tmp_path)
    candidate = catalog.describe("mine")
    assert catalog.fetch(candidate) == folder
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    with pytest.raises(ModelNotFound, match="have changed"):
        catalog.fetch(candidate)


def test_fetching_reports_all_bytes_as_there(tmp_path: Path):
    make_checkpoint(tmp_path / "mine")
    catalog = FolderCatalog(tmp_path)
    seen: list[tuple[int, int]] = []
    candidate = catalog.describe("mine")
    catalog.fetch(candidate, lambda done, total: seen.append((done, total)))
    assert seen == [(candidate.download_bytes, candidate.download_bytes)]


def test_a_gated_checkpoint_wants_a_token(tmp_path: Path):
    make_checkpoint(tmp_path / "mine", card={"extra_gated_prompt": "Be kind."})
    assert FolderCatalog(tmp_path).search(ModelQuery())[0].gated
    with pytest.raises(GatedModel) as error:
        FolderCatalog(tmp_path).describe("mine")
    assert "HF_TOKEN" in error.value.hint
    assert FolderCatalog(tmp_path, token="hf_x").describe("mine").gated


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"auto_map": {"AutoModel": "m.M"}}}, "Remote code"),
        ({"config": {"_attn_implementation": "org/kernel"}}, "Foreign kernel"),
        ({"weights": "pytorch_model.bin"}, "No safetensors weights"),
    ],
)
def test_a_checkpoint_that_breaks_a_rule_is_listed_as_blocked_and_not_handed_out(tmp_path: Path, change, reason: str):
    make_checkpoint(tmp_path / "mine", **change)
    catalog = FolderCatalog(tmp_path)
    candidate = catalog.describe("mine")
    assert reason in (candidate.blocked or "")
    with pytest.raises(RefusedModel, match=reason):
        catalog.fetch(candidate)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0{", "not a valid safetensors file"),
        ("config.json", b"{not json", "config.json cannot be read"),
        ("config.json", b"[1]", "not a JSON object"),
    ],
)
def test_damaged_files_block_a_checkpoint_and_leave_the_others(tmp_path: Path, file: str, content: bytes, reason: str):
    (make_checkpoint(tmp_path / "bad") / file).write_bytes(content)
    make_checkpoint(tmp_path / "good")
    bad, good = FolderCatalog(tmp_path).search(ModelQuery())
    assert reason in (bad.blocked or "")
    assert good.blocked is None


@pytest.mark.parametrize(
    "text",
    ["", "no front matter", "---\n: [\n---\n", "---\n- a list\n---\n", "---\nlicense: [mit\n", "---\nlicense: mit"],
)
def test_a_card_that_cannot_be_read_says_nothing(tmp_path: Path, text: str):
    (make_checkpoint(tmp_path / "mine") / "README.md").write_text(text)
    model = FolderCatalog(tmp_path).describe("mine")
    assert (model.license, model.license_class) == (None, "unknown")
    assert model.task == "text-classification"  # told by the architecture


def test_odd_values_in_a_card_are_passed_over(tmp_path: Path):
    card = {"license": 3, "language": [False, None, "en"], "datasets": {"a": 1}, "model-index": [{"results": "x"}, 7]}
    make_checkpoint(tmp_path / "mine", card=card)
    model = FolderCatalog(tmp_path).describe("mine")
    assert (model.license, model.languages, model.datasets, model.reported) == (None, ("no", "en"), (), ())


def test_a_model_that_writes_text_has_no_labels(tmp_path: Path):
    make_checkpoint(tmp_path / "mine", config={"architectures": ["BartForConditionalGeneration"]})
    assert FolderCatalog(tmp_path).describe("mine").labels == ()
