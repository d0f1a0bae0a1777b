"""The Hub's faults as the command line tells them, against a Hub on this machine."""

from __future__ import annotations

import functools
import shutil

import pytest

import core.catalog
from core.catalog import HubCatalog
from tests.cli.conftest import candidate
from tests.export.measured import LABELS
from tests.hub_server import TOKEN, HubServer


@pytest.fixture
def at_hub(hub, saved, tmp_path, monkeypatch):
    """The Hub of the tests with one classifier, asked in this process."""
    hub.add(saved("distilbert"), "org/tiny")
    ask(monkeypatch, tmp_path, hub)
    return hub


def ask(monkeypatch, tmp_path, hub, timeout=10.0):
    here = functools.partial(HubCatalog, endpoint=hub.url, cache_dir=tmp_path / "cache", timeout=timeout)
    monkeypatch.setattr(core.catalog, "HubCatalog", here)


def on_hub(**more):
    return [{"model": "org/tiny", "labels": LABELS, **more}]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"model": "org/missing"}, "no model 'org/missing'"),
        ({"model": "org/tiny", "revision": "v9"}, "'org/tiny' has no revision 'v9'"),
    ],
)
def test_an_unknown_model_and_an_unknown_revision_are_told_apart(cli, plan, at_hub, line, error):
    assert error in cli("run", plan(candidates=[line])).error


def test_a_gated_model_says_where_to_accept(cli, plan, at_hub, checkpoint, monkeypatch):
    at_hub.add(checkpoint("closed", card={"extra_gated_prompt": "Agree."}), "org/closed")
    planned = plan(candidates=[{"model": "org/closed", "labels": LABELS}])
    assert f"{at_hub.url}/org/closed" in cli("run", planned).error
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert cli("run", planned).code == 0


@pytest.mark.parametrize(
    ("fault", "error", "hint"),
    [
        ({"status": 429, "headers": {"Retry-After": "120"}}, "too many requests", "120 seconds"),
        ({"status": 500}, "HTTP 500", "samples"),
        ({"status": 401}, "HTTP 401", "HF_TOKEN"),
    ],
)
def test_a_hub_that_refuses_is_told_in_words_and_at_once(cli, plan, at_hub, fault, error, hint):
    at_hub.fail("*", **fault)
    for said in (cli("run", plan(candidates=on_hub())), cli("search", "--task", "text-classification", "--json")):
        message, advice = said.error.split("\n", 1)
        assert error in message
        assert hint in advice


def test_a_slow_hub_is_given_up(cli, tmp_path, monkeypatch):
    with HubServer() as hub:
        hub.fail("*", delay=30)
        ask(monkeypatch, tmp_path, hub, timeout=0.3)
        assert "did not answer within" in cli("search", "--task", "text-classification").error


def test_weights_that_break_off_or_do_not_fit_the_disk_are_a_failed_row_and_can_be_tried_again(
    cli, plan, at_hub, saved, monkeypatch
):
    planned = plan(candidates=[*on_hub(), candidate(saved("distilbert"))])
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
        said = cli("run", planned, "--json")
    assert said.code == 1
    failed, done = said.document["trials"]
    assert (failed["status"], failed["error"]["kind"], done["status"]) == ("failed", "load", "done")
    assert "free" in failed["error"]["message"]
    again = cli("run", planned, "--json")
    assert again.code == 0
    assert again.document["trials"][1] == done
    assert again.document["trials"][0]["metrics"] == done["metrics"]


def test_weights_that_are_damaged_on_the_hub_are_a_failed_row(cli, plan, at_hub, checkpoint):
    folder = checkpoint("damaged")
    (folder / "model.safetensors").write_bytes(b"\xff" * 5000)
    at_hub.add(folder, "org/damaged")
    said = cli("run", plan(candidates=[*on_hub(), {"model": "org/damaged", "labels": LABELS}]), "--json")
    assert said.code == 1
    done, failed = said.document["trials"]
    assert (done["status"], failed["status"], failed["error"]["kind"]) == ("done", "failed", "load")


def test_a_process_finds_and_measures_a_model_of_the_hub_it_is_pointed_to(process, plan, hub, saved):
    hub.add(saved("distilbert"), "org/tiny", pipeline_tag="text-classification")
    there = {"HF_ENDPOINT": hub.url}
    search = process("search", "--task", "text-classification", "--json", **there)
    run = process("run", plan(candidates=on_hub()), "--json", **there)
    found, _ = search.communicate(timeout=120)
    assert search.returncode == 0
    assert '"id": "org/tiny"' in found
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert f'"revision": "{hub.repos["models", "org/tiny"].sha}"' in out


def test_a_process_says_that_the_hub_is_down(process, plan):
    said = process("run", plan(candidates=on_hub()), "--json", HF_ENDPOINT="http://127.0.0.1:9")
    out, err = said.communicate(timeout=120)
    assert (said.returncode, out) == (2, "")
    assert "error: The Hub at http://127.0.0.1:9 cannot be reached" in err
    assert "Traceback" not in err
