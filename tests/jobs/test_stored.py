"""Predictions made elsewhere as trials of a run: joined with its rows, scored, and compared with a model's."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.analysis import views
from core.analysis.answer import shipped
from core.analysis.live import live
from core.analysis.ranking import choose
from core.analysis.report import report
from core.analysis.summary import analyse
from core.catalog import stored
from core.engine import plan as plans
from core.engine.estimate import estimate
from core.engine.prepare import prepare
from core.errors import ModelNotFound, UserError
from core.export import bundle
from core.jobs.runner import Runner
from core.metrics.module import module_name
from core.records import DatasetSpec, Limits, Plan, PlanCandidate, Protocol, Sample, Variant
from core.store import Store
from tests.conftest import REPO

TICKETS = REPO / "samples/data/tickets.csv"
MODEL = "helpdesk-lab/ticket-router-bert-tiny"
QUICK = Protocol(latency_batch_sizes=(1,), min_calls=5, min_seconds=0.01, warmup=1, timeout_seconds=120)


HALF = """
import datasets
import evaluate


class Half(evaluate.Metric):
    def _info(self):
        features = {name: datasets.Value("int32") for name in ("predictions", "references")}
        return evaluate.MetricInfo(description="", citation="", features=datasets.Features(features))

    def _compute(self, predictions, references):
        return {"toy_half": sum(p != r for p, r in zip(predictions, references)) / len(references) / 2}
