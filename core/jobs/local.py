"""Runs one trial in a process of its own on this machine: no secrets, limited memory and time, killed as a group.

On Linux the process comes from a fork server that has torch and transformers imported, elsewhere it is started afresh.
From the process come JSON documents only; nothing it says is unpickled.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from core import codec
from core.engine import worker
from core.engine.events import Done, Event, Failed, Stage, from_json
from core.errors import Interrupted
from core.jobs import child
from core.records import EvalSet, Failure

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

    from core.store import Claim

POLL_SECONDS = 0.25
MAX_MESSAGE_BYTES = 256 * 10**6
SHARE_OF_FREE_MEMORY = 0.9
MB = 1_000_000

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


def execute(
    claim: Claim,
    evalset: EvalSet,
    folder: Path,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
    target: Callable[[Connection], None] = worker.child_main,
) -> Failure | None:
    """Run a trial to its end.

    Args:
        claim: The trial.
        evalset: Its rows.
        folder: Local folder of the checkpoint.
        on_event: Called in this thread with each event but the last; whatever it raises ends the process.
        should_stop: Asked a few times per second.
        target: What the process runs; it gets the job and answers with events over the connection.

    Returns:
        Why there is no result, or None where the trial went well.

    Raises:
        Interrupted: `should_stop` said so.
    """
    job = worker.Job(claim.spec, str(folder), evalset.inputs, evalset.labels, tuple(sorted(claim.done)))
    protocol = claim.spec.protocol
    with tempfile.TemporaryDirectory(prefix="shortlist-", ignore_cleanup_errors=True) as place:
        Path(place, "work").mkdir()
        with _started(target, place) as (process, connection):
            limits = _Limits(process, protocol.memory_mb, protocol.timeout_seconds)
            failure = _talk(process, connection, codec.dumps(job).encode(), on_event, should_stop, limits)
        if failure is not None and not failure.log_tail:
            failure = _with_log(failure, Path(place, "log"))
        return failure


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a trial's process gets of the runner's environment: what it is known to need, so that no secret slips in."""
    kept = {name: value for name, value in environment.items() if name in KEPT_NAMES or name.startswith(KEPT_PREFIXES)}
    root = Path(__file__).resolve().parents[2]
    return {**kept, **SET_NAMES, "PYTHONPATH": str(root)}


class _Limits:
    """Memory and time of one process."""

    def __init__(self, process: BaseProcess, memory_mb: int | None, seconds: float) -> None:
        import psutil

        self._process = psutil.Process(process.pid)
        self._bytes = memory_mb * MB if memory_mb else int(psutil.virtual_memory().available * SHARE_OF_FREE_MEMORY)
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def broken(self) -> Failure | None:
        """The limit that the process has passed."""
        if time.monotonic() > self._deadline:
            return Failure(
                "timeout",
                f"The trial was not done after {self._seconds:g} seconds.",
                "Draw fewer rows, or raise `timeout` in the plan.",
            )
        used = self._used()
        if used > self._bytes:
            return Failure(
                "out_of_memory",
                f"The trial used {used // MB} MB of memory; the limit is {self._bytes // MB} MB.",
                "Use a smaller model, a smaller batch or a shorter dtype, or raise `max_memory_mb` in the plan.",
            )
        return None

    def _used(self) -> int:
        import psutil

        try:
            return int(self._process.memory_info().rss)
        except psutil.Error:  # it has just ended
            return 0


def _talk(
    process: BaseProcess,
    connection: Connection,
    job: bytes,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
    limits: _Limits,
) -> Failure | None:
    try:
        connection.send_bytes(job)
        while True:
            if should_stop():
                raise Interrupted("The trial was stopped.")
            if failure := limits.broken():
                return failure
            if not connection.poll(POLL_SECONDS):
                continue
            event = _understood(connection.recv_bytes(MAX_MESSAGE_BYTES))
            if isinstance(event, Failed):
                return event.failure
            on_event(event)
            if isinstance(event, Done):
                return None
            if event == Stage("latency"):
                # What came before is stored by now: nothing of ours disturbs the measurement.
                connection.send_bytes(worker.GO)
    except _Nonsense as nonsense:
        return Failure("crash", f"The worker said something that is no event: {nonsense}", "See the log tail.")
    except (EOFError, ConnectionError):
        return _death(process)


class _Nonsense(Exception):
    """A message that is no event; the process may be anything by now."""


def _understood(message: bytes) -> Event:
    try:
        return from_json(message)
    except Exception as error:  # whatever is wrong with it, it came from the process
        raise _Nonsense(str(error)) from error


def _death(process: BaseProcess) -> Failure:
    process.join(10)
    code = process.exitcode
    if code == -getattr(signal, "SIGKILL", 9):
        hint = "Most likely the machine ran out of memory: use a smaller model or batch."
        return Failure("crash", "The system killed the worker (SIGKILL).", hint)
    if code is not None and code < 0:
        return Failure("crash", f"The worker died of {signal.Signals(-code).name}.", "The log tail says where.")
    return Failure("crash", f"The worker ended with exit code {code} and no result.", "The log tail says more.")


def _with_log(failure: Failure, log: Path) -> Failure:
    try:
        text = log.read_bytes()[-4 * worker.LOG_TAIL_CHARACTERS :].decode(errors="replace")
    except OSError:
        return failure
    return replace(failure, log_tail=text[-worker.LOG_TAIL_CHARACTERS :].strip())


@contextmanager
def _started(target: Callable[[Connection], None], place: str) -> Iterator[tuple[BaseProcess, Connection]]:
    """The process and the way to talk to it. At the end it is gone, with all it may have started."""
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
