"""Runners as processes of this machine."""

from __future__ import annotations

import socket

from core.store import RunnerInfo


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def runner_id(pid: int) -> str:
    """The id of the runner in the process `pid` of this machine."""
    return f"{host()}-{pid}"


def is_running(runner: RunnerInfo) -> bool:
    """Whether the runner is a process of this machine that has not ended."""
    import psutil

    if runner.host != host():
        return False
    try:
        return bool(psutil.Process(runner.pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
