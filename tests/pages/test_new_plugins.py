"""A task and a metric that were dropped in as files stand on the pages like the others."""

import dataclasses

from tests.analysis.factory import make_run
from tests.pages.seed import fill
from tests.test_plugins import METRIC, TASK
from tests.test_registry import folder

__all__ = ["folder"]


def test_find_offers_the_new_task(folder, store, open_page):
    (folder / "toy_task.py").write_text(TASK)
    (folder / "toy_metric.py").write_text(METRIC)
    selection = store.create_selection("forum", "moderation")
    page = open_page("1_find", selection=selection.id)
    assert not page.exception
    (tasks,) = (one for one in page.selectbox if one.label == "Task")
    assert "Moderation of comments" in tasks.options


def test_benchmark_offers_the_new_metric_and_compare_shows_its_score(folder, store, open_page):
    (folder / "toy_task.py").write_text(TASK)
    (folder / "toy_metric.py").write_text(METRIC)
    made = make_run(2, 60, task="moderation")
    started = store.create_selection("forum", "moderation")
    store.save_evalset(made.evalset)
    for outcome in made.outcomes:
        store.add_candidate(started.id, outcome.candidate)
    store.save_selection(dataclasses.replace(started, dataset=made.plan.dataset, evalset=made.evalset.id))
    page = open_page("3_benchmark", selection=started.id)
    assert not page.exception
    (metrics,) = (one for one in page.multiselect if one.label.startswith("Metrics"))
    assert {"Caution", "Accuracy", "F1"} <= set(metrics.options)
    assert metrics.value == ["caution", "accuracy"]
    finished, _ = fill(store, made)
    page = open_page("4_compare", selection=finished.id)
    assert not page.exception
    assert "Caution" in {metric.label for metric in page.metric}
