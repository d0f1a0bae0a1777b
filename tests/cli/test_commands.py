"""`search`, `demo`, `doctor`, `runner`, `start`, and what the parser takes."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import yaml

import core.catalog
import core.example
from core import settings
from core.catalog import HubStatus
from core.cli.parser import build_parser
from core.store import Store
from tests.conftest import REPO

FIELDS = {"source", "id", "revision", "task", "license", "license_class", "parameters", "download_bytes", "blocked"}


def test_search_prints_one_list_of_candidates(cli):
    said = cli("search", "--task", "text-classification", "--source", "samples", "--sort", "size", "--json")
    assert (said.code, said.err) == (0, "")
    found = said.document
    assert len(found) >= 5
    assert all(candidate.keys() >= FIELDS for candidate in found)
    sizes = [candidate["parameters"] for candidate in found if candidate["parameters"]]
    assert sizes in (sorted(sizes), sorted(sizes, reverse=True))


def test_search_keeps_to_its_filters(cli):
    call = ("search", "--task", "text-classification", "--source", "samples", "--json")
    everything = cli(*call).document
    small = cli(*call, "--max-params", "500K", "--license", "permissive").document
    expected = [
        one["id"]
        for one in everything
        if one["license_class"] == "permissive" and (one["parameters"] or 10**9) <= 500_000
    ]
    assert 0 < len(small) < len(everything)
    assert sorted(one["id"] for one in small) == sorted(expected)
    assert len(cli(*call, "--limit", "2").document) == 2


def test_search_shows_people_a_table(cli):
    said = cli("search", "--task", "text-classification", "--source", "samples")
    assert said.code == 0
    assert "parameters" in said.out
    assert "in the bundled samples" in said.out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--task", "text-clasification"), "'text-clasification'"),
        (("--task", "text-classification", "--source", "/nowhere"), "'/nowhere'"),
        (("--task", "text-classification", "--source", "samples", "--max-params", "many"), "'many'"),
    ],
)
def test_search_refuses_what_it_does_not_understand(cli, arguments, error):
    assert error in cli("search", *arguments).error


def test_demo_goes_the_whole_way_on_the_bundled_samples(cli, tmp_path, monkeypatch):
    plan = yaml.safe_load(core.example.PLAN.read_text())
    plan["candidates"] = plan["candidates"][:2]
    plan["dataset"] |= {"path": str(REPO / "samples/data/tickets.csv"), "sample": {"size": 40}}
    plan |= {"latency": {"batch_sizes": [1], "min_calls": 3, "min_seconds": 0.01}, "limits": {}}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(plan))
    monkeypatch.setattr(core.example, "PLAN", tmp_path / "short.yaml")
    said = cli("demo", "--out", tmp_path / "winner")
    assert said.code == 0, said.err
    for step in ("1 Find", "2 Benchmark", "3 Compare", "4 Export", "★"):
        assert step in said.out
    assert (tmp_path / "winner" / "plan.yaml").is_file()
    assert cli("run", tmp_path / "winner" / "plan.yaml").code == 0


def test_the_bundled_plan_can_be_prepared(home):
    store = Store()
    run = store.progress(core.example.submit_example(store))
    selection = store.selections()[0]
    assert selection.example
    assert [one.status for one in run.outcomes] == ["queued"] * len(run.outcomes)
    assert len(store.shortlist(selection.id)) == len(run.plan.candidates) >= 5
    store.close()


def test_doctor_tells_what_this_machine_has_and_no_secret(cli, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(core.catalog, "hub_status", lambda: HubStatus(False, "https://hub", "not asked"))
    said = cli("doctor", "--json")
    assert said.code == 0
    assert said.document.keys() >= {"cpu", "torch", "devices", "home", "database", "hub", "token", "cache"}
    assert said.document["token"] == "set"
    assert "hf_secret" not in said.out + said.err
    assert cli("doctor").code == 0


def test_runner_ends_when_nothing_is_queued(cli):
    assert cli("runner", "--until-idle").code == 0


def test_start_says_that_its_port_is_taken(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port}" in cli("start", "--port", port).error


@pytest.mark.parametrize("arguments", [[], ["serch"], ["run"], ["run", "a.yaml", "--jsn"], ["search"]])
def test_a_wrong_command_exits_with_2_and_its_usage(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args(arguments)
    assert left.value.code == 2
    assert "usage: python -m core" in capsys.readouterr().err


def test_every_command_explains_itself(capsys):
    for command in ("search", "run", "report", "score", "export", "runner", "demo", "doctor", "start"):
        with pytest.raises(SystemExit) as left:
            build_parser().parse_args([command, "--help"])
        assert left.value.code == 0
        assert f"usage: python -m core {command}" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m core search --task text-classification --source samples --json | head -1"
    done = subprocess.run(command, shell=True, cwd=REPO, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_a_bug_keeps_its_traceback(cli, monkeypatch):
    monkeypatch.setattr(settings, "hub_token", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("search", "--task", "text-classification", "--source", "samples")
