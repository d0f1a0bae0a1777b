"""The process that measures one trial: a job comes in as JSON, then commands; events go out; nothing else crosses.

    {"do": "predict", "rows": [positions] | null}    → Rows…, then Stage("ready"); null: all that are not done
    {"do": "time", "rows": [positions], "calls": n, "fixed_length": false}
                                                     → n × Timed, one request of these rows each; or Untimed
    {"do": "serve", "rate": r, "requests": n, "seed": s}  → Served: n requests that arrive at r per second; or Untimed
    {"do": "end"}                                    → Memory, Done

A job is answered with Loaded. `Failed` may be the answer to anything, and ends the process. Between two commands the
process waits on its pipe and takes nothing from those that are measured meanwhile.

Two ways in: `child_main` for a fork server on this machine, and `python -m core.engine.worker` (a job on the first line
of stdin, a command on each other, events as lines on stdout) for executors elsewhere. `run_trial` does all of it in the
calling process, the server scenario left out.
"""

from __future__ import annotations

import os

# Waiting OpenMP threads that spin make a shared machine many times slower. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# One tokenizer call per measured request: its own thread pool would only add noise and fork warnings.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import gc
import json
import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core import codec, options, registry
from core.engine import compiling, environment, latency, screening, serving
from core.engine.backends.base import Session
from core.engine.backends.torch_copy import lowered
from core.engine.backends.torch_faults import gpu_fault
from core.engine.backends.torch_regions import regions
from core.engine.energy import EnergyMeter, counters
from core.engine.events import (
    Done,
    Event,
    Failed,
    Latency,
    Loaded,
    Memory,
    Note,
    Rows,
    Served,
    Stage,
    Timed,
    Untimed,
    to_json,
)
from core.engine.memory import COMPILING, LATENCY, QUALITY, SCREENING, SERVER, MemoryMeter
from core.engine.quality import QualityPass
from core.engine.request import Call, Model, Request, call, first_call
from core.engine.request import requests as row_requests
from core.engine.room import check_room
from core.errors import AppError, TrialFailed
from core.metrics.scoring import needs
from core.records import Failure, ServerSeries, TrialSpec
from core.tasks.base import Context

PRELOAD = ("core.engine.worker", "core.engine.warm")
"""What a fork server imports once, so that a trial starts in hundredths of a second. This module comes first: it sets
what must stand in the environment before torch is loaded."""

LOG_TAIL_CHARACTERS = 4000


@dataclass(frozen=True)
class Job:
    """Everything a worker needs: it has no network, no store and no secrets."""

    spec: TrialSpec
    folder: str
    """Local folder of the checkpoint."""
    inputs: tuple[Mapping[str, Any], ...]
    """`EvalSet.inputs`."""
    labels: tuple[str, ...] = ()
    """`EvalSet.labels`."""
    done: tuple[int, ...] = ()
    """Positions that are already committed."""


