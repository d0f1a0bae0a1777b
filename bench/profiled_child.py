"""What a timed worker's process runs: the usual, with a stopwatch on the methods of the task.

Imports nothing that the fork server has not: it would be charged to every trial.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from core import registry
from core.engine import worker
from core.engine.events import Note

TASK = "text-classification"
SPOKEN = "stopwatch "
"""How the note begins with which a process says what it has spent."""
STEPS = ("encode", "collate", "forward", "decode")
"""Methods of a task that are timed."""


def child_main(connection: Connection) -> None:
    """Serve as `core.engine.worker.child_main`, and say at the end what was spent."""
    task: Any = registry.task(TASK)
    spent = dict.fromkeys(STEPS, 0.0)
    moments: list[float] = []

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            if name == "forward" and not moments:
                moments.append(time.monotonic())
            began = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                spent[name] += time.perf_counter() - began

        return run

    for name in STEPS:
        setattr(task, name, timed(name, getattr(task, name)))

    predict, end = worker.Worker.predict, worker.Worker.end
    quality: dict[str, float] = {}

    def predicted(self: worker.Worker, rows: Sequence[int] | None = None) -> None:
        before = dict(spent)
        predict(self, rows)
        for name in STEPS:
            quality[name] = quality.get(name, 0.0) + spent[name] - before[name]

    def ended(self: worker.Worker) -> None:
        self._emit(Note(SPOKEN + json.dumps({"first": moments[0], "quality": quality})))
        end(self)

    worker.Worker.predict, worker.Worker.end = predicted, ended  # type: ignore[method-assign]
    worker.child_main(connection)