"""


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.close()


def rows() -> list[dict[str, str]]:
    with TICKETS.open(newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, answers: Sequence[str | None]) -> PlanCandidate:
    path.write_text("".join(f"{json.dumps({'prediction': answer})}\n" for answer in answers))
    return PlanCandidate(str(path), stored.SOURCE)


def plan(*candidates: PlanCandidate, size: int = 60, **more: Any) -> Plan:
    dataset = DatasetSpec(path=str(TICKETS), sample=Sample(size))
    variants = (Variant(threads=1), Variant(dtype="bfloat16", threads=1))
    return Plan(
        "text-classification",
        dataset,
        candidates,
        variants,
        ("accuracy", "f1"),
        {},
        QUICK,
        **{"limits": Limits(), **more},
    )


def test_predictions_for_every_row_of_the_file_are_scored_on_the_drawn_ones(store, tmp_path):
    answers = [row["label"] if number % 4 else "billing" for number, row in enumerate(rows())]
    prepared = prepare(plan(written(tmp_path / "theirs.jsonl", answers)))
    assert [spec.variant for spec in prepared.specs] == [stored.VARIANT]  # one trial, whatever the variants
    assert estimate(prepared).seconds_high == 0
    run = store.submit(prepared)
    assert Runner(store).work(run) == 1
    outcome = store.run(run).outcomes[0]
    assert (outcome.status, outcome.rows_done, outcome.latency, outcome.load_seconds) == ("done", 60, (), None)
    assert (dict(outcome.memory_mb), outcome.notes) == ({}, ())
    evalset = store.run(run).evalset
    right = sum(answers[row] == label for row, label in zip(evalset.positions, evalset.references, strict=True))
    analysis = analyse(store.run(run))
    assert analysis.trials[0].scores["accuracy"].value == pytest.approx(right / 60)


def test_missing_and_unknown_ids_are_noted_and_count_as_wrong(store, tmp_path):
    path = tmp_path / "some.csv"
    lines = [f"{row['id']},{row['label']}" for number, row in enumerate(rows()) if number % 2] + ["x9,billing"]
    path.write_text("id,prediction\n" + "\n".join(lines) + "\n")
    run = store.submit(prepare(plan(PlanCandidate(str(path), stored.SOURCE))))
    Runner(store).work(run)
    result = store.run(run)
    even = sum(row % 2 == 0 for row in result.evalset.positions)
    assert f"Rows without a prediction: {even} of 60; they count as wrong." in result.outcomes[0].notes
    assert any("were not drawn" in note for note in result.outcomes[0].notes)
    assert analyse(result).trials[0].scores["accuracy"].value == pytest.approx(1 - even / 60)


def test_what_cannot_be_joined_is_a_failed_row_that_stops_no_other(store, tmp_path):
    good = written(tmp_path / "good.jsonl", [row["label"] for row in rows()])
    bad = written(tmp_path / "bad.jsonl", ["nonsense"] * len(rows()))
    run = store.submit(prepare(plan(bad, good)))
    Runner(store).work(run)
    failed, done = store.run(run).outcomes
    assert failed.failure is not None
    assert (failed.status, failed.failure.kind, done.status) == ("failed", "data", "done")
    assert "No prediction is a label of the data" in failed.failure.message
    assert len(report(store.run(run))["trials"]) == 2


def test_a_label_in_the_words_of_the_file_is_mapped_by_the_plan(store, tmp_path):
    names = sorted({row["label"] for row in rows()})
    numbers = written(tmp_path / "numbers.jsonl", [str(names.index(row["label"])) for row in rows()])
    mapped = PlanCandidate(
        numbers.model, stored.SOURCE, labels={str(number): name for number, name in enumerate(names)}
    )
    run = store.submit(prepare(plan(mapped)))
    Runner(store).work(run)
    assert analyse(store.run(run)).trials[0].scores["accuracy"].value == 1.0


def test_beside_a_model_nothing_is_made_up_for_what_was_not_measured(store, tmp_path):
    best = written(tmp_path / "best.jsonl", [row["label"] for row in rows()])
    limits = Limits(latency_p95_ms=1e6, memory_mb=1e6, licenses=("mit", "apache-2.0"))
    plain = plan(PlanCandidate(MODEL, "samples"), best, size=30, limits=limits)
    run = store.submit(prepare(plain))
    Runner(store).work(run)
    result = store.run(run)
    document = report(result)
    live, theirs = document["trials"][0], document["trials"][-1]
    assert theirs["name"] == "best.jsonl"
    assert (theirs["device"], theirs["dtype"], theirs["backend"]) == (None, None, "predictions")
    assert theirs["latency_ms"] == {}
    assert theirs["memory_mb"] == {"peak": None, "model": None}
    assert theirs["throughput"]["rows_per_second"] is None
    assert live["error"] is None, live["error"]
    assert live["latency_ms"]["1"]["p50"] > 0
    assert theirs["meets_limits"]
    assert {"p95 latency not measured", "memory not known", "licence not known"} <= set(theirs["limits_unknown"])
    analysis = analyse(result)
    ranking = choose(analysis)
    plane = views.quality_latency(analysis, ranking)
    assert plane.missing == ("best.jsonl",)
    assert theirs["trial"] not in {point.trial for point in plane.points}
    views.leaderboard(analysis, ranking)
    assert views.by_device(analysis) == []
    trial = next(one for one in result.outcomes if one.trial == theirs["trial"])
    assert shipped(trial.spec.source, trial.spec.model, trial.spec.variant) == (
        "best.jsonl",
        ", predictions made elsewhere",
    )


def test_of_stored_predictions_everything_is_exported_but_a_program(store, tmp_path):
    run = store.submit(prepare(plan(written(tmp_path / "theirs.jsonl", [row["label"] for row in rows()]))))
    Runner(store).work(run)
    result = store.run(run)
    trial = result.outcomes[0].trial
    with pytest.raises(UserError, match="there is no model to run"):
        registry.format("script").render(result, trial)
    names = set(zipfile.ZipFile(BytesIO(bundle.bundle(result, trial))).namelist())
    others = {one.filename for one in registry.formats().values()} - {"predict.py"}
    assert names == others
    assert {path.name for path in bundle.write(result, trial, tmp_path / "out")} == others
    html = registry.format("html").render(result, trial).decode()
    assert "theirs.jsonl, predictions made elsewhere" in html


def test_a_local_module_scores_the_trials_of_a_run(store, tmp_path):
    folder = tmp_path / "toy_half"
    folder.mkdir()
    (folder / "toy_half.py").write_text(HALF)
    names = [row["label"] for row in rows()]
    plain = plan(written(tmp_path / "good.jsonl", names), written(tmp_path / "bad.jsonl", ["billing"] * len(names)))
    name = module_name(str(folder), higher_is_better=False)
    run = store.submit(prepare(replace(plain, metrics=("accuracy", name))))
    Runner(store).work(run)
    result = store.run(run)
    good, bad = report(result)["trials"]
    right = bad["metrics"]["accuracy"]["value"]
    assert good["metrics"][name]["value"] == 0.0
    assert bad["metrics"][name]["value"] == pytest.approx((1 - right) / 2)
    assert bad["metrics"][name]["low"] < bad["metrics"][name]["value"] < bad["metrics"][name]["high"]
    assert registry.format("html").render(result, good["trial"])
    run = store.submit(prepare(replace(plain, metrics=(name,))))
    Runner(store).work(run)
    document = report(store.run(run))
    assert document["winner"] == document["trials"][0]["trial"]
    assert document["pairs"][0]["p"] < 0.05
    assert [row.trial for row in live(store.run(run))] == [trial["trial"] for trial in document["trials"]]


def test_the_plan_names_the_file_pinned_by_its_content_and_comes_back_from_yaml(tmp_path):
    written(tmp_path / "theirs.jsonl", [row["label"] for row in rows()])
    data = {
        "task": "text-classification",
        "dataset": {"path": str(TICKETS)},
        "candidates": [{"model": "theirs.jsonl", "source": "predictions"}],
    }
    parsed = plans.parse(data, base=tmp_path)
    assert parsed.candidates[0].model == str(tmp_path / "theirs.jsonl")
    pinned = prepare(parsed).plan
    assert len(pinned.candidates[0].revision or "") == 64
    (tmp_path / "plan.yaml").write_text(plans.to_yaml(pinned))
    assert plans.read(tmp_path / "plan.yaml") == pinned
    written(tmp_path / "theirs.jsonl", ["billing"] * 3)
    with pytest.raises(ModelNotFound, match="have changed"):
        prepare(pinned)


def test_a_file_that_is_not_there_blocks_its_candidate_alone(tmp_path):
    good = written(tmp_path / "good.jsonl", [row["label"] for row in rows()])
    prepared = prepare(plan(PlanCandidate(str(tmp_path / "gone.csv"), stored.SOURCE), good), strict=False)
    assert len(prepared.specs) == len(prepared.blocked) == 1
    assert "cannot be read" in prepared.blocked[0].failure.message
