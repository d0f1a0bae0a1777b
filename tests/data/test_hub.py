"""Data sets of the Hub, against a Hub on this machine.

The libraries read HF_ENDPOINT when they are imported, so all cases run in one process with its own environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data import source
from core.data.source import hub_layout, load_table
from core.errors import DatasetMismatch
from core.records import DatasetSpec
from tests.hub_server import TOKEN, HubServer

CHILD = """
import json, sys
from core import registry
from core.data import hub_layout, load_rows, source
from core.errors import UserError
from core.records import DatasetSpec

for line in sys.stdin:
    case = json.loads(line)
    token = case.pop("token", None)
    source.DESCRIBE_SECONDS = case.pop("limit", 60)
    try:
        if case.pop("layout", False):
            answer = {"layout": hub_layout(case["repo"], token)}
        else:
            loaded = load_rows(DatasetSpec(**case), registry.task("text-classification"), token)
            rows, spec = loaded.evalset, loaded.spec
            answer = {"texts": [row["text"] for row in rows.inputs], "references": rows.references,
                      "skipped": len(rows.skipped), "revision": spec.revision, "labels": spec.labels}
    except UserError as error:
        answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    print(json.dumps(answer), flush=True)
"""
CARD = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': ham
          '1': spam
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train.parquet}
  - {split: test, path: data/test.parquet}
---
"""
TWO = """---
configs:
- {config_name: short, data_files: [{split: test, path: short.csv}]}
- {config_name: long, data_files: [{split: test, path: long.csv}, {split: dev, path: long.csv}]}
---
"""
OUTSIDE = """---
configs:
- {config_name: default, data_files: [{split: test, path: OUTSIDE}]}
---
"""
CASES: dict[str, dict[str, Any]] = {
    "split": {"repo": "org/mail", "split": "test"},
    "layout": {"layout": True, "repo": "org/two"},
    "config": {"repo": "org/two", "config": "long", "split": "dev"},
    "only split": {"repo": "org/two", "config": "short"},
    "no split": {"repo": "org/mail"},
    "wrong split": {"repo": "org/mail", "split": "validation"},
    "wrong config": {"repo": "org/two", "config": "medium"},
    "no config": {"repo": "org/two"},
    "script": {"repo": "org/scripted"},
    "outside": {"repo": "org/outside"},
    "unknown": {"repo": "org/none"},
    "gated": {"repo": "org/closed", "split": "test"},
    "gated with token": {"repo": "org/closed", "split": "test", "token": TOKEN},
    "wrong revision": {"repo": "org/mail", "split": "test", "revision": "nothing"},
    "slow": {"repo": "org/slow", "limit": 1},
    "broken server": {"repo": "org/broken", "limit": 1},
}


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _mail(folder: Path) -> Path:
    _write(folder, {"README.md": CARD, "data/none.txt": ""})
    (folder / "data/none.txt").unlink()
    pq.write_table(pa.table({"text": ["x"] * 5, "label": [0] * 5}), folder / "data/train.parquet")
    pq.write_table(pa.table({"text": ["hi", "buy", "?"], "label": [0, 1, -1]}), folder / "data/test.parquet")
    return folder


@pytest.fixture(scope="module")
def hub_and_answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], list[str], str]:
    """What each case gave, the paths that were requested, and the commit of org/mail."""
    root = tmp_path_factory.mktemp("hub")
    secret = root / "secret.csv"
    secret.write_text("text,label\nsecret,1\n")
    with HubServer() as hub:
        mail = hub.add(_mail(root / "mail"), "org/mail", "datasets")
        hub.add(_mail(root / "closed"), "org/closed", "datasets", gated="auto")
        rows = "text,label\nyes,pos\nno,neg\n"
        hub.add(_write(root / "two", {"README.md": TWO, "short.csv": rows, "long.csv": rows}), "org/two", "datasets")
        hub.add(_write(root / "scripted", {"scripted.py": "raise SystemExit"}), "org/scripted", "datasets")
        card = OUTSIDE.replace("OUTSIDE", str(secret))
        hub.add(_write(root / "outside", {"README.md": card, "a.csv": rows}), "org/outside", "datasets")
        for name in ("slow", "broken"):
            hub.add(_mail(root / name), f"org/{name}", "datasets")
        hub.fail("/datasets/org/slow/*", delay=3)
        hub.fail("/datasets/org/broken/*", status=500)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(root / "home"),
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        lines = "".join(json.dumps(case) + "\n" for case in CASES.values())
        child = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=lines,
            env=environment,
            cwd=root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        answers = [json.loads(line) for line in child.stdout.splitlines()]
        return dict(zip(CASES, answers, strict=True)), [seen.path for seen in hub.requests()], mail.sha