class Worker:
    """A trial's model in memory. Every method raises TrialFailed where the trial cannot give a result."""

    def __init__(self, job: Job, emit: Callable[[Event], None]) -> None:
        """Load the model.

        Args:
            job: What to measure.
            emit: Called with each event, in order.
        """
        spec = job.spec
        task, backend = registry.task(spec.task), registry.backend(spec.variant.backend)
        obstacle = backend.unsupported(spec.variant)
        if obstacle:
            hint = "Choose another variant, or a machine that has what this one needs."
            raise TrialFailed("unsupported", obstacle, hint)

        emit(Stage("load"))
        check_room(Path(job.folder), spec.variant, spec.protocol.memory_mb)
        backend.start()
        self._memory, self._energy = MemoryMeter(), EnergyMeter(counters(spec.variant.device))
        started = time.perf_counter()
        self._session = backend.load(Path(job.folder), task, spec.variant)
        load_seconds = time.perf_counter() - started - self._session.prepare_seconds
        context = Context(
            labels=job.labels,
            model_labels=self._session.model_labels,
            mapping=spec.labels,
            options=options.resolve(task.options, spec.options),
            needs=needs(task, spec.metrics),
            protocol=spec.protocol,
        )
        self._job, self._emit = job, emit
        self._model = Model(self._session, task, context)
        self._done = set(job.done)
        self._energy_rows = 0
        copy = self._copy if screening.suits(task, spec.variant, context) else None
        apart = partial(self._memory.apart, COMPILING, self._session)
        layers = partial(regions, self._session, apart) if compiling.suits(task, spec.variant, context) else None
        self._quality = QualityPass(
            self._session, task, context, self._tell, device=spec.variant.device, copy=copy, layers=layers
        )
        self.first_call_ns = first_call(self._model, job.inputs)
        # After the first call: weights are memory-mapped, and only then have all of them been read.
        self._model_mb = self._memory.held_mb(self._session)
        emit(Loaded(load_seconds, self._model_mb, self.first_call_ns))

    def predict(self, rows: Sequence[int] | None = None) -> None:
        """Predict the rows at these positions, all when None; those that are done are left out."""
        _collect_again()
        self._emit(Stage("quality"))
        left = set(range(len(self._job.inputs)) if rows is None else rows) - self._done
        others = frozenset(range(len(self._job.inputs))) - left
        if self._memory.phase not in (SCREENING, COMPILING):  # in a later round what was made is still there
            self._memory.begin(QUALITY, self._session)
        self._energy.start()
        self._quality.run(self._job.inputs, others)
        self._energy.sample()
        self._energy_rows += len(left)
        self._done |= left
        if len(self._done) == len(self._job.inputs):
            self._quality.close()
        self._emit(Stage("ready"))

    def _tell(self, event: Event) -> None:
        if isinstance(event, Rows):  # about once a second: no counter goes round unseen
            self._energy.sample()
        self._emit(event)

    def _copy(self) -> Session | None:
        """The model a second time, at low precision. What both take together is not charged to the model."""
        self._memory.begin(SCREENING, self._session)
        copy = lowered(self._session, screening.LOW, self._job.spec.protocol.memory_mb)
        if copy is None:
            self._memory.begin(QUALITY, self._session)
        return copy

    def time(self, request: Request, fixed_length: bool = False) -> Call:
        """Time one request. Raises TrialFailed, also where it does not fit in memory (`out_of_memory`).

        Args:
            request: Positions of its rows.
            fixed_length: Whether each row is to get exactly `max_new_tokens` tokens, where the task writes.
        """
        self._be_alone()
        self._memory.begin(LATENCY.format(len(request)), self._session)
        return call(self._model, [self._job.inputs[position] for position in request], fixed_length=fixed_length)

    def serve(self, rate: float, requests: int, seed: int) -> ServerSeries:
        """Answer so many requests of one row each, which arrive at `rate` per second, as `core.engine.serving` says.

        Raises TrialFailed, also where a batch does not fit in memory (`out_of_memory`).
        """
        self._be_alone()
        self._memory.begin(SERVER, self._session)
        protocol, inputs = self._job.spec.protocol, self._job.inputs
        rows = [inputs[position] for position, *_ in islice(row_requests(len(inputs), 1), requests)]
        for size in serving.warmup_sizes(protocol.server_max_batch):
            call(self._model, rows[:size])

        def answer(numbers: Sequence[int]) -> None:
            call(self._model, [rows[number] for number in numbers])
            gc.collect()  # as in `_be_alone`; a server has to do it, too

        taken = serving.serve(
            answer,
            serving.arrivals(requests, rate, seed),
            max_batch=protocol.server_max_batch,
            bound_ns=(protocol.server_p99_ms or math.inf) * 1e6,
        )
        return ServerSeries(rate, requests, tuple(taken.latency_ns), tuple(taken.batch_sizes))

    def _be_alone(self) -> None:
        """Nothing else is in memory when the model is timed, and nothing else is done."""
        self._quality.close()
        if gc.isenabled():
            # A collection in the middle of a request would be charged to the model.
            gc.collect()
            gc.freeze()
            gc.disable()
        # `generate` leaves cycles that hold its caches: they go between two requests, in microseconds, because what was
        # there before is frozen. Else a thousand calls would fill the memory.
        gc.collect()

    def end(self) -> None:
        """Say what the trial took."""
        self._quality.close()
        self._emit(Memory({**self._memory.peaks_mb(self._session), "model": self._model_mb}))
        facts = {**environment.describe(), **self._session.environment, **self._quality.facts}
        self._emit(Done({**facts, **self._energy_facts()}))

    def _energy_facts(self) -> dict[str, Any]:
        """What the rows of the quality pass took; the joules alone, as None, where the machine does not tell."""
        joules = self._energy.joules
        if joules is None:
            return {"energy_joules": None}
        sources = ", ".join(self._energy.sources)
        return {"energy_joules": round(joules, 3), "energy_rows": self._energy_rows, "energy_sources": sources}


def run_trial(job: Job, emit: Callable[[Event], None], wait_turn: Callable[[], None]) -> None:
    """Measure one trial in this process: load, predict everything, time the model alone, end.

    Args:
        job: What to measure.
        emit: Called with each event, in order. The last one is `Done`.
        wait_turn: Called after `Stage("latency")`; returns when nothing else of ours runs on the machine.

    Raises:
        TrialFailed: The trial cannot give a result.
    """
    worker = Worker(job, emit)
    worker.predict()
    if job.spec.protocol.latency_batch_sizes:
        emit(Stage("latency"))
        wait_turn()
        try:
            _time_alone(worker, job, emit)
        finally:
            _collect_again()
    worker.end()


