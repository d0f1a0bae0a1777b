"""Fixtures for all tests: no network, an own home, and the larger real data where it lies beside the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hub_server import HubServer

# Set before any library reads them at import: no test may leave this machine.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own, empty SHORTLIST_HOME for every test, and no token or database of the person who runs it."""
    for name in ("SHORTLIST_DATABASE_URL", "SHORTLIST_MODELS", "SHORTLIST_MAX_DOWNLOAD", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    monkeypatch.setenv("SHORTLIST_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with larger real data and models beside the repository; tests that want it skip where it is not."""
    folder = REPO.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the real data beside the repository")
    return folder


@pytest.fixture(scope="session")
def hub_server() -> Iterator[HubServer]:
    from tests.hub_server import HubServer

    with HubServer() as server:
        yield server


@pytest.fixture
def hub(hub_server: HubServer) -> HubServer:
    """A running Hugging Face Hub on this machine, without repositories or faults; see `tests/hub_server.py`."""
    hub_server.repos.clear()
    hub_server.reset()
    return hub_server
