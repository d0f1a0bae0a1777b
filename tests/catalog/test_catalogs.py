"""What every catalogue promises, and how one is chosen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core import codec
from core.catalog import Catalog, FolderCatalog, HubCatalog, locate, open_catalog, sources
from core.errors import ModelNotFound, RefusedModel, UserError
from core.records import Candidate, ModelQuery
from tests.catalog.checkpoints import make_checkpoint
from tests.hub_server import HubServer


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    root = tmp_path / "checkpoints"
    make_checkpoint(root / "org" / "small", parameters=10)
    make_checkpoint(root / "org" / "large", parameters=5_000, card={"license": "gpl-3.0", "language": "fr"})
    make_checkpoint(root / "org" / "writer", parameters=300, card={"pipeline_tag": "summarization"})
    make_checkpoint(root / "org" / "pickle", weights="pytorch_model.bin", card={"license": None})
    return root


@pytest.fixture(params=["folder", "hub"])
def catalog(request: pytest.FixtureRequest, checkpoints: Path, hub: HubServer, tmp_path: Path) -> Catalog:
    """The same models, from a folder and from the Hub."""
    if request.param == "folder":
        return FolderCatalog(checkpoints)
    hub.add_checkpoints(checkpoints)
    return HubCatalog(endpoint=hub.url, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (ModelQuery(), ["org/large", "org/pickle", "org/small", "org/writer"]),
        (ModelQuery(task="summarization"), ["org/writer"]),
        (ModelQuery(text="SMA"), ["org/small"]),
        (ModelQuery(licenses=("copyleft",)), ["org/large"]),
        (ModelQuery(licenses=("unknown",)), ["org/pickle"]),
        (ModelQuery(licenses=("unknown", "gpl-3.0")), ["org/large", "org/pickle"]),
        (ModelQuery(languages=("en",), libraries=("transformers",), max_params=300), ["org/small", "org/writer"]),
        (ModelQuery(min_params=300, max_params=300), ["org/writer"]),
        (ModelQuery(exclude=("gpl-3.0", "pickle"), gated=False), ["org/small", "org/writer"]),
        (ModelQuery(gated=True), []),
    ],
)
def test_a_query_means_the_same_everywhere(catalog: Catalog, query: ModelQuery, expected: list[str]):
    assert sorted(row.id for row in catalog.search(query)) == expected


def test_size_sorts_smallest_first_and_unknown_last(catalog: Catalog):
    found = [row.id for row in catalog.search(ModelQuery(sort="size"))]
    assert found == ["org/small", "org/writer", "org/large", "org/pickle"]


def test_a_limit_is_kept(catalog: Catalog):
    assert len(catalog.search(ModelQuery(limit=2))) == 2


def test_a_description_is_pinned_and_survives_json(catalog: Catalog):
    model = catalog.describe("org/small")
    assert model.source == catalog.name
    assert model.revision
    assert catalog.describe("org/small", model.revision) == model
    assert codec.loads(Candidate, codec.dumps(model)) == model
    assert set(model.origins.values()) == {"reported", "computed"}


def test_a_fetched_folder_holds_what_a_trial_needs(catalog: Catalog):
    folder = catalog.fetch(catalog.describe("org/small"))
    assert {"config.json", "model.safetensors"} <= {path.name for path in folder.iterdir()}


def test_an_unknown_model_and_an_unknown_revision_are_not_found(catalog: Catalog):
    with pytest.raises(ModelNotFound, match="org/none"):
        catalog.describe("org/none")
    with pytest.raises(ModelNotFound, match="no revision"):
        catalog.describe("org/small", "0" * 40)
    with pytest.raises(ModelNotFound, match="no revision"):
        catalog.fetch(replace(catalog.describe("org/small"), revision="0" * 40))


def test_a_blocked_model_is_listed_described_and_not_handed_out(catalog: Catalog):
    assert "No safetensors" in (catalog.search(ModelQuery(text="pickle"))[0].blocked or "")
    model = catalog.describe("org/pickle")
    assert "No safetensors" in (model.blocked or "")
    with pytest.raises(RefusedModel):
        catalog.fetch(model)


def test_a_source_opens_its_catalogue(checkpoints: Path):
    assert open_catalog("hub").name == "hub"
    assert open_catalog(str(checkpoints)).name == str(checkpoints)
    with pytest.raises(UserError, match="no folder"):
        open_catalog("nowhere")


def test_a_plan_names_a_local_checkpoint_by_its_path_and_a_hub_model_by_its_id(checkpoints: Path):
    catalog, id = locate(str(checkpoints / "org" / "small"))
    assert (catalog.name, id) == (str(checkpoints / "org"), "small")
    assert catalog.describe(id).parameters == 10
    catalog, id = locate("org/small")
    assert (catalog.name, id) == ("hub", "org/small")
    catalog, id = locate("org/small", str(checkpoints))
    assert catalog.describe(id).parameters == 10


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("no-such-model", "not a model of the Hub"),
        ("./missing/model/here", "There is no folder"),
        (".", "config.json"),
    ],
)
def test_what_is_neither_a_folder_nor_an_id_is_said_with_its_name(model: str, words: str):
    with pytest.raises(UserError, match=words) as error:
        locate(model)
    assert repr(model) in error.value.message


def test_the_folders_of_the_setting_are_sources(checkpoints: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHORTLIST_MODELS", str(checkpoints))
    assert [source for source, _ in sources()] == ["hub", "samples", str(checkpoints)]


def test_real_checkpoints_are_described_and_run_offline(shared: Path):
    rows = FolderCatalog(shared / "models").search(ModelQuery(task="text-classification", sort="size"))
    assert [row.id for row in rows] == ["minilm-l2-sst2", "minilm-l6-sst2"]
    assert [row.parameters for row in rows] == [7_735_682, 14_833_538]
    assert all(row.blocked is None for row in rows)


def test_importing_the_catalogues_loads_no_heavy_library():
    code = "import sys, core.catalog; print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert shown.stdout.strip() == "set()"