@pytest.fixture
def answers(hub_and_answers: tuple[dict[str, dict[str, Any]], list[str], str]) -> dict[str, dict[str, Any]]:
    return hub_and_answers[0]


def test_a_split_is_read_at_its_commit_under_its_class_names(
    hub_and_answers: tuple[dict[str, dict[str, Any]], list[str], str],
) -> None:
    answers, paths, sha = hub_and_answers

    assert answers["split"] == {
        "texts": ["hi", "buy"],
        "references": ["ham", "spam"],
        "skipped": 1,
        "revision": sha,
        "labels": {"0": "ham", "1": "spam"},
    }
    assert not any("train.parquet" in path and "resolve" in path for path in paths)


def test_configurations_and_splits_are_listed(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["layout"] == {"layout": {"short": ["test"], "long": ["test", "dev"]}}
    assert answers["config"]["texts"] == ["yes", "no"]
    assert answers["only split"]["texts"] == ["yes", "no"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no split", ["several splits", "train, test"]),
        ("wrong split", ["'validation'", "train, test"]),
        ("wrong config", ["medium", "short", "long"]),
        ("no config", ["short", "long"]),
        ("script", ["script", "never run"]),
        ("outside", ["don't belong to org/outside"]),
        ("unknown", ["org/none", "doesn't exist"]),
        ("gated", ["gated"]),
        ("wrong revision", ["nothing"]),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_do(
    answers: dict[str, dict[str, Any]], case: str, words: list[str]
) -> None:
    answer = answers[case]

    assert answer["error"] == "DatasetMismatch"
    assert all(word in answer["message"] for word in words), answer
    assert answer["hint"]


@pytest.mark.parametrize("case", ["slow", "broken server"])
def test_a_hub_that_fails_is_told_from_a_data_set_that_is_not_there(
    answers: dict[str, dict[str, Any]], case: str
) -> None:
    assert answers[case]["error"] == "HubUnavailable", answers[case]
    assert "org/" in answers[case]["message"]
    assert "upload" in answers[case]["hint"]


def test_a_gated_data_set_opens_with_a_token(answers: dict[str, dict[str, Any]]) -> None:
    assert "huggingface.co/datasets/org/closed" in answers["gated"]["hint"]
    assert answers["gated with token"]["texts"] == ["hi", "buy"]


@pytest.mark.parametrize(
    "repo",
    [
        "imdb",
        "../secret",
        "a/../b",
        "/etc/passwd",
        "https://example.com/x",
        "a/b/c",
        "a/b.git",
        "hf://datasets/a/b",
        "a b/c",
    ],
)
def test_only_an_owner_and_a_name_are_asked_for(repo: str) -> None:
    with pytest.raises(DatasetMismatch, match="not the id"):
        load_table(DatasetSpec(repo=repo))
    with pytest.raises(DatasetMismatch, match="not the id"):
        hub_layout(repo)


def test_an_id_that_is_also_a_folder_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DatasetMismatch, match="folder here"):
        load_table(DatasetSpec(repo="org/data"))


def test_class_names_are_found_in_lists_and_structures() -> None:
    from datasets import ClassLabel, Features, List, Value

    features = Features(
        {
            "label": ClassLabel(names=["ham", "spam"]),
            "ner_tags": List(ClassLabel(names=["O", "B-PER"])),
            "objects": {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=["cat"]))},
            "answers": {"text": List(Value("string"))},
            "text": Value("string"),
        }
    )

    assert source._label_names(features) == {"label": ("ham", "spam"), "ner_tags": ("O", "B-PER"), "objects": ("cat",)}
