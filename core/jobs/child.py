"""What a trial's process does before it measures: shut itself in, and make sure that it ends when its runner does."""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

MAX_FILE_BYTES = 256 * 10**6
"""A trial writes its log and nothing else; a library that prints without end stops here."""


def enter(target: Callable[[Connection], None], connection: Connection, lifeline: Connection, folder: str) -> None:
    """Run `target` as leader of its own session, in an empty folder, its output in the log beside it.

    Args:
        target: What to run.
        connection: Its way to talk to the runner.
        lifeline: Closes when the runner is gone, however it went.
        folder: Holds `log` and the empty `work`.
    """
    threading.Thread(target=_end_with, args=(lifeline, folder), daemon=True).start()
    if hasattr(os, "setsid"):
        os.setsid()
    _redirect(Path(folder, "log"))
    _limit()
    work = str(Path(folder, "work"))
    os.chdir(work)
    os.environ["TMPDIR"] = work
    target(connection)


def _redirect(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    # The fork server's streams may be wrapped by whatever started the runner.
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1, errors="replace")
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="replace")
    faulthandler.enable(sys.stderr)


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only the soft limit: what writes weights on purpose (an export) may lift it.
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, hard))


def _end_with(lifeline: Connection, folder: str) -> None:
    """Wait for the runner's end, in a read that costs the measurement nothing; then leave no trace."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
