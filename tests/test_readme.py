"""What the README and the documents say is so: commands, plan, settings, files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core import settings
from core.cli.parser import build_parser
from core.engine.plan import parse
from tests.conftest import REPO

README = (REPO / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (REPO / "docs" / "architecture.md").read_text(encoding="utf-8")
MAKEFILE = (REPO / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


LINES = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
COMMANDS = [words for words in LINES if words]
CORE = [words[3:] for words in COMMANDS if words[:3] == [".venv/bin/python", "-m", "core"]]


def until_redirection(words: list[str]) -> list[str]:
    return words[: words.index(">")] if ">" in words else words


def test_every_command_is_a_make_target_or_one_of_ours():
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))
    made = {words[1] for words in COMMANDS if words[0] == "make"}
    assert {"run", "test", "demo"} <= made <= targets
    assert len(CORE) + sum(words[0] == "make" for words in COMMANDS) == len(COMMANDS)
    assert len(CORE) >= 5


@pytest.mark.parametrize("words", CORE, ids=" ".join)
def test_every_command_line_can_be_parsed(words):
    build_parser().parse_args(until_redirection(words))


@pytest.mark.parametrize("words", [words for words in CORE if words[0] in ("search", "doctor")], ids=" ".join)
def test_what_needs_no_run_runs(words, hub):
    asked = {**os.environ, "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-m", "core", *until_redirection(words)]
    done = subprocess.run(command, cwd=REPO, env=asked, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_plan_is_a_plan(tmp_path):
    [text] = blocks("yaml")
    plan = parse(yaml.safe_load(text), base=tmp_path)
    assert len(plan.candidates) == 2
    assert plan.limits.latency_p95_ms == 50


def test_every_setting_has_its_line_and_every_line_its_setting():
    table = README.split("## Settings", 1)[1].split("\n\nMore:", 1)[0]
    named = set(re.findall(r"`(SHORTLIST_\w+)`", table))
    source = Path(settings.__file__).read_text(encoding="utf-8")
    assert named == set(re.findall(r'environ\.get\("(SHORTLIST_\w+)"', source))
    assert str(settings.MAX_DOWNLOAD_BYTES) in table


def test_only_settings_are_read_from_the_environment_under_our_name():
    readers = [
        path.relative_to(REPO).as_posix()
        for path in (REPO / "core").rglob("*.py")
        if re.search(r'(environ\.get\(|environ\[|getenv\()"SHORTLIST_', path.read_text(encoding="utf-8"))
    ]
    assert readers == ["core/settings.py"]


def test_every_link_and_picture_is_there():
    local = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert [link for link in local if not (REPO / link).exists()] == []


def test_the_architecture_names_existing_files_only():
    names = re.findall(r"`([\w./*-]+\.(?:py|md|yaml|toml))`", ARCHITECTURE)
    assert len(names) > 20
    assert [name for name in names if not known(name)] == []


def known(name: str) -> bool:
    """A path from the root, or the name of a file in some room."""
    if name in ("plan.yaml",):  # what an export holds
        return True
    return any(REPO.glob(name)) or any(REPO.glob(f"core/**/{name}"))
