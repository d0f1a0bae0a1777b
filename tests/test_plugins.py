"""A new task and a new metric are one file each: the command line and the pages have them at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

TASK = """
from core.tasks.text_classification import TextClassification


class Moderation(TextClassification):
    name = "moderation"
    title = "Moderation of comments"
    tags = ("text-classification",)
    default_metrics = ("caution", "accuracy")


TASK = Moderation()
"""

METRIC = '''
import numpy as np

from core.metrics.base import Summed, ratio


class Caution(Summed):
    """How often the answer is the last label."""

    name = "caution"
    title = "Caution"
    kinds = ("label",)
    higher_is_better = True

    def rows(self, predictions, references, labels, options):
        return np.array([[one["answer"] == labels[-1], 1] for one in predictions], dtype=np.int8).reshape(-1, 2)

    def value(self, totals, labels, options):
        return ratio(totals[..., 0], totals[..., 1])


METRIC = Caution()
'''

PLAN = """
task: moderation
dataset: {path: samples/data/tickets.csv, sample: {size: 20}}
candidates:
  - {model: MODEL, source: samples}
latency: {batch_sizes: [1], min_calls: 2, min_seconds: 0.01, warmup: 1}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the program with the two new files, and nothing else changed."""
    shutil.copytree(REPO / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "samples").symlink_to(REPO / "samples", target_is_directory=True)
    (tmp_path / "core" / "tasks" / "moderation.py").write_text(TASK)
    (tmp_path / "core" / "metrics" / "caution.py").write_text(METRIC)
    return tmp_path


def call(checkout: Path, *arguments: str) -> dict:
    """What a command of that copy prints as JSON."""
    environment = {**os.environ, "SHORTLIST_HOME": str(checkout / "home"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "core", *arguments, "--json"]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_command_line_runs_a_new_task_with_a_new_metric(checkout: Path) -> None:
    found = call(checkout, "search", "--task", "moderation", "--source", "samples")
    model = next(one["id"] for one in found if one["id"] == "helpdesk-lab/ticket-router-bert-tiny")
    (checkout / "plan.yaml").write_text(PLAN.replace("MODEL", model))
    document = call(checkout, "run", "plan.yaml")
    assert document["task"] == "moderation"
    assert document["headline"] == "caution"
    (trial,) = document["trials"]
    assert trial["status"] == "done"
    assert set(trial["metrics"]) == {"caution", "accuracy"}
    assert 0 <= trial["metrics"]["caution"]["low"] <= trial["metrics"]["caution"]["high"] <= 1


def test_the_command_line_scores_a_new_task_without_a_model(checkout: Path) -> None:
    for name, labels in (("said", "b b a b"), ("gold", "a b a b")):
        lines = (json.dumps({"label": label}) + "\n" for label in labels.split())
        (checkout / f"{name}.jsonl").write_text("".join(lines))
    files = ("--predictions", "said.jsonl", "--references", "gold.jsonl", "--columns", "prediction=label")
    found = call(checkout, "score", "--task", "moderation", *files)["metrics"]
    assert found["caution"]["value"] == found["accuracy"]["value"] == 0.75
