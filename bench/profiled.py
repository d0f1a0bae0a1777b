"""A runner's workers and store with a stopwatch: where the wall time of a run goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.profiled_child import SPOKEN, child_main
from core.engine import worker
from core.engine.events import Event, Loaded, Note, Rows
from core.engine.request import Call
from core.jobs.local import LocalWorker, OnEvent
from core.records import Failure, Protocol
from core.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Stopwatch:
    """Seconds by name, and moments of `time.monotonic`, which all processes of a machine share."""

    seconds: dict[str, float] = field(default_factory=dict)
    claims: list[float] = field(default_factory=list)
    """When a trial was asked for that then came."""
    first_batches: list[float] = field(default_factory=list)
    """When a model was first run, trial by trial."""
    loads: list[float] = field(default_factory=list)
    """Seconds that a model took to load."""

    def add(self, name: str, seconds: float) -> None:
        """Count some more."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Count the block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)


def store_of(watch: Stopwatch) -> Callable[[], Store]:
    """What opens a store whose work is timed."""

    class TimedStore(Store):
        def claim(self, *arguments: Any, **named: Any) -> Any:
            began = time.monotonic()
            with watch.timing("claim"):
                found = super().claim(*arguments, **named)
            if found is not None:
                watch.claims.append(began)
            return found

        def commit_chunk(self, *arguments: Any, **named: Any) -> None:
            with watch.timing("commit"):
                super().commit_chunk(*arguments, **named)

    return TimedStore


def worker_of(watch: Stopwatch) -> type[LocalWorker]:
    """The class of workers that are timed from without, and say what they spent within."""

    class TimedWorker(LocalWorker):
        def __init__(self, protocol: Protocol, should_stop: Callable[[], bool], _: object = None) -> None:
            with watch.timing("start"):
                super().__init__(protocol, should_stop, child_main)

        def load(self, job: worker.Job, on_event: OnEvent) -> None:
            def heard(event: Event) -> None:
                if isinstance(event, Loaded):
                    watch.loads.append(event.seconds)
                    watch.add("reading", event.seconds)
                    watch.add("first call", event.first_call_ns / 1e9)
                on_event(event)

            with watch.timing("load"):
                super().load(job, heard)

        def predict(self, on_event: OnEvent, rows: Sequence[int] | None = None) -> None:
            def heard(event: Event) -> None:
                if isinstance(event, Rows):
                    watch.add("quality batches", event.seconds)
                on_event(event)

            with watch.timing("quality"):
                super().predict(heard, rows)

        def time(self, rows: Sequence[int], fixed_length: bool = False) -> Call | Failure:
            began = time.perf_counter()
            answer = super().time(rows, fixed_length)
            if isinstance(answer, Call):
                watch.add("latency pipes", time.perf_counter() - began - answer.total / 1e9)
                watch.add("latency forward", answer.forward / 1e9)
                watch.add("latency pre- and postprocessing", (answer.preprocess + answer.postprocess) / 1e9)
            return answer

        def end(self, on_event: OnEvent) -> None:
            def heard(event: Event) -> None:
                if isinstance(event, Note) and event.text.startswith(SPOKEN):
                    _understand(watch, json.loads(event.text.removeprefix(SPOKEN)))
                else:
                    on_event(event)

            with watch.timing("end"):
                super().end(heard)

        def close(self) -> None:
            with watch.timing("end"):
                super().close()

    return TimedWorker


def _understand(watch: Stopwatch, said: Mapping[str, Any]) -> None:
    watch.first_batches.append(said["first"])
    for name, seconds in said["quality"].items():
        watch.add(f"quality {name}", seconds)
