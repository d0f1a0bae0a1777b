"""The command line as a person has it: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.__main__ import main
from core.jobs import keeper, runner
from tests.conftest import REPO
from tests.export.measured import LABELS, save
from tests.tasks.tiny import texts

QUICK = {"batch_sizes": [1], "min_calls": 3, "min_seconds": 0.001, "warmup": 1}


@dataclass(frozen=True)
class Said:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that stdout is."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The `error:` and `hint:` lines of a command that the user can put right; nothing else may be said."""
        assert (self.code, self.out) == (2, "")
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        return "\n".join(lines)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command as a process of its own."""
    started = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "core", *map(str, arguments)],
                cwd=REPO,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for one in started:
        with one:  # closes its pipes and waits for its end
            one.kill()


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner's death is seen at once."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(keeper, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(runner, "DEAD_AFTER_SECONDS", 1.0)
    monkeypatch.setattr(runner, "IDLE_SECONDS", 0.05)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny model of an architecture, made once."""
    root = tmp_path_factory.mktemp("tiny")

    def folder(architecture: str) -> Path:
        return root / architecture if (root / architecture).is_dir() else save(architecture, root / architecture)

    return folder


@pytest.fixture
def checkpoint(saved: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of a tiny model to spoil: `config` changes its configuration, `card` is its card's front matter."""

    def make(name: str, architecture: str = "distilbert", card: dict[str, Any] | None = None, **config: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(saved(architecture), folder)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        if card:
            (folder / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
        return folder

    return make


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """A file of labelled rows."""

    def write(count: int = 24) -> Path:
        names = list(LABELS.values())
        with (tmp_path / f"rows-{count}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["id", "text", "label"])
            table.writerows([f"r{row}", text, names[row % 3]] for row, text in enumerate(texts(count)))
        return tmp_path / f"rows-{count}.csv"

    return write


@pytest.fixture
def plan(saved: Callable[[str], Path], rows: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A plan file: 24 rows and one tiny classifier, but for what the arguments say. None takes a key away."""

    def write(name: str = "plan.yaml", **changes: Any) -> Path:
        sections = {
            "task": "text-classification",
            "dataset": {"path": str(rows())},
            "candidates": [candidate(saved("distilbert"))],
            "latency": QUICK,
        }
        path = tmp_path / name
        merged = {key: value for key, value in (sections | changes).items() if value is not None}
        path.write_text(yaml.safe_dump(merged, sort_keys=False))
        return path

    return write


def candidate(folder: Path) -> dict[str, Any]:
    """A line under `candidates:` for a tiny classifier."""
    return {"model": str(folder), "labels": LABELS}
