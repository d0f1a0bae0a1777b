"""Who runs trials: runners, started by hand (`python -m core runner`) or by whoever finds none alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core import settings

if TYPE_CHECKING:
    from core.store import Store

_started: list[subprocess.Popen[bytes]] = []
"""Kept, so that an ended runner is collected and not left as a zombie."""


def ensure_runner(store: Store) -> bool:
    """Start a runner in the background where none of this machine is alive; whether one was started.

    It outlives the caller; its output is in `logs/runner.log` under the home folder.
    """
    from filelock import FileLock

    from core.jobs.processes import host, runner_id

    if _is_served(store):
        return False
    logs = settings.home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.home() / "starting.lock"):
        if _is_served(store):
            return False
        process = _start(store.url, logs / "runner.log")
        # In its name, so that nobody starts a second one while it loads.
        store.beat(runner_id(process.pid), host(), process.pid)
    return True


def _is_served(store: Store) -> bool:
    from core.jobs.processes import is_running

    return any(is_running(runner) for runner in store.live_runners())


def _start(url: str, log: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "SHORTLIST_DATABASE_URL": url, "PYTHONPATH": str(root)}
    for process in _started:
        process.poll()
    with log.open("ab") as output:
        # -P: a folder `core` where the user stands is not this one.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core", "runner"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
    _started.append(process)
    return process
