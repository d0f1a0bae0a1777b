"""docs/tasks.md: every plan in it runs as it stands, on the rows beside it; only the model is a tiny one."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.data import load_rows
from core.engine import plan as plans
from core.engine.events import Done, Event, Latency, Rows
from core.engine.prepare import Prepared, prepare
from core.engine.worker import Job, run_trial
from core.engine.yaml_text import load
from core.metrics.scoring import values
from core.records import Plan
from core.tasks.base import Task
from tests.conftest import REPO
from tests.tasks import tiny

TEXT = (REPO / "docs" / "tasks.md").read_text(encoding="utf-8")
MEDIA = REPO / "samples" / "media"
QUICK: dict[str, Any] = {
    "latency_batch_sizes": (1,),
    "min_calls": 2,
    "min_seconds": 0.0,
    "max_seconds": 5.0,
    "warmup": 1,
}


@dataclass(frozen=True)
class Section:
    """What the document says of a task."""

    text: str
    files: dict[str, str]
    plan: str


def sections() -> dict[str, Section]:
    """Name of a task → its section."""
    found = {}
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        if name := re.match(r".*\(`([\w-]+)`\)\n", part):
            blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", part, flags=re.MULTILINE | re.DOTALL)
            files = {file: body for _, file, body in blocks if file}
            plan = next(body for language, file, body in blocks if language == "yaml" and not file)
            found[name[1]] = Section(part, files, plan)
    return found


every_task = pytest.mark.parametrize("task", registry.tasks().values(), ids=registry.tasks())


@pytest.fixture
def section(task: Task) -> Section:
    """The task's part of the document."""
    assert task.name in sections(), f"docs/tasks.md has no section with (`{task.name}`) in its heading"
    return sections()[task.name]


@every_task
def test_every_metric_and_option_is_named(task: Task, section: Section) -> None:
    for name in (*registry.metrics_of(task), *task.options):
        assert f"`{name}`" in section.text, f"{task.name} does not say {name}"


@every_task
def test_its_plan_runs_on_its_rows(task: Task, section: Section, tmp_path: Path) -> None:
    prepared = _prepared(task, section, tmp_path)
    events: list[Event] = []
    (spec,) = prepared.specs
    evalset = prepared.evalset
    folder = prepared.plan.candidates[0].model
    run_trial(Job(spec, folder, evalset.inputs, evalset.labels), events.append, lambda: None)
    assert isinstance(events[-1], Done)
    assert any(isinstance(event, Latency) for event in events)
    said = {
        position: prediction
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    }
    assert sorted(said) == list(range(len(evalset.ids)))
    predictions = [said[row] for row in sorted(said)]
    found = values(task, spec.metrics, spec.options, evalset.labels, predictions, evalset.references)
    assert found
    assert all(isinstance(value, float) for value in found.values()), found


def _prepared(task: Task, section: Section, folder: Path) -> Prepared:
    """The plan with its rows on disk and one tiny model in place of those it names."""
    for name, content in section.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    shutil.copytree(MEDIA, folder / "media")
    plan = plans.parse(load(section.plan), folder)
    assert plan.task == task.name
    assert all(candidate.model.count("/") == 1 for candidate in plan.candidates)
    model = tiny.architectures()[task.name]
    built = next(iter(model.values()))()
    built.model.save_pretrained(folder / "model")
    for part in _parts(built.processor):
        part.save_pretrained(folder / "model")
    return prepare(_with_model(plan, task, built, folder))


def _parts(processor: Any) -> list[Any]:
    """A processor that is saved as it is, or those that it is made of."""
    if hasattr(processor, "save_pretrained"):
        return [processor]
    return [part for part in vars(processor).values() if hasattr(part, "save_pretrained")]


def _with_model(plan: Plan, task: Task, built: tiny.Tiny, folder: Path) -> Plan:
    """One candidate, the tiny model; its labels stand for those of the rows, whatever they are called."""
    labels = {}
    if task.labelled:
        wanted, known = (
            task.wanted_labels(load_rows(plan.dataset, task).evalset.labels),
            task.known_labels(built.labels),
        )
        assert len(known) >= len(wanted), f"the rows of {task.name} have more labels than a tiny model: {wanted}"
        free = [label for label in known if label not in wanted]
        labels = {label if label in known else free.pop(): label for label in wanted}
    candidate = replace(plan.candidates[0], model=str(folder / "model"), revision=None, labels=labels)
    return replace(plan, candidates=(candidate,), protocol=replace(plan.protocol, **QUICK))
