"""A run while it goes on: one line per trial, from what is committed so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core import registry
from core.analysis.intervals import UNDEFINED, Interval, score
from core.analysis.notes import notes
from core.analysis.timing import throughput
from core.analysis.wording import trial_names
from core.engine.estimate import seconds_left
from core.metrics.base import resolve_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from core.metrics.base import Metric
    from core.records import Failure, Outcome, RunResult, Status

STAGES = {
    "fetch": "fetching the model",
    "load": "loading the model",
    "quality": "answering the rows",
    "ready": "waiting to be timed with the others",
    "latency": "timing calls",
    "server": "answering requests that arrive by chance",
}
STATES = {"queued": "waiting", "done": "done", "failed": "failed", "cancelled": "stopped"}


@dataclass(frozen=True)
class LiveRow:
    """One trial, finished or not. Numbers that are not known are NaN."""

    trial: str
    name: str
    status: Status
    doing: str
    """What happens to it, in words."""
    rows_done: int
    rows_total: int
    rows_per_second: float
    screened: str | None
    """As in `Throughput`; known at the end of the trial."""
    seconds_left: float
    """About; 0 once it has ended."""
    score: Interval
    """The headline metric over the rows answered so far. The longest rows are answered first."""
    memory_mb: float
    """Peak; known at the end of the trial."""
    failure: Failure | None
    notes: tuple[str, ...]
    retryable: bool
    """Whether another try may end otherwise: one that was refused when it was planned cannot."""

    @property
    def share(self) -> float:
        """Rows answered, 0 to 1."""
        return self.rows_done / self.rows_total if self.rows_total else 0.0

    @property
    def stoppable(self) -> bool:
        """Whether it can still be stopped."""
        return self.status in ("queued", "running")


def live(run: RunResult) -> list[LiveRow]:
    """Every trial of the run, in plan order.

    Raises:
        UnknownName: The plan names a task or metric that does not exist.
    """
    metric = headline(run)
    options = resolve_options(metric, run.plan.options)
    left = seconds_left(run)
    names = trial_names([outcome.spec for outcome in run.outcomes])
    return [
        LiveRow(
            trial=outcome.trial,
            name=name,
            status=outcome.status,
            doing=_doing(outcome),
            rows_done=outcome.rows_done,
            rows_total=outcome.rows_total,
            rows_per_second=throughput(outcome.chunks).rows_per_second,
            screened=outcome.environment.get("screened"),
            seconds_left=left[outcome.trial],
            score=_score(outcome, metric, run.evalset.labels, options),
            memory_mb=float(outcome.memory_mb.get("peak", math.nan)),
            failure=outcome.failure,
            notes=notes(outcome),
            retryable=outcome.status in ("failed", "cancelled")
            and not (outcome.candidate and outcome.candidate.blocked),
        )
        for outcome, name in zip(run.outcomes, names, strict=True)
    ]


def headline(run: RunResult) -> Metric:
    """The metric that the choice will rest on."""
    task = registry.task(run.plan.task)
    return registry.metric((run.plan.metrics or task.default_metrics)[0], task)


def time_left(rows: Sequence[LiveRow]) -> float:
    """Seconds until the last trial has ended, about: one runs at a time. Those of unknown size are left out."""
    return sum(row.seconds_left for row in rows if not math.isnan(row.seconds_left))


def _doing(outcome: Outcome) -> str:
    if outcome.stopped:
        return f"left the race after {outcome.stopped.rows:,} rows: surely worse"
    if outcome.status != "running":
        return STATES[outcome.status]
    stage, _, percent = outcome.stage.partition(" ")
    words = STAGES.get(stage, "starting")
    if stage == "latency":
        sizes = outcome.spec.protocol.latency_batch_sizes
        return f"{words}, batch {min(len(outcome.latency) + 1, len(sizes))} of {len(sizes)}"
    return f"{words} {percent}".strip()


def _score(outcome: Outcome, metric: Metric, labels: Sequence[str], options: Mapping[str, Any]) -> Interval:
    parts = [chunk.statistics[metric.name] for chunk in outcome.chunks if metric.name in chunk.statistics]
    return score(metric, np.concatenate(parts), labels, options) if parts else UNDEFINED
