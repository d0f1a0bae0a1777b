"""Every trial of a run, summarised once: scores with intervals, latency, throughput.

`analyse` is the one expensive step (it resamples rows); ranking, report and views only read what it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core import registry
from core.analysis import paired
from core.analysis.intervals import UNDEFINED, Interval, bootstrap_weights, interval, weighted_totals
from core.analysis.timing import Latency, Throughput, from_series, throughput
from core.analysis.wording import trial_names
from core.metrics.base import resolve_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from core.metrics.base import Metric
    from core.records import Outcome, RunResult
    from core.tasks.base import Task


@dataclass(frozen=True, eq=False)
class TrialSummary:
    """One trial in numbers, finished or not."""

    outcome: Outcome
    name: str
    """Model and what tells its variant from the others."""
    positions: NDArray[np.intp]
    """Rows of the EvalSet it has answered, ascending, shape (n,)."""
    answers: tuple[Any, ...]
    """One per position."""
    statistics: Mapping[str, NDArray[np.float64]]
    """Metric → per-row sufficient statistics (n, k), in order of `positions`."""
    scores: Mapping[str, Interval]
    latency: Mapping[int, Latency]
    """Batch size → times, ascending."""
    speed: Throughput

    @property
    def id(self) -> str:
        """The trial's id."""
        return self.outcome.trial

    @property
    def finished(self) -> bool:
        """Whether it ran to its end, so that it can be ranked."""
        return self.outcome.status == "done" and len(self.positions) > 0

    @property
    def smallest_batch(self) -> Latency | None:
        """Times at the smallest measured batch size."""
        return next(iter(self.latency.values()), None)

    def memory(self, kind: str = "peak") -> float:
        """MB, NaN where it was not measured."""
        return float(self.outcome.memory_mb.get(kind, float("nan")))


@dataclass(frozen=True, eq=False)
class Analysis:
    """A run with everything computed of it that does not depend on limits."""

    run: RunResult
    task: Task
    metrics: Mapping[str, Metric]
    """In the order of the plan; the first is the headline."""
    options: Mapping[str, Mapping[str, Any]]
    """Metric → its options, complete."""
    trials: tuple[TrialSummary, ...]
    """In plan order."""

    @property
    def headline(self) -> Metric:
        """The metric that the choice rests on."""
        return next(iter(self.metrics.values()))

    @property
    def finished(self) -> list[TrialSummary]:
        """Trials that can be ranked, in plan order."""
        return [trial for trial in self.trials if trial.finished]

    def trial(self, trial: str) -> TrialSummary:
        """The trial of that id. Raises KeyError."""
        return self._by_id[trial]

    def pairs(self, metric: str | None = None) -> list[paired.Pair]:
        """All pairs of finished trials on a metric (the headline when None), over the rows all of them answered."""
        name = metric or self.headline.name
        if name not in self._pairs:
            self._pairs[name] = self._compare(name)
        return self._pairs[name]

    @cached_property
    def _by_id(self) -> dict[str, TrialSummary]:
        return {trial.id: trial for trial in self.trials}

    @cached_property
    def _pairs(self) -> dict[str, list[paired.Pair]]:
        return {}

    def _compare(self, name: str) -> list[paired.Pair]:
        trials = [trial for trial in self.finished if name in trial.statistics]
        if len(trials) < 2:
            return []
        common = trials[0].positions
        for trial in trials[1:]:
            common = np.intersect1d(common, trial.positions, assume_unique=True)
        statistics = [trial.statistics[name][np.searchsorted(trial.positions, common)] for trial in trials]
        labels = self.run.evalset.labels
        return paired.compare(
            [trial.id for trial in trials], self.metrics[name], statistics, labels, self.options[name]
        )


def analyse(run: RunResult) -> Analysis:
    """Scores, intervals and times of every trial of the run.

    Raises:
        UnknownName: the plan names a task or metric that does not exist.
        PlanError: a metric option has a value that is not allowed.
    """
    task = registry.task(run.plan.task)
    names = dict.fromkeys(run.plan.metrics or task.default_metrics)
    names |= dict.fromkeys(name for outcome in run.outcomes for name in outcome.spec.metrics)
    metrics = {name: registry.metric(name) for name in names}
    options = {name: resolve_options(metric, run.plan.options) for name, metric in metrics.items()}
    display = trial_names([outcome.spec for outcome in run.outcomes])
    trials = [
        _summarise(outcome, name, metrics, options, run.evalset.labels)
        for outcome, name in zip(run.outcomes, display, strict=True)
    ]
    return Analysis(run, task, metrics, options, tuple(trials))


def _summarise(
    outcome: Outcome,
    name: str,
    metrics: Mapping[str, Metric],
    options: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, ...],
) -> TrialSummary:
    positions, answers, statistics = _merge(outcome, metrics)
    series = sorted(outcome.latency, key=lambda one: one.batch_size)
    return TrialSummary(
        outcome=outcome,
        name=name,
        positions=positions,
        answers=answers,
        statistics=statistics,
        scores=dict.fromkeys(metrics, UNDEFINED) | _scores(statistics, metrics, options, labels),
        latency={latency.batch_size: latency for latency in map(from_series, series) if latency},
        speed=throughput(outcome.chunks),
    )


def _merge(
    outcome: Outcome, metrics: Mapping[str, Metric]
) -> tuple[NDArray[np.intp], tuple[Any, ...], dict[str, NDArray[np.float64]]]:
    """The chunks as one table in row order. A row that two chunks hold counts once."""
    chunks = [chunk for chunk in outcome.chunks if chunk.positions]
    if not chunks:
        return np.empty(0, dtype=np.intp), (), {}
    positions, order = np.unique(np.concatenate([chunk.positions for chunk in chunks]), return_index=True)
    predictions = [prediction for chunk in chunks for prediction in chunk.predictions]
    statistics = {
        name: np.concatenate([chunk.statistics[name] for chunk in chunks]).astype(np.float64)[order]
        for name in metrics
        if all(name in chunk.statistics for chunk in chunks)
    }
    answers = tuple(predictions[index]["answer"] for index in order.tolist())
    return positions.astype(np.intp), answers, statistics


def _scores(
    statistics: Mapping[str, NDArray[np.float64]],
    metrics: Mapping[str, Metric],
    options: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, ...],
) -> dict[str, Interval]:
    """Every metric with its interval; one product resamples all that need it."""
    resampled = {name: rows for name, rows in statistics.items() if not metrics[name].binary}
    totals: dict[str, NDArray[np.float64]] = {}
    if resampled:
        rows = list(resampled.values())
        edges = np.cumsum([one.shape[1] for one in rows])[:-1]
        together = weighted_totals(bootstrap_weights(len(rows[0])), np.hstack(rows))
        totals = dict(zip(resampled, np.split(together, edges, axis=1), strict=True))
    scores = {}
    for name, rows_of_metric in statistics.items():
        metric = metrics[name]
        replicates = metric.value(totals[name], labels, options[name]) if name in totals else np.empty(0)
        scores[name] = interval(metric, rows_of_metric, labels, options[name], replicates)
    return scores
