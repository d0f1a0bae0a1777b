"""A plug-in is a file: drop it into the package and it is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import core.metrics
import core.tasks
from core import registry
from core.errors import UnknownName
from core.metrics.scoring import values

TASK = """
from core.tasks.base import Column, TaskSample

class Shouting:
    name = "shouting"
    title = "Shouting"
    tags = ("shouting",)
    columns = (
        Column("text", "input", "text", "Text", ("text",)),
        Column("shout", "reference", "texts", "Shout", ("shout",)),
    )
    default_metrics = ("loudness",)
    samples = (TaskSample(({"text": "hey"},), ("HEY",)),)

TASK = Shouting()
"""

METRIC = """
import numpy as np

from core.metrics.base import Summed

class Loudness(Summed):
    name = "loudness"
    title = "Loudness"
    kinds = ("texts",)
    higher_is_better = True

    def rows(self, predictions, references, labels, options):
        return np.array([[one["answer"].isupper(), 1] for one in predictions], dtype=np.int8).reshape(-1, 2)

    def value(self, totals, labels, options):
        return totals[..., 0] / totals[..., 1]

METRIC = Loudness()
"""


def forget() -> None:
    registry._collect.cache_clear()
    registry.metrics.cache_clear()


def metric_names() -> set[str]:
    return {metric.name for metric in registry.metrics()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files count as part of `core.tasks` and `core.metrics`."""
    for package in (core.tasks, core.metrics):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    known = set(sys.modules)
    forget()
    yield tmp_path
    forget()
    for name in set(sys.modules) - known:
        if name.startswith(("core.tasks.toy", "core.metrics.toy")):
            del sys.modules[name]
            delattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2])


def test_a_task_and_a_metric_in_one_new_file_each_are_found(folder: Path) -> None:
    (folder / "toy_task.py").write_text(TASK)
    (folder / "toy_metric.py").write_text(METRIC)
    task = registry.task("shouting")
    assert next(iter(registry.metrics_of(task))) == "loudness"
    assert values(task, ["loudness"], {}, (), [{"answer": "HEY"}, {"answer": "hm"}], ["HEY", "HM"]) == {"loudness": 0.5}


def test_a_metric_in_one_new_file_is_offered_for_every_task_with_such_references(folder: Path) -> None:
    (folder / "toy_metric.py").write_text(METRIC)
    assert "loudness" in registry.metrics_of(registry.task("summarization"))
    assert "loudness" not in registry.metrics_of(registry.task("text-classification"))


def test_one_file_can_bring_several_plugins(folder: Path) -> None:
    quieter = METRIC.replace("METRIC = Loudness()", "class Quiet(Loudness):\n    name = 'quiet'\n")
    (folder / "toy_metrics.py").write_text(quieter + "METRIC = (Loudness(), Quiet())\n")
    assert {"loudness", "quiet"} <= metric_names()


def test_two_metrics_of_one_name_may_score_different_kinds(folder: Path) -> None:
    (folder / "toy_one.py").write_text(METRIC)
    (folder / "toy_two.py").write_text(METRIC.replace('("texts",)', '("label",)'))
    assert len([metric for metric in registry.metrics() if metric.name == "loudness"]) == 2


def test_two_metrics_of_one_name_and_kind_are_a_bug_that_names_the_file(folder: Path) -> None:
    (folder / "toy_one.py").write_text(METRIC)
    (folder / "toy_two.py").write_text(METRIC)
    with pytest.raises(RuntimeError, match=r"core\.metrics\.toy_two.*'loudness'"):
        registry.metrics()


def test_a_file_without_the_constant_is_no_plugin(folder: Path) -> None:
    before = metric_names()
    forget()
    (folder / "toy_helpers.py").write_text("ANSWER = 42\n")
    assert metric_names() == before


@pytest.mark.parametrize(
    ("look_up", "name", "nearest"),
    [
        (registry.task, "text-clasification", "text-classification"),
        (lambda name: registry.metric(name, registry.task("summarization")), "rogueL", "rougeL"),
        (registry.backend, "troch", "torch"),
        (registry.format, "jsn", "json"),
    ],
)
def test_a_misspelt_name_brings_the_one_that_was_meant(look_up, name: str, nearest: str) -> None:
    with pytest.raises(UnknownName) as caught:
        look_up(name)
    assert caught.value.nearest == nearest


@pytest.mark.parametrize("found", [registry.tasks, registry.backends, registry.formats])
def test_every_plugin_stands_under_its_own_name(found) -> None:
    assert found()
    assert all(plugin.name == name for name, plugin in found().items())