def _collect_again() -> None:
    """Undo what timing did to the garbage collector."""
    gc.unfreeze()
    gc.enable()


def _time_alone(worker: Worker, job: Job, emit: Callable[[Event], None]) -> None:
    def timed(request: Request, fixed_length: bool = False) -> Call:
        try:
            return worker.time(request, fixed_length)
        except TrialFailed as failed:
            if failed.kind != "out_of_memory":
                raise
            emit(Note(no_latency(len(request), failed.message, fixed_length)))
            raise latency.Dropout from None

    busy = environment.busy_note(environment.busy_percent())
    if busy:
        emit(Note(busy))
    subject = latency.Subject(timed, worker.first_call_ns, partial(timed, fixed_length=True))
    for size in job.spec.protocol.latency_batch_sizes:
        for series in latency.measure([subject], row_requests(len(job.inputs), size), job.spec.protocol):
            if series is not None:
                emit(Latency(series))


def no_latency(batch_size: int, reason: str, fixed_length: bool = False) -> str:
    """The note on a batch size that could not be timed."""
    what = "tokens per second at a fixed length" if fixed_length else "latency"
    return f"No {what} at batch size {batch_size}: {reason}"


def no_server(reason: str) -> str:
    """The note on a server scenario that was not measured to its end."""
    return f"The server scenario was given up: {reason}"


def as_failure(error: Exception) -> Failure:
    """The row that an exception of a worker becomes."""
    if isinstance(error, TrialFailed):
        return Failure(error.kind, error.message, error.hint, error.log_tail)
    tail = traceback.format_exc()[-LOG_TAIL_CHARACTERS:]
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "The machine has no memory left for this model.", "Use a smaller model.", tail)
    if fault := gpu_fault(error):
        return Failure(fault.kind, fault.message, fault.hint, tail)
    if isinstance(error, AppError):
        return Failure("unsupported", str(error), getattr(error, "hint", ""), tail)
    return Failure("crash", f"{type(error).__name__}: {error}", "The log tail says where.", tail)


def _serve(receive: Callable[[], bytes], send: Callable[[bytes], None]) -> bool:
    """Load the job and do what is told until the end. False where the trial failed."""

    def emit(event: Event) -> None:
        send(to_json(event))

    try:
        worker = Worker(codec.loads(Job, receive().decode()), emit)
        while True:
            command = json.loads(receive())
            match command["do"]:
                case "predict":
                    worker.predict(command["rows"])
                case "time":
                    _time(worker, command["rows"], command["calls"], command.get("fixed_length", False), emit)
                case "serve":
                    _serve_rate(worker, command["rate"], command["requests"], command["seed"], emit)
                case "end":
                    worker.end()
                    return True
                case unknown:
                    raise ValueError(f"no command: {unknown!r}")
    except EOFError:  # nobody is there to tell
        return False
    except Exception as error:  # whatever it was, it concerns this trial only
        emit(Failed(as_failure(error)))
        return False


def _time(worker: Worker, rows: Sequence[int], calls: int, fixed_length: bool, emit: Callable[[Event], None]) -> None:
    for _ in range(calls):
        try:
            took = worker.time(rows, fixed_length)
        except TrialFailed as failed:
            if failed.kind != "out_of_memory":
                raise
            emit(Untimed(as_failure(failed)))
            return
        emit(Timed(took.preprocess, took.forward, took.postprocess, took.device, took.writing))


def _serve_rate(worker: Worker, rate: float, requests: int, seed: int, emit: Callable[[Event], None]) -> None:
    try:
        emit(Served(worker.serve(rate, requests, seed)))
    except TrialFailed as failed:
        if failed.kind != "out_of_memory":
            raise
        emit(Untimed(as_failure(failed)))


def child_main(connection: Connection) -> None:
    """Serve the job and the commands that come over the connection; events go back over it. Entry for a fork server."""
    with connection:
        _serve(connection.recv_bytes, connection.send_bytes)


def main() -> int:
    """Serve the job on the first line of stdin and the command on each other; events go to stdout, one per line."""
    # Libraries print to stdout when they like: only events may go there.
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def receive() -> bytes:
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError
        return line

    def send(line: bytes) -> None:
        events.write(line + b"\n")

    return 0 if _serve(receive, send) else 1


if __name__ == "__main__":
    sys.exit(main())
