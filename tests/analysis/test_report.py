import json
from dataclasses import replace

import pytest

from core import registry
from core.analysis.cost import ENERGY
from core.analysis.report import report
from core.records import Limits
from tests.analysis.factory import CPU, GPU, make_run

TRIAL = {"trial", "model", "revision", "device", "dtype", "backend", "status", "error", "rows", "metrics", "latency_ms",
         "throughput", "memory_mb", "load_seconds", "meets_limits", "limit_violations", "environment"}  # fmt: skip
LATENCY = {"calls", "mean", "p50", "p90", "p95", "p99", "p50_low", "p50_high"}


@pytest.fixture(scope="module")
def document():
    return report(make_run(3, 150, variants=(CPU, GPU), failed=1, limits=Limits(memory_mb=150)))


def test_it_has_every_field_of_the_contract(document):
    assert {"run", "status", "plan_hash", "task", "dataset", "trials", "ranking", "tied_with_best", "winner",
            "winner_reason", "pairs"} <= document.keys()  # fmt: skip
    assert {"id", "revision", "rows", "skipped"} <= document["dataset"].keys()
    for trial in document["trials"]:
        assert trial.keys() >= TRIAL
        assert trial["throughput"].keys() >= {"rows_per_second", "tokens_per_second"}
        assert trial["memory_mb"].keys() >= {"peak", "model"}
        assert trial["environment"].keys() >= {"cpu", "gpu", "torch", "transformers", "threads"}
        assert all(latency.keys() >= LATENCY for latency in trial["latency_ms"].values())
        assert all(score.keys() >= {"value", "low", "high"} for score in trial["metrics"].values())
    for pair in document["pairs"]:
        assert pair.keys() >= {"a", "b", "metric", "difference", "low", "high", "p", "p_holm"}


def test_it_is_strict_json(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_numbers_that_do_not_exist_are_null(document):
    failed = document["trials"][-1]
    assert failed["status"] == "failed"
    assert failed["error"]["kind"] == "load"
    assert failed["metrics"]["accuracy"]["value"] is None
    assert failed["latency_ms"] == {}
    assert failed["meets_limits"] is failed["load_seconds"] is failed["memory_mb"]["peak"] is None
    assert failed["throughput"]["rows_per_second"] is failed["throughput"]["tokens_per_second"] is None
    assert document["trials"][0]["latency_ms"]["1"]["p99"] is None


def test_energy_is_null_where_the_machine_does_not_tell_and_per_row_where_it_does(document):
    assert document["trials"][0]["energy"] == dict.fromkeys(("joules", "joules_per_row", "sources", "counted"))
    run = make_run(1, 50)
    told = {**run.outcomes[0].environment, "energy_joules": 12.5, "energy_rows": 50, "energy_sources": "NVML"}
    trial = report(replace(run, outcomes=(replace(run.outcomes[0], environment=told),)))["trials"][0]
    assert trial["energy"] == {"joules": 12.5, "joules_per_row": 0.25, "sources": "NVML", "counted": ENERGY}


def test_metrics_equal_those_of_the_answers():
    run = make_run(2, 120, classes=3)
    for trial, outcome in zip(report(run)["trials"], run.outcomes, strict=True):
        answers = {
            row: one["answer"] for c in outcome.chunks for row, one in zip(c.positions, c.predictions, strict=True)
        }
        right = sum(answers[row] == reference for row, reference in enumerate(run.evalset.references))
        assert trial["metrics"]["accuracy"]["value"] == pytest.approx(right / 120)
        assert trial["rows"] == 120


def test_ranking_winner_and_pairs_name_trials_of_the_run(document):
    ids = {trial["trial"] for trial in document["trials"]}
    assert set(document["ranking"]) == ids
    assert document["winner"] == document["ranking"][0] == document["tied_with_best"][0]
    assert {pair["b"] for pair in document["pairs"]} | {document["pairs"][0]["a"]} <= ids
    limits = {trial["trial"]: trial for trial in document["trials"]}
    assert limits[document["winner"]]["meets_limits"] is True
    assert all(bool(t["limit_violations"]) != t["meets_limits"] for t in document["trials"] if t["status"] == "done")


def test_throughput_of_the_quality_pass():
    run = make_run(1, 100)
    speed = report(run)["trials"][0]["throughput"]
    assert speed["rows_per_second"] == pytest.approx(500)
    assert speed["tokens_per_second"] == pytest.approx(7000)


def test_chunks_in_any_order_and_size_give_the_same_report():
    run = make_run(2, 100)
    turned = replace(run, outcomes=tuple(replace(one, chunks=one.chunks[::-1]) for one in run.outcomes))
    assert report(turned) == report(run)


def test_a_run_that_has_only_begun_has_a_report():
    run = make_run(1, 80)
    waiting = replace(run.outcomes[0], status="queued", chunks=(), latency=(), memory_mb={}, load_seconds=None)
    document = report(replace(run, outcomes=(waiting,)))
    assert document["status"] == "queued"
    assert document["winner"] is None
    assert document["winner_reason"] == "No trial has a result yet."


def test_generated_texts_are_reported_like_labels():
    run = make_run(2, 40, task="summarization")
    document = report(run)
    assert list(document["trials"][0]["metrics"]) == list(registry.task("summarization").default_metrics)
    assert document["headline"] == document["pairs"][0]["metric"]


def test_one_row_has_wide_intervals_and_no_opinion():
    document = report(make_run(2, 1, accuracies=(0.0, 1.0)))
    score = document["trials"][1]["metrics"]["accuracy"]
    assert score["high"] - score["low"] > 0.7
    assert len(document["tied_with_best"]) == 2
