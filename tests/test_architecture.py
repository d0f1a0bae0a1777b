"""The import rules of docs/architecture.md, kept."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
CORE = sorted((REPO / "core").rglob("*.py"))
PAGES = [REPO / "streamlit_app.py", *sorted((REPO / "pages").rglob("*.py"))]

DOORS = {
    "streamlit": (),
    "huggingface_hub": ("core/catalog/hub",),
    "datasets": ("core/data/source.py",),
    "torch": ("core/engine/backends/", "core/tasks/"),
    "transformers": ("core/engine/backends/", "core/tasks/"),
    "evaluate": ("core/metrics/module.py",),
    "plotly": ("core/analysis/figures.py", "core/analysis/drawing.py"),
    "sqlalchemy": ("core/store/",),
}
"""Vendor → the only files below core that may import it. A path that ends in / is a folder."""

ORDER = (
    *("records", "errors", "options", "settings", "codec", "registry", "tasks", "metrics", "catalog", "data", "engine"),
    *("store", "jobs", "analysis", "review", "export", "example", "cli", "__main__"),
)
"""Each room may import those before it. Types alone may be named across (`if TYPE_CHECKING`)."""

LINES = {"core": 400, "pages": 120}


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports when it runs, inside functions too; type-checking blocks left out."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _name(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "core" and parts[1] in ORDER else None


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_each_vendor_has_one_door(path: Path) -> None:
    vendors = {module.split(".")[0] for module in _imports(path)} & DOORS.keys()
    wrong = {vendor for vendor in vendors if not _name(path).startswith(tuple(DOORS[vendor]) or ("nowhere",))}
    assert not wrong


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_pages_know_widgets_and_core_only(path: Path) -> None:
    banned = {"torch", "transformers", "datasets", "huggingface_hub", "sqlalchemy"}
    assert not {module.split(".")[0] for module in _imports(path)} & banned


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_arrows_point_one_way(path: Path) -> None:
    own = _room(".".join(path.relative_to(REPO).with_suffix("").parts))
    if own is None or own == "registry":  # the registry names the packages it walks
        return
    upwards = {room for module in _imports(path) if (room := _room(module)) and ORDER.index(room) > ORDER.index(own)}
    assert not upwards


@pytest.mark.parametrize("path", [*CORE, *PAGES], ids=_name)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LINES["pages" if path in PAGES and path.parent.name == "pages" else "core"]


@pytest.mark.parametrize(
    "module", ["core", "core.records", "core.registry", "core.__main__", "pages._ui.frame", "pages._ui.models"]
)
def test_importing_costs_no_runtime(module: str) -> None:
    heavy = {"torch", "transformers", "datasets", "evaluate", "huggingface_hub", "sqlalchemy"}
    code = f"import {module}, sys; print(*({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_records_stand_on_the_standard_library() -> None:
    files = (REPO / "core" / "records").glob("*.py")
    foreign = {module for file in files for module in _imports(file) if not module.startswith("core.records.")}
    assert {module.split(".")[0] for module in foreign} <= set(sys.stdlib_module_names)
