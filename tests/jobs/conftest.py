"""A store of one's own, a runner that is quick to notice, and another worker in the place of the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from core.jobs import keeper, runner, trial
from core.jobs.local import LocalWorker
from core.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats come quickly, so that a cancel or a death is seen at once."""
    monkeypatch.setattr(keeper, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(runner, "DEAD_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(runner, "IDLE_SECONDS", 0.05)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Puts something else in the place of the real worker."""
    return lambda target: monkeypatch.setattr(trial, "LocalWorker", partial(LocalWorker, target=target))
