"""The process that measures one trial: a job comes in as JSON, events go out as JSON, nothing else crosses.

Two ways in, one `run_trial`: `child_main` for a fork server on this machine, and `python -m core.engine.worker`
(a job on the first line of stdin, events as lines on stdout) for executors elsewhere.
"""

from __future__ import annotations

import os

# Waiting OpenMP threads that spin make a shared machine many times slower. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# One tokenizer call per measured request: its own thread pool would only add noise and fork warnings.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core import codec, options, registry
from core.engine import environment, latency, quality
from core.engine.backends import pytorch
from core.engine.events import Done, Event, Failed, Latency, Loaded, Memory, Note, Stage, to_json
from core.engine.memory import MemoryMeter
from core.errors import AppError, TrialFailed
from core.metrics.scoring import needs
from core.records import Failure, TrialSpec
from core.tasks.base import Context

PRELOAD = ("core.engine.worker", *pytorch.MODULES)
"""What a fork server imports once, so that a trial starts in hundredths of a second. This module comes first: it sets
what must stand in the environment before torch is loaded."""

GO = b"go"
"""What the parent answers when the machine is quiet and the latency pass may begin."""

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


def run_trial(job: Job, emit: Callable[[Event], None], wait_turn: Callable[[], None]) -> None:
    """Measure one trial: load, quality pass, latency pass, memory.

    Args:
        job: What to measure.
        emit: Called with each event, in order. The last one is `Done`.
        wait_turn: Called after `Stage("latency")`; returns when nothing else of ours runs on the machine.

    Raises:
        TrialFailed: The trial cannot give a result.
    """
    spec, protocol = job.spec, job.spec.protocol
    task, backend = registry.task(spec.task), registry.backend(spec.variant.backend)
    obstacle = backend.unsupported(spec.variant)
    if obstacle:
        raise TrialFailed("unsupported", obstacle, "Choose another variant, or a machine that has what this one needs.")

    emit(Stage("load"))
    backend.start()
    memory = MemoryMeter()
    started = time.perf_counter()
    session = backend.load(Path(job.folder), task, spec.variant)
    load_seconds = time.perf_counter() - started
    context = Context(
        labels=job.labels,
        model_labels=session.model_labels,
        mapping=spec.labels,
        options=options.resolve(task.options, spec.options),
        needs=needs(task, spec.metrics),
        protocol=protocol,
    )
    subject = latency.Subject(session, task, context)
    first_call_ns = latency.first_call(subject, job.inputs)
    # After the first call: weights are memory-mapped, and only then have all of them been read.
    model_mb = memory.held_mb(session)
    emit(Loaded(load_seconds, model_mb))

    emit(Stage("quality"))
    quality.run(session, task, job.inputs, context, done=frozenset(job.done), emit=emit)

    if protocol.latency_batch_sizes:
        emit(Stage("latency"))
        wait_turn()
        _measure_latency(job, subject, first_call_ns, emit)

    emit(Memory({"peak": memory.peak_mb(session), "model": model_mb}))
    emit(Done({**environment.describe(), **session.environment}))


def _measure_latency(job: Job, subject: latency.Subject, first_call_ns: int, emit: Callable[[Event], None]) -> None:
    busy = environment.busy_note()
    if busy:
        emit(Note(busy))
    for size in job.spec.protocol.latency_batch_sizes:
        try:
            series = latency.measure(subject, job.inputs, size, job.spec.protocol, first_call_ns=first_call_ns)
        except TrialFailed as failed:
            if failed.kind != "out_of_memory":
                raise
            emit(Note(f"No latency at batch size {size}: {failed.message}"))
        else:
            emit(Latency(series))


def as_failure(error: Exception) -> Failure:
    """The row that an exception of `run_trial` becomes."""
    if isinstance(error, TrialFailed):
        return Failure(error.kind, error.message, error.hint, error.log_tail)
    tail = traceback.format_exc()[-LOG_TAIL_CHARACTERS:]
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "The machine has no memory left for this model.", "Use a smaller model.", tail)
    if isinstance(error, AppError):
        return Failure("unsupported", str(error), getattr(error, "hint", ""), tail)
    return Failure("crash", f"{type(error).__name__}: {error}", "The log tail says where.", tail)


def _run(job: bytes, send: Callable[[bytes], None], wait_turn: Callable[[], None]) -> bool:
    def emit(event: Event) -> None:
        send(to_json(event))

    try:
        run_trial(codec.loads(Job, job.decode()), emit, wait_turn)
    except Exception as error:  # whatever it was, it concerns this trial only
        emit(Failed(as_failure(error)))
        return False
    return True


def child_main(connection: Connection) -> None:
    """Measure the one job that comes over the connection; events go back over it. Entry for a fork server."""

    def wait_turn() -> None:
        while connection.recv_bytes() != GO:
            pass

    with connection:
        _run(connection.recv_bytes(), connection.send_bytes, wait_turn)


def main() -> int:
    """Measure the job on the first line of stdin; events go to stdout, one per line. A line `go` lets latency begin."""
    # Libraries print to stdout when they like: only events may go there.
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(line: bytes) -> None:
        events.write(line + b"\n")

    def wait_turn() -> None:
        for line in sys.stdin.buffer:
            if line.strip() == GO:
                return

    return 0 if _run(sys.stdin.buffer.readline(), send, wait_turn) else 1


if __name__ == "__main__":
    sys.exit(main())
