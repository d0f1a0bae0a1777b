"""`run`, `report` and `export`: exit codes, what is on stdout, and that the same question has the same answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cli.results import find_run
from core.export.predictions import answers
from tests.cli.conftest import candidate

ANY = object()
BOUNDS = {"value": ANY, "low": ANY, "high": ANY}
LATENCY = dict.fromkeys(("calls", "mean", "p50", "p90", "p95", "p99", "p50_low", "p50_high"), ANY)
TRIAL = {
    **dict.fromkeys(("trial", "model", "revision", "error", "load_seconds", "meets_limits", "limit_violations"), ANY),
    **{"device": "cpu", "dtype": "float32", "backend": "torch", "status": "done", "rows": 24},
    "metrics": {"accuracy": BOUNDS, "f1": BOUNDS},
    "latency_ms": {"1": LATENCY},
    "throughput": {"rows_per_second": ANY, "tokens_per_second": ANY},
    "memory_mb": {"peak": ANY, "model": ANY},
    "environment": dict.fromkeys(("cpu", "gpu", "torch", "transformers", "threads"), ANY),
}
PAIR = dict.fromkeys(("a", "b", "metric", "difference", "low", "high", "p", "p_holm"), ANY)
DOCUMENT = {
    **dict.fromkeys(("run", "plan_hash", "ranking", "tied_with_best", "winner", "winner_reason"), ANY),
    **{"status": "done", "task": "text-classification"},
    "dataset": {"id": "rows-24.csv", "revision": ANY, "rows": 24, "skipped": []},
    "trials": [TRIAL, TRIAL],
    "pairs": [PAIR],
}
"""The document that programs rely on; fields may be added."""


def differences(found, wanted, where="") -> list[str]:
    """Where `found` lacks a field of `wanted`, or has another value than the one named there."""
    if isinstance(wanted, dict):
        missing = [f"{where}.{key}" for key in wanted.keys() - found.keys()]
        return missing + [
            one
            for key in wanted.keys() & found.keys()
            for one in differences(found[key], wanted[key], f"{where}.{key}")
        ]
    if isinstance(wanted, list):
        parts = [one for inner in zip(found, wanted, strict=False) for one in differences(*inner, f"{where}[]")]
        return parts + ([f"{where} has {len(found)}"] if len(found) != len(wanted) else [])
    return [] if wanted is ANY or found == wanted else [f"{where}: {found!r}"]


def predictions(run: str) -> list[dict[int, str]]:
    return [answers(outcome) for outcome in find_run(run).outcomes]


def test_run_prints_one_document_with_every_documented_field(cli, plan, saved):
    two = [candidate(saved("distilbert")), candidate(saved("bert"))]
    said = cli("run", plan(candidates=two, metrics=["accuracy", "f1"]), "--json")
    assert said.code == 0
    assert differences(said.document, DOCUMENT) == []
    assert sorted(said.document["ranking"]) == sorted(trial["trial"] for trial in said.document["trials"])
    assert said.document["winner"] in said.document["tied_with_best"]
    assert said.document["trials"][0]["latency_ms"]["1"]["p95"] is None  # three calls say nothing about it
    assert "NaN" not in said.out
    assert "[2/2] bert: done, 24 rows" in said.err
    again = cli("report", "latest", "--format", "json")
    assert again.document == said.document


def test_rows_that_were_cut_are_told_once_for_all_models(cli, plan, rows, saved, tmp_path):
    path, lines = tmp_path / "long.csv", rows().read_text().splitlines()
    cells = lines[5].split(",")
    lines[5] = ",".join([cells[0], "w1 " * 600, cells[2]])
    path.write_text("\n".join(lines))
    two = [candidate(saved("distilbert")), candidate(saved("bert"))]
    said = cli("run", plan(candidates=two, dataset={"path": str(path)}))
    told = " ".join(said.out.split())
    assert told.count("note: 1 of 24 rows was too long for the model, which reads at most 48 tokens, and was cut.") == 1


def test_run_prints_the_ranking_for_people(cli, plan):
    said = cli("run", plan())
    assert said.code == 0
    assert "★" in said.out
    assert "accuracy" in said.out
    assert "note: Column 'text' is taken for 'text'" in said.err


def test_a_failed_trial_is_a_row_and_the_others_end_well(cli, plan, saved, checkpoint):
    broken = checkpoint("wider", dim=64, hidden_dim=96)
    planned = plan(candidates=[candidate(broken), candidate(saved("distilbert"))])
    said = cli("run", planned, "--json")
    assert said.code == 1
    failed, done = said.document["trials"]
    assert (failed["status"], failed["error"]["kind"]) == ("failed", "load")
    assert failed["metrics"]["accuracy"]["value"] is None
    assert done["status"] == "done"
    assert said.document["winner"] == done["trial"]
    shown = cli("run", planned)
    assert shown.code == 1
    assert f"wider: load: {failed['error']['message']}" in shown.out


def test_what_was_measured_is_not_measured_again_unless_asked(cli, plan):
    path = plan()
    first, second = cli("run", path, "--json").document, cli("run", path, "--json").document
    assert second == first
    fresh = cli("run", path, "--json", "--fresh").document
    assert fresh["trials"][0]["trial"] != first["trials"][0]["trial"]
    assert fresh["plan_hash"] == first["plan_hash"]
    assert fresh["trials"][0]["metrics"] == first["trials"][0]["metrics"]


def test_a_candidate_named_twice_stays_two_trials_when_measured_afresh(cli, plan, saved):
    path = plan(candidates=2 * [candidate(saved("distilbert"))])
    trials = [trial["trial"] for flag in ((), ("--fresh",)) for trial in _trials(cli("run", path, "--json", *flag))]
    assert len(set(trials)) == 4


def _trials(said):
    return said.document["trials"]


def test_answers_do_not_depend_on_the_batch_size(cli, plan, rows):
    runs = []
    for size in (1, 8, 64):
        path = plan(dataset={"path": str(rows(100))}, quality={"batch_size": size}, latency={"batch_sizes": []})
        runs.append(cli("run", path, "--json", "--fresh").document["run"])
    assert len(set(runs)) == 3
    one, eight, many = map(predictions, runs)
    assert len(set(one[0].values())) == 3
    assert one == eight == many


def test_the_exported_plan_measures_the_same_trial(cli, plan, rows, tmp_path, monkeypatch):
    drawn = {"path": str(rows()), "sample": {"size": 10, "seed": 3}}
    first = cli("run", plan(dataset=drawn), "--json").document
    answered = predictions("latest")
    exported = cli("export", first["run"][:6], "--out", tmp_path / "out")
    assert exported.code == 0
    assert {Path(line) for line in exported.out.splitlines()} == set((tmp_path / "out").iterdir())
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "elsewhere"))
    again = cli("run", tmp_path / "out" / "plan.yaml", "--json").document
    assert [trial["trial"] for trial in again["trials"]] == [trial["trial"] for trial in first["trials"]]
    assert again["trials"][0]["metrics"] == first["trials"][0]["metrics"]
    assert predictions("latest") == answered


def test_export_takes_a_trial_and_formats(cli, plan, saved, tmp_path):
    planned = plan(candidates=[candidate(saved("distilbert")), candidate(saved("bert"))])
    document = cli("run", planned, "--json").document
    loser = document["ranking"][-1]
    out = tmp_path / "out"
    assert cli("export", "latest", "--trial", loser[:8], "--format", "json", "--out", out).code == 0
    assert [path.name for path in out.iterdir()] == ["report.json"]
    assert "did you mean" in cli("export", "latest", "--trial", f"{loser}x", "--out", out).error.casefold()
    assert "'jsn'" in cli("export", "latest", "--format", "jsn", "--out", out).error


@pytest.mark.parametrize("format", ["json", "html", "md", "csv"])
def test_report_prints_each_format(cli, plan, format):
    cli("run", plan())
    said = cli("report", "latest", "--format", format)
    assert (said.code, said.err) == (0, "")
    assert "distilbert" in said.out


def test_a_run_that_is_not_there_is_named(cli, plan):
    assert "nothing has been run yet" in cli("report", "latest").error
    cli("run", plan())
    assert "Unknown run 'nope'" in cli("report", "nope").error


def test_a_run_without_a_winner_asks_for_a_trial(cli, plan):
    document = cli("run", plan(limits={"min_accuracy": 1.0}), "--json").document
    assert document["winner"] is None
    assert document["trials"][0]["meets_limits"] is False
    assert "--trial" in cli("report", "latest").error
    assert cli("report", "latest", "--trial", document["trials"][0]["trial"]).code == 0
