"""One live worker on this machine: a process of its own, without secrets, its memory and time limited.

From the process come JSON documents only; nothing it says is unpickled.
"""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from core import codec
from core.engine import worker
from core.engine.events import Done, Event, Failed, Loaded, Served, Stage, Timed, Untimed, from_json
from core.engine.request import Call
from core.errors import Interrupted, TrialFailed
from core.jobs.spawn import started
from core.records import Failure, Protocol, ServerSeries

POLL_SECONDS = 0.25
MAX_MESSAGE_BYTES = 256 * 10**6
SHARE_OF_FREE_MEMORY = 0.9
MB = 1_000_000

OnEvent = Callable[[Event], None]


class LocalWorker:
    """A worker that is told what to do, and waits in between.

    Every method raises TrialFailed where the process fails, dies or passes a limit, and Interrupted where `should_stop`
    says so; after that only `close` is left.
    """

    def __init__(
        self,
        protocol: Protocol,
        should_stop: Callable[[], bool],
        target: Callable[[Connection], None] = worker.child_main,
    ) -> None:
        """Start the process.

        Args:
            protocol: Its limits on memory and time.
            should_stop: Asked a few times per second while the process works.
            target: What the process runs; it gets a job and commands, and answers with events over the connection.
        """
        self._should_stop = should_stop
        with ExitStack() as stack:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="shortlist-", ignore_cleanup_errors=True))
            Path(place, "work").mkdir()
            self._log = Path(place, "log")
            self._process, self._connection = stack.enter_context(started(target, place))
            self._limits = _Limits(self._process, protocol.memory_mb, protocol.timeout_seconds)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the process with all it has started. Does nothing the second time."""
        self._stack.close()

    def load(self, job: worker.Job, on_event: OnEvent) -> None:
        """Load the model. `on_event` gets each event; whatever it raises is raised here."""
        self._ask(codec.dumps(job).encode(), on_event, lambda event: isinstance(event, Loaded))

    def predict(self, on_event: OnEvent, rows: Sequence[int] | None = None) -> None:
        """Predict the rows at these positions, all when None, less those that are done."""
        wanted = None if rows is None else list(rows)
        self._command({"do": "predict", "rows": wanted}, on_event, lambda event: event == Stage("ready"))

    def time(self, rows: Sequence[int], fixed_length: bool = False) -> Call | Failure:
        """Time one request of these rows. A Failure where it does not fit in memory; the worker goes on.

        Args:
            rows: Their positions.
            fixed_length: Whether each is to get exactly `max_new_tokens` tokens, where the task writes.
        """
        command = {"do": "time", "rows": list(rows), "calls": 1, "fixed_length": fixed_length}
        match self._command(command, lambda _: None, lambda event: isinstance(event, Timed | Untimed)):
            case Timed() as took:
                return Call(took.preprocess_ns, took.forward_ns, took.postprocess_ns, took.device_ns, took.writing)
            case Untimed(failure):
                return failure
            case other:
                raise AssertionError(other)

    def serve(self, rate: float, requests: int, seed: int) -> ServerSeries | Failure:
        """Let so many requests arrive at `rate` per second. A Failure where a batch does not fit in memory."""
        command = {"do": "serve", "rate": rate, "requests": requests, "seed": seed}
        match self._command(command, lambda _: None, lambda event: isinstance(event, Served | Untimed)):
            case Served(series):
                return series
            case Untimed(failure):
                return failure
            case other:
                raise AssertionError(other)

    def end(self, on_event: OnEvent) -> None:
        """Let the worker say what the trial took, and end."""
        self._command({"do": "end"}, on_event, lambda event: isinstance(event, Done))

    def _command(self, command: dict[str, Any], on_event: OnEvent, is_last: Callable[[Event], bool]) -> Event:
        return self._ask(json.dumps(command).encode(), on_event, is_last)

    def _ask(self, message: bytes, on_event: OnEvent, is_last: Callable[[Event], bool]) -> Event:
        try:
            with self._limits.working():
                self._check()
                self._connection.send_bytes(message)
                while True:
                    event = self._next()
                    on_event(event)
                    if is_last(event):
                        return event
                    self._check()
        except _Nonsense as nonsense:
            self._fail(Failure("crash", f"The worker said something that is no event: {nonsense}", "See the log tail."))
        except (EOFError, ConnectionError):
            self._fail(_death(self._process))

    def _next(self) -> Event:
        while not self._connection.poll(POLL_SECONDS):
            self._check()
        event = _understood(self._connection.recv_bytes(MAX_MESSAGE_BYTES))
        if isinstance(event, Failed):
            self._fail(event.failure)
        return event

    def _check(self) -> None:
        if self._should_stop():
            raise Interrupted("The trial was stopped.")
        if failure := self._limits.broken():
            self._fail(failure)

    def _fail(self, failure: Failure) -> NoReturn:
        tail = failure.log_tail or self._log_tail()
        raise TrialFailed(failure.kind, failure.message, failure.hint, tail) from None

    def _log_tail(self) -> str:
        try:
            text = self._log.read_bytes()[-4 * worker.LOG_TAIL_CHARACTERS :].decode(errors="replace")
        except OSError:
            return ""
        return text[-worker.LOG_TAIL_CHARACTERS :].strip()


class _Limits:
    """Memory and time of one process. Time counts while it works, not while it waits."""

    def __init__(self, process: BaseProcess, memory_mb: int | None, seconds: float) -> None:
        import psutil

        self._process = psutil.Process(process.pid)
        self._bytes = memory_mb * MB if memory_mb else int(psutil.virtual_memory().available * SHARE_OF_FREE_MEMORY)
        self._seconds = self._seconds_left = seconds
        self._deadline = float("inf")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of the block."""
        self._deadline = time.monotonic() + self._seconds_left
        try:
            yield
        finally:
            self._seconds_left = self._deadline - time.monotonic()

    def broken(self) -> Failure | None:
        """The limit that the process has passed."""
        if time.monotonic() > self._deadline:
            return Failure(
                "timeout",
                f"The trial was not done after {self._seconds:g} seconds.",
                "Draw fewer rows, let models write less (`max_new_tokens`), or raise `timeout` in the plan.",
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
