from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.analysis.live import live
from core.catalog import open_catalog
from core.data import load
from core.engine import environment, yaml_text
from core.engine import plan as plans
from core.example import data_sets
from core.records import Candidate, Failure, RunResult, Selection, Variant
from core.registry import task
from core.store import Store
from tests.analysis.factory import make_run
from tests.pages.seed import fill

NAMED = "helpdesk-lab/ticket-router-bert-tiny"
NUMBERED = "helpdesk-lab/ticket-router-bert-nano"
BLOCKED = "attic-ml/ticket-router-legacy"
Page = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture(autouse=True)
def runners(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Asked for, but not started: a runner outlives its test."""
    asked: list[str] = []
    monkeypatch.setattr(jobs, "ensure_runner", lambda store: asked.append(store.url))
    return asked


@pytest.fixture
def selection(store: Store) -> Selection:
    """Three bundled models and forty bundled rows."""
    catalog = open_catalog("samples")
    created = store.create_selection("router", "text-classification")
    for model in (NAMED, NUMBERED, BLOCKED):
        store.add_candidate(created.id, catalog.describe(model))
    spec = data_sets("text-classification")[0]
    assert spec.sample is not None
    small = dataclasses.replace(spec, sample=dataclasses.replace(spec.sample, size=40))
    spec, evalset = load(small, task("text-classification"))
    store.save_evalset(evalset)
    chosen = dataclasses.replace(created, dataset=spec, evalset=evalset.id)
    store.save_selection(chosen)
    return chosen


def drawn(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0].message
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    return drawn(page.run())


def ticks(page: AppTest, model: str) -> dict[str, AppTest]:
    return {box.label: box for box in page.checkbox if f"_{model}_" in str(box.key)}


def start(page: AppTest, store: Store, selection: Selection) -> RunResult:
    press(page, "next_step")
    run = store.latest_run(selection.id)
    assert run is not None
    return store.run(run)


def unfinished(run: RunResult, index: int, **changes: object) -> RunResult:
    outcomes = list(run.outcomes)
    state = {"status": "queued", "chunks": (), "latency": (), "rows_done": 0, "failure": None}
    outcomes[index] = dataclasses.replace(outcomes[index], **{**state, **changes})  # type: ignore[arg-type]
    return dataclasses.replace(run, outcomes=tuple(outcomes))


def test_without_models_the_page_leads_to_find(store: Store, open_page: Page, words: Words) -> None:
    page = drawn(open_page("3_benchmark", selection=store.create_selection("new", "text-classification").id))
    assert "Nothing to measure yet" in words(page)
    assert [button.label for button in page.button] == ["Find models"]


def test_without_rows_the_page_leads_to_data(store: Store, open_page: Page, words: Words) -> None:
    selection = store.create_selection("new", "text-classification")
    store.add_candidate(selection.id, Candidate("samples", NAMED))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert "Which rows?" in words(page)
    assert [button.label for button in page.button] == ["Choose the rows"]


def test_the_grid_says_what_can_run_and_why_the_rest_cannot(
    open_page: Page, words: Words, selection: Selection
) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert ticks(page, NAMED)["CPU fp32"].value is True
    assert ticks(page, NAMED)["CPU bf16"].value is False
    assert all(box.disabled for box in ticks(page, BLOCKED).values())
    assert "No safetensors weights" in words(page)
    assert all(box.disabled for box in ticks(page, NUMBERED).values())
    assert "No label of this model stands for 'account'" in words(page)
    assert page.button(key="to_labels").label == "Match labels"
    assert "**1 trial** on 40 rows" in words(page)


def test_the_estimate_follows_the_ticks(open_page: Page, words: Words, selection: Selection) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    ticks(page, NAMED)["CPU bf16"].set_value(True)
    assert "**2 trials** on 40 rows" in words(drawn(page.run()))
    for box in ticks(page, NAMED).values():
        if not box.disabled:  # a runtime that is not installed
            box.set_value(False)
    drawn(page.run())
    assert "Tick at least one model." in words(page)
    assert page.button(key="next_step").disabled


def test_a_race_is_a_choice_where_the_metric_has_one(open_page: Page, selection: Selection, store: Store) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    [rows] = [box for box in page.radio if box.label == "Rows"]
    assert (rows.options, rows.value) == (["Full", "Race"], "Full")
    metrics = next(box for box in page.multiselect if box.label.startswith("Metrics"))
    metrics.set_value(["f1", "accuracy"])
    drawn(page.run())
    assert page.radio[0].disabled
    metrics = next(box for box in page.multiselect if box.label.startswith("Metrics"))
    metrics.set_value(["accuracy", "f1"])
    drawn(page.run()).radio[0].set_value("Race")
    run = start(drawn(page.run()), store, selection)
    assert run.plan.protocol.race
    assert {one.spec.race for one in run.outcomes} != {""}


def test_what_a_race_will_take_is_told_from_the_least_to_the_most(
    open_page: Page, words: Words, selection: Selection, store: Store
) -> None:
    store.add_candidate(selection.id, open_catalog("samples").describe("helpdesk-lab/ticket-router-bert-mini"))
    spec, evalset = load(dataclasses.replace(data_sets("text-classification")[0]), task("text-classification"))
    store.save_evalset(evalset)
    store.save_selection(dataclasses.replace(selection, dataset=spec, evalset=evalset.id))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    told = "The least if the race is decided after its first 256 rows"
    assert told not in words(page)
    metrics = next(box for box in page.multiselect if box.label.startswith("Metrics"))
    metrics.set_value(["accuracy"])
    drawn(page.run()).radio[0].set_value("Race")
    assert told in words(drawn(page.run()))


def test_the_server_scenario_is_measured_where_a_bound_is_given(
    open_page: Page, selection: Selection, store: Store
) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    bound = next(box for box in page.number_input if box.label.startswith("Server"))
    assert (bound.value, bound.max) == (None, 3000)
    bound.set_value(80.0)
    run = start(drawn(page.run()), store, selection)
    assert run.plan.protocol.server_p99_ms == 80
    assert "server: {p99_ms: 80}" in plans.to_yaml(run.plan)


def test_what_is_started_is_what_a_plan_file_would_say(
    open_page: Page, selection: Selection, store: Store, runners: list[str]
) -> None:
    labels = dict(zip((f"LABEL_{i}" for i in range(6)), store.evalset(str(selection.evalset)).labels, strict=True))
    store.save_selection(dataclasses.replace(selection, labels={NUMBERED: labels}))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    ticks(page, NUMBERED)["CPU bf16"].set_value(True)
    next(box for box in page.multiselect if box.label.startswith("Metrics")).set_value(["f1", "accuracy"])
    next(box for box in page.selectbox if box.label == "Average").set_value("micro")
    next(box for box in page.number_input if box.label == "p95 latency, ms").set_value(50.0)
    next(box for box in page.text_input if box.label == "Parameters").set_value("2M")
    run = start(drawn(page.run()), store, selection)

    assert plans.parse(yaml_text.load(plans.to_yaml(run.plan))) == run.plan
    assert [(one.model, one.source) for one in run.plan.candidates] == [(NAMED, "samples"), (NUMBERED, "samples")]
    assert run.plan.candidates[1].labels == labels
    assert run.plan.candidates[0].variants == (Variant(),)
    assert run.plan.variants == (Variant(), Variant(dtype="bfloat16"))
    assert run.plan.metrics == ("f1", "accuracy")
    assert run.plan.options["f1_average"] == "micro"
    assert (run.plan.limits.latency_p95_ms, run.plan.limits.params) == (50.0, 2_000_000)
    assert store.selection(selection.id).limits == run.plan.limits
    assert [one.spec.variant.dtype for one in run.outcomes] == ["float32", "float32", "bfloat16"]
    assert {one.status for one in run.outcomes} == {"queued"}
    assert runners


def test_a_setting_that_does_not_suit_the_labels_is_told_before_anything_runs(
    open_page: Page, words: Words, selection: Selection
) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    next(box for box in page.selectbox if box.label == "Average").set_value("binary")
    drawn(page.run())
    assert "positive is None" in words(page)
    assert page.button(key="next_step").disabled
    next(box for box in page.selectbox if box.label == "Positive").set_value("refund")
    drawn(page.run())
    assert not page.button(key="next_step").disabled


def test_a_size_that_is_none_is_told(open_page: Page, words: Words, selection: Selection) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    next(box for box in page.text_input if box.label == "Parameters").set_value("huge")
    assert "'huge' is not a number of parameters" in words(drawn(page.run()))


def test_coming_back_shows_the_run_and_starting_again_changes_nothing(
    open_page: Page, words: Words, selection: Selection, store: Store
) -> None:
    run = start(drawn(open_page("3_benchmark", selection=selection.id)), store, selection)
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert "0 of 1 trials have ended" in words(page)
    again = drawn(open_page("3_benchmark", selection=selection.id, view="plan"))
    assert start(again, store, selection).id == run.id
    assert len(store.runs(selection.id)) == 1


def test_measuring_again_makes_new_trials(open_page: Page, selection: Selection, store: Store) -> None:
    start(drawn(open_page("3_benchmark", selection=selection.id)), store, selection)
    page = drawn(open_page("3_benchmark", selection=selection.id, view="plan"))
    page.toggle[0].set_value(True)
    press(drawn(page.run()), "next_step")
    runs = [store.run(info.id) for info in store.runs(selection.id)]
    assert sorted(run.outcomes[0].spec.repeat for run in runs) == [0, 1]


def test_a_finished_run_leads_to_compare(
    open_page: Page, words: Words, store: Store, gone_to: list[str], runners: list[str]
) -> None:
    selection, run = fill(store, make_run(3))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert "Done" in words(page)
    table = page.dataframe[0].value
    assert list(table["Trial"]) == [row.name for row in live(store.run(run))]
    assert list(table["Rows"]) == [1.0, 1.0, 1.0]
    assert page.button(key="next_step").label == "Compare"
    assert "pause" not in {button.key for button in page.button}
    assert not runners
    press(page, "next_step")
    assert gone_to == ["4_compare.py"]


def test_a_running_run_is_paused_resumed_and_cancelled(
    open_page: Page, words: Words, store: Store, runners: list[str]
) -> None:
    selection, run = fill(store, unfinished(make_run(3), 2))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert "2 of 3 trials have ended" in words(page)
    assert "left" in words(page)
    assert list(page.dataframe[0].value["Action"].fillna("")) == ["", "", "Stop"]
    assert runners

    page = press(page, "pause")
    assert store.progress(run).status == "paused"
    page = press(page, "resume")
    assert store.progress(run).status == "running"
    page = press(page, "cancel")
    assert [one.status for one in store.progress(run).outcomes] == ["done", "done", "cancelled"]
    assert page.button(key="next_step").label == "Compare"


def test_a_failed_trial_says_what_to_do_and_shows_its_log(open_page: Page, words: Words, store: Store) -> None:
    selection, _ = fill(store, make_run(2, failed=1))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert ":red[1 failed]" in words(page)
    assert "The weights are cut short" in page.expander[0].label
    assert "Fetch the model again." in words(page)
    assert "Traceback" in words(page)
    assert list(page.dataframe[0].value["Action"])[2] == "Try again"


def test_a_click_in_the_table_stops_a_trial_or_tries_it_again(open_page: Page, store: Store) -> None:
    selection, run = fill(store, unfinished(make_run(3, failed=1), 1))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    page.session_state[f"act_{run}"] = {"row": 1, "label": "Stop"}
    drawn(page.run())
    assert store.progress(run).outcomes[1].status == "cancelled"
    page.session_state[f"act_{run}"] = {"row": 3, "label": "Try again"}
    drawn(page.run())
    assert store.progress(run).outcomes[3].status == "queued"


def test_without_a_single_result_the_plan_is_the_next_step(
    open_page: Page, words: Words, store: Store, selection: Selection
) -> None:
    run = start(drawn(open_page("3_benchmark", selection=selection.id)), store, selection)
    claim = store.claim("test", run_id=run.id)
    assert claim is not None
    store.fail(claim.trial, Failure("load", "The file is gone.", "Fetch it again."))
    page = drawn(open_page("3_benchmark", selection=selection.id))
    assert "No trial gave a result" in words(page)
    page = press(page, "replan")
    assert page.button(key="next_step").label == "Start"


def test_a_runtime_that_is_not_installed_is_greyed_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, open_page: Page, selection: Selection
) -> None:
    installed = environment.version
    monkeypatch.setattr(environment, "version", lambda name: None if name == "openvino" else installed(name))
    page = open_page("3_benchmark", selection=selection.id)
    boxes = [box for box in page.checkbox if "OpenVINO" in str(box.label)]
    assert boxes
    assert all(box.disabled for box in boxes)
    assert any("pip install openvino==" in str(box.help) for box in boxes)


def test_another_runtime_is_planned_beside_the_usual_one(
    open_page: Page, selection: Selection, store: Store, runners: list[str]
) -> None:
    page = drawn(open_page("3_benchmark", selection=selection.id))
    ticks(page, NAMED)["torch.compile fp32"].set_value(True)
    run = start(drawn(page.run()), store, selection)
    assert run.plan.variants == (Variant(), Variant(backend="torch-compile"))
