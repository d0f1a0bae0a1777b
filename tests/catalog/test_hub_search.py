from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from core.catalog import HubCatalog
from core.records import ModelQuery
from tests.catalog.checkpoints import make_checkpoint
from tests.hub_server import HubServer

MODELS = {
    # name: (licence, parameters, downloads, likes, updated, further card fields)
    "small": ("mit", 1_000, 50, 1, "2025-01-01", {}),
    "medium": ("apache-2.0", 20_000, 40, 9, "2026-01-01", {"language": ["de"]}),
    "large": ("gpl-3.0", 90_000, 30, 5, "2026-06-01", {"library_name": "adapters"}),
    "closed": ("cc-by-nc-4.0", 5_000, 20, 7, "2026-07-01", {"extra_gated_prompt": "Agree."}),
    "writer": ("mit", 7_000, 10, 2, "2026-08-01", {"pipeline_tag": "summarization"}),
}


@pytest.fixture
def catalog(hub: HubServer, tmp_path: Path) -> HubCatalog:
    for name, (license, parameters, downloads, likes, updated, card) in MODELS.items():
        folder = make_checkpoint(tmp_path / "org" / name, card={"license": license, **card}, parameters=parameters)
        facts = {
            "downloads": downloads,
            "likes": likes,
            "trendingScore": likes,
            "lastModified": f"{updated}T00:00:00.000Z",
        }
        hub.add(folder, f"org/{name}", **facts)
    return HubCatalog(endpoint=hub.url, cache_dir=tmp_path / "cache")


def names(catalog: HubCatalog, **query) -> list[str]:
    return [row.id.removeprefix("org/") for row in catalog.search(ModelQuery(**query))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["small", "medium", "large", "closed", "writer"]),
        ({"task": "summarization"}, ["writer"]),
        ({"text": "LARGE"}, ["large"]),
        ({"licenses": ("mit",)}, ["small", "writer"]),
        ({"licenses": ("mit", "gpl-3.0")}, ["small", "large", "writer"]),
        ({"licenses": ("permissive",)}, ["small", "medium", "writer"]),
        ({"licenses": ("copyleft", "cc-by-nc-4.0")}, ["large", "closed"]),
        ({"min_params": 1_001, "max_params": 20_000}, ["medium", "closed", "writer"]),
        ({"max_params": 19_999}, ["small", "closed", "writer"]),
        ({"languages": ("de",)}, ["small", "medium", "large", "closed", "writer"]),
        ({"languages": ("en", "de")}, ["small", "large", "closed", "writer"]),
        ({"libraries": ("adapters",)}, ["large"]),
        ({"gated": True}, ["closed"]),
        ({"gated": False, "licenses": ("mit", "cc-by-nc-4.0")}, ["small", "writer"]),
        ({"exclude": ("writ", "adapters")}, ["small", "medium", "closed"]),
        ({"updated_after": "2026-01-01", "updated_before": "2026-06-01"}, ["medium", "large"]),
        ({"task": "text-classification", "licenses": ("permissive",), "min_params": 2_000}, ["medium"]),
        ({"sort": "likes", "limit": 2}, ["medium", "closed"]),
        ({"sort": "trending", "limit": 1}, ["medium"]),
        ({"sort": "updated", "limit": 2}, ["writer", "closed"]),
        ({"sort": "size"}, ["small", "closed", "writer", "medium", "large"]),
        ({"sort": "size", "limit": 2}, ["small", "medium"]),
    ],
)
def test_filters_combine_in_one_request(catalog: HubCatalog, hub: HubServer, query, expected):
    assert names(catalog, **query) == expected
    assert len(hub.seen) == 1


def test_rare_licences_that_the_first_page_lacks_are_asked_for_one_by_one(catalog, hub, monkeypatch):
    monkeypatch.setattr("core.catalog.hub.SCAN_ROWS", 2)
    assert names(catalog, licenses=("gpl-3.0", "cc-by-nc-4.0"), limit=2) == ["large", "closed"]
    filters = [parse_qs(seen.query).get("filter") for seen in hub.seen]
    assert filters[0] is None
    assert sorted(filters[1:]) == [["license:cc-by-nc-4.0"], ["license:gpl-3.0"]]


def test_common_licences_are_found_on_the_first_page(catalog, hub, monkeypatch):
    monkeypatch.setattr("core.catalog.hub.SCAN_ROWS", 2)
    assert names(catalog, licenses=("permissive",), limit=2) == ["small", "medium"]
    assert len(hub.seen) == 1


def test_a_search_with_a_limit_asks_for_no_further_page(catalog, hub):
    assert len(names(catalog, limit=3)) == 3
    assert len(hub.requests("/api/models")) == 1


def test_pages_are_followed_where_the_hub_gives_fewer_rows_than_asked(catalog, hub, monkeypatch):
    monkeypatch.setattr(hub, "page_limit", 2)
    assert len(names(catalog, limit=5)) == 5
    assert len(hub.requests("/api/models")) == 3


def test_a_row_carries_its_facts_and_where_they_come_from(catalog):
    row = catalog.search(ModelQuery(text="small"))[0]
    assert (row.source, row.license_class, row.parameters, row.download_bytes) == ("hub", "permissive", 1_000, 4_000)
    assert (row.downloads, row.likes, row.trending) == (50, 1, 1)
    assert row.updated == "2025-01-01T00:00:00+00:00"
    assert (row.languages, row.datasets, row.base_model) == (("en", "de"), ("imdb",), "google/bert")
    assert row.reported[0].value == 0.9
    assert len(row.revision or "") == 40
    assert (row.origins["license"], row.origins["parameters"]) == ("reported", "computed")


def test_what_the_tags_refuse_is_blocked_in_the_list(hub, catalog, tmp_path):
    hub.add(make_checkpoint(tmp_path / "pickle", weights="pytorch_model.bin"), "org/pickle")
    hub.add(make_checkpoint(tmp_path / "remote", config={"auto_map": {"AutoModel": "m.M"}}), "org/remote")
    blocked = {row.id: row.blocked for row in catalog.search(ModelQuery())}
    assert "No safetensors" in (blocked["org/pickle"] or "")
    assert "Remote code" in (blocked["org/remote"] or "")
    assert blocked["org/small"] is None


def test_only_the_token_that_was_given_is_sent(catalog, hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_machine")
    names(catalog)
    HubCatalog(token="hf_test_token", endpoint=hub.url).search(ModelQuery())
    assert [seen.authorization for seen in hub.seen] == [None, "Bearer hf_test_token"]
