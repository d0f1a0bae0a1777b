"""Starts processes that hold no secrets, and ends them with all they started.

On Linux they come from a fork server that has torch and transformers imported, elsewhere they are started afresh.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from core.engine import worker
from core.jobs import child

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

KEPT_NAMES = {
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "LD_LIBRARY_PATH",
    "SYSTEMROOT",
    "VIRTUAL_ENV",
}
KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "PYTORCH_", "OMP_", "MKL_", "KMP_")
SET_NAMES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_SAFETENSORS_CONVERSION": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "passive",
}

_environment_lock = threading.Lock()


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a trial's process gets of the runner's environment: what it is known to need, so that no secret slips in."""
    kept = {name: value for name, value in environment.items() if name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)}
    root = Path(__file__).resolve().parents[2]
    return {**kept, **SET_NAMES, "PYTHONPATH": str(root)}


@contextmanager
def started(target: Callable[[Connection], None], place: str) -> Iterator[tuple[BaseProcess, Connection]]:
    """The process and the way to talk to it. At the end it is gone, with all it may have started.

    Args:
        target: What the process runs, with its end of the connection.
        place: A folder of its own, with an empty `work` in it; its output goes to `log` there.
    """
    context = _context()
    connection, its_connection = context.Pipe()
    its_lifeline, lifeline = context.Pipe(duplex=False)
    process = context.Process(target=child.enter, args=(target, its_connection, its_lifeline, place), daemon=True)
    try:
        with _scrubbed_environment():
            process.start()
        its_connection.close()
        its_lifeline.close()
        yield process, connection
    finally:
        _end(process)
        for end in (connection, its_connection, lifeline, its_lifeline):
            end.close()


@cache
def _context() -> ForkServerContext | SpawnContext:
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.jobs.child", *worker.PRELOAD])
    return context


@contextmanager
def _scrubbed_environment() -> Iterator[None]:
    """Multiprocessing hands the whole environment on and offers no other way to choose it."""
    with _environment_lock:
        kept = dict(os.environ)
        try:
            _replace_environment(child_environment(kept))
            yield
        finally:
            _replace_environment(kept)


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _end(process: BaseProcess) -> None:
    if process.pid is None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError, AttributeError):
        process.kill()  # gone, or not yet the leader of its group
    process.join(10)
