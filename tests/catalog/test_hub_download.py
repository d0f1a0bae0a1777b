from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.catalog import HubCatalog, hub_status
from core.errors import DiskFull, GatedModel, HubUnavailable, ModelNotFound, RefusedModel, UserError
from core.records import Candidate, ModelQuery
from tests.catalog.checkpoints import make_checkpoint
from tests.hub_server import TOKEN, HubServer

TIMEOUT = 3.0


@pytest.fixture
def catalog(hub: HubServer, tmp_path: Path) -> HubCatalog:
    hub.add(make_checkpoint(tmp_path / "tiny", parameters=60_000), "org/tiny", downloads=7)
    return HubCatalog(endpoint=hub.url, timeout=TIMEOUT, cache_dir=tmp_path / "cache")


def test_a_description_pins_the_commit_and_counts_the_bytes_of_a_trial(catalog, hub, tmp_path):
    (tmp_path / "tiny" / "pytorch_model.bin").write_bytes(b"x" * 10**6)
    model = catalog.describe("org/tiny")
    assert model.revision == hub.repos["models", "org/tiny"].sha
    assert (model.architecture, model.labels, model.downloads) == ("bert", ("negative", "positive"), 7)
    assert model.formats == ("pytorch", "safetensors")
    assert 240_000 < (model.download_bytes or 0) < 250_000
    assert model.blocked is None
    assert not hub.requests("*model.safetensors")


def test_a_fetch_gives_the_files_of_a_trial_and_reports_bytes(catalog, hub, tmp_path):
    (tmp_path / "tiny" / "pytorch_model.bin").write_bytes(b"x")
    (tmp_path / "tiny" / "modeling.py").write_text("raise SystemExit")
    seen: list[tuple[int, int]] = []
    model = catalog.describe("org/tiny")
    folder = catalog.fetch(model, lambda done, total: seen.append((done, total)))
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
    ]
    assert seen[-1] == (model.download_bytes, model.download_bytes)
    assert seen == sorted(seen)
    assert model.disk_bytes is None
    assert catalog.describe("org/tiny").disk_bytes == model.download_bytes


def test_what_is_cached_works_when_the_hub_is_gone(tmp_path):
    make_checkpoint(tmp_path / "tiny", parameters=60_000)
    with HubServer() as hub:
        hub.add(tmp_path / "tiny", "org/tiny")
        catalog = HubCatalog(endpoint=hub.url, timeout=TIMEOUT, cache_dir=tmp_path / "cache")
        model = catalog.describe("org/tiny")
        folder = catalog.fetch(model)
        hub.reset()
        assert catalog.fetch(model) == folder
        assert hub.seen == []
    assert catalog.fetch(model) == folder
    again = catalog.describe("org/tiny", model.revision)
    assert (again.revision, again.parameters, again.labels) == (model.revision, 60_000, model.labels)
    with pytest.raises(HubUnavailable, match="cannot be reached"):
        catalog.describe("org/tiny")


def test_a_half_cached_model_is_completed_not_handed_out(catalog, hub):
    model = catalog.describe("org/tiny")  # leaves the configurations in the cache
    assert (catalog.fetch(model) / "model.safetensors").is_file()


FAULTS = [
    ({"status": 401}, "HTTP 401", "HF_TOKEN"),
    ({"status": 403}, "HTTP 403", "HF_TOKEN"),
    ({"status": 429, "headers": {"Retry-After": "120"}}, "too many requests", "120 seconds"),
    ({"status": 429}, "too many requests", "few minutes"),
    ({"status": 500}, "HTTP 500", "samples"),
    ({"status": 503}, "HTTP 503", "samples"),
    ({"status": 200, "text": "<html>Log in to the hotel</html>"}, "is no Hub", "HF_ENDPOINT"),
]
CALLS = {
    "search": lambda catalog: catalog.search(ModelQuery()),
    "describe": lambda catalog: catalog.describe("org/tiny"),
    "fetch": lambda catalog: catalog.fetch(Candidate("hub", "org/tiny", "0" * 40)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("fault", "words", "hint"), FAULTS)
def test_each_fault_is_said_in_words_without_waiting(catalog, hub, call, fault, words, hint):
    hub.fail("*", **fault)
    start = time.perf_counter()
    with pytest.raises(HubUnavailable, match=words) as error:
        CALLS[call](catalog)
    assert hint in error.value.hint
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("call", CALLS)
def test_a_slow_hub_is_given_up_at_the_time_limit(tmp_path, call):
    # A server of its own: the request that was given up must not be seen by the next test.
    with HubServer() as hub:
        hub.fail("*", delay=30)
        with pytest.raises(HubUnavailable, match=r"did not answer within 0\.3 seconds"):
            CALLS[call](HubCatalog(endpoint=hub.url, timeout=0.3, cache_dir=tmp_path))


def test_a_hub_that_is_not_there_is_said_with_its_address(tmp_path):
    start = time.perf_counter()
    with pytest.raises(HubUnavailable, match=r"127\.0\.0\.1:9 cannot be reached"):
        HubCatalog(endpoint="http://127.0.0.1:9", timeout=1, cache_dir=tmp_path).search(ModelQuery())
    assert time.perf_counter() - start < 3


def test_an_unknown_model_is_told_from_an_unknown_revision(catalog):
    with pytest.raises(ModelNotFound, match="no model 'org/missing'"):
        catalog.describe("org/missing")
    with pytest.raises(ModelNotFound, match="'org/tiny' has no revision 'v9'"):
        catalog.describe("org/tiny", "v9")
    with pytest.raises(ModelNotFound, match="has no revision"):
        catalog.fetch(Candidate("hub", "org/tiny", "0" * 40))


@pytest.mark.parametrize("id", ["gpt2", "../../etc/passwd", "a/b/c", "https://hf.co/a/b", "a/..", "", "a b/c"])
def test_an_id_that_is_not_org_name_is_refused_before_any_request(catalog, hub, id):
    for call in (lambda: catalog.describe(id), lambda: catalog.fetch(Candidate("hub", id))):
        with pytest.raises(UserError, match="not a model of the Hub"):
            call()
    assert hub.seen == []


def test_a_gated_model_without_a_token_says_where_to_accept(catalog, hub, tmp_path):
    hub.add(make_checkpoint(tmp_path / "closed", card={"extra_gated_prompt": "Agree."}), "org/closed")
    with pytest.raises(GatedModel) as error:
        catalog.describe("org/closed")
    assert f"{hub.url}/org/closed" in error.value.hint
    assert "HF_TOKEN" in error.value.hint
    member = HubCatalog(token=TOKEN, endpoint=hub.url, cache_dir=tmp_path / "cache")
    assert member.fetch(member.describe("org/closed")).is_dir()


def test_a_token_without_the_right_is_told_to_accept_first(hub, tmp_path, catalog):
    hub.fail("/org/tiny/resolve/*", status=403, headers={"X-Error-Code": "GatedRepo"})
    member = HubCatalog(token=TOKEN, endpoint=hub.url, cache_dir=tmp_path / "cache")
    with pytest.raises(GatedModel, match="'org/tiny' is gated"):
        member.describe("org/tiny")


def test_a_wrong_token_is_said_and_never_shown(hub, catalog):
    with pytest.raises(HubUnavailable) as error:
        HubCatalog(token="hf_wrong", endpoint=hub.url).search(ModelQuery())
    assert "HF_TOKEN" in error.value.hint
    assert "hf_wrong" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"auto_map": {"AutoModel": "m.M"}}}, "Remote code"),
        ({"config": {"_attn_implementation": "org/kernel"}}, "Foreign kernel"),
        ({"weights": "pytorch_model.bin"}, "No safetensors weights"),
    ],
)
def test_a_model_that_breaks_a_rule_is_blocked_and_its_weights_are_never_asked_for(
    hub, catalog, tmp_path, change, reason
):
    hub.add(make_checkpoint(tmp_path / "bad", **change), "org/bad")
    model = catalog.describe("org/bad")
    assert reason in (model.blocked or "")
    with pytest.raises(RefusedModel, match=reason):
        catalog.fetch(model)
    assert not hub.requests("*model*s", "GET")


def test_a_configuration_that_is_not_json_blocks_the_model(hub, catalog, tmp_path):
    (make_checkpoint(tmp_path / "bad") / "config.json").write_text("{")
    hub.add(tmp_path / "bad", "org/bad")
    assert "cannot be read" in (catalog.describe("org/bad").blocked or "")


def test_a_model_over_the_limit_is_refused_before_the_download(catalog, hub, monkeypatch):
    monkeypatch.setenv("SHORTLIST_MAX_DOWNLOAD", "1000")
    with pytest.raises(RefusedModel, match="over the limit") as error:
        catalog.fetch(catalog.describe("org/tiny"))
    assert "SHORTLIST_MAX_DOWNLOAD" in error.value.hint
    assert not hub.requests("*safetensors")


def test_a_full_disk_is_said_before_the_download(catalog, hub, monkeypatch):
    model = catalog.describe("org/tiny")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(DiskFull, match=r"0\.0 GB are free"):
        catalog.fetch(model)
    assert not hub.requests("*safetensors")


@pytest.mark.parametrize("chunk", [10**7, 1_000])  # smaller than what arrives: the library would start over for ever
def test_a_download_that_always_breaks_off_ends_and_says_so(catalog, hub, monkeypatch, chunk):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", chunk)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    model = catalog.describe("org/tiny")
    hub.fail("*model.safetensors", truncate=0.5)
    with pytest.raises(HubUnavailable, match="broke off"):
        catalog.fetch(model)


def test_a_download_that_broke_off_once_is_completed(catalog, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    model = catalog.describe("org/tiny")
    hub.fail("*model.safetensors", method="GET", truncate=0.5, times=1)
    weights = catalog.fetch(model) / "model.safetensors"
    assert weights.read_bytes() == (tmp_path / "tiny" / "model.safetensors").read_bytes()


def test_weights_that_are_shorter_than_announced_are_never_handed_out(catalog, hub):
    model = catalog.describe("org/tiny")
    hub.fail("*model.safetensors", method="GET", status=200)
    with pytest.raises(HubUnavailable, match="broke off"):
        catalog.fetch(model)
    hub.reset()
    assert (catalog.fetch(model) / "model.safetensors").stat().st_size > 240_000


def test_without_a_revision_the_newest_commit_is_fetched(catalog, hub):
    model = replace(catalog.describe("org/tiny"), revision=None)
    assert catalog.fetch(model).name == hub.repos["models", "org/tiny"].sha


def test_the_status_says_whether_the_hub_answers(hub):
    assert hub_status(endpoint=hub.url).reachable
    hub.fail("*", status=500)
    status = hub_status(endpoint=hub.url)
    assert (status.reachable, status.endpoint) == (False, hub.url)
    assert "HTTP 500" in status.message
