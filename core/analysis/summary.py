"""Every trial of a run, summarised once: scores with intervals, latency, throughput.

`analyse` is the one expensive step (it resamples rows); ranking, report and views only read what it found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from core import registry
from core.analysis import paired
from core.analysis.intervals import UNDEFINED, Interval, bootstrap_weights, interval, score, weighted_totals
from core.analysis.timing import Latency, Throughput, from_series, throughput
from core.analysis.wording import trial_names
from core.metrics.base import describe_options, resolve_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from core.metrics.base import Metric
    from core.records import EvalSet, Outcome, RunResult, Stopped
    from core.tasks.base import Prediction, Task


@dataclass(frozen=True, eq=False)
class TrialSummary:
    """One trial in numbers, finished or not."""

    outcome: Outcome
    name: str
    """Model and what tells its variant from the others."""
    positions: NDArray[np.intp]
    """Rows of the EvalSet it has answered, ascending, shape (n,)."""
    predictions: tuple[Prediction, ...]
    """One per position."""
    statistics: Mapping[str, NDArray[Any]]
    """Metric → per-row sufficient statistics (n, k), in order of `positions`."""
    scores: Mapping[str, Interval]
    latency: Mapping[int, Latency]
    """Batch size → times, ascending."""
    speed: Throughput

    @property
    def id(self) -> str:
        """The trial's id."""
        return self.outcome.trial

    @cached_property
    def answers(self) -> tuple[Any, ...]:
        """One per position."""
        return tuple(prediction["answer"] for prediction in self.predictions)

    @property
    def finished(self) -> bool:
        """Whether it ran to its end, so that it can be ranked."""
        return self.outcome.status == "done" and len(self.positions) > 0

    @property
    def stopped(self) -> Stopped | None:
        """Where it left a race; it has fewer rows than the others then, and cannot win."""
        return self.outcome.stopped

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

    @cached_property
    def signatures(self) -> dict[str, str]:
        """Metric → how exactly it was computed, as people write it behind a score; empty where there is no choice."""
        references = self.run.evalset.references
        return {name: describe_options(metric, self.options[name], references) for name, metric in self.metrics.items()}

    @property
    def finished(self) -> list[TrialSummary]:
        """Trials with a result, in plan order."""
        return [trial for trial in self.trials if trial.finished]

    @property
    def ranked(self) -> list[TrialSummary]:
        """Those of them that can win: who left a race cannot."""
        return [trial for trial in self.finished if not trial.stopped]

    def trial(self, trial: str) -> TrialSummary:
        """The trial of that id. Raises KeyError."""
        return self._by_id[trial]

    def pairs(
        self, metric: str | None = None, baseline: str | None = None, among: frozenset[str] | None = None
    ) -> list[paired.Pair]:
        """A family of pairs of finished trials, over the rows all of them answered.

        Who left a race is compared with each other one by itself, so that its few rows are not all that counts.

        Args:
            metric: Name; the headline when None.
            baseline: The trial (id) to compare with all others; None for all pairs.
            among: Ids of the trials that make the family; every finished one when None.
        """
        family = metric or self.headline.name, baseline, among
        if family not in self._pairs:
            self._pairs[family] = self._compare(*family)
        return self._pairs[family]

    @cached_property
    def _by_id(self) -> dict[str, TrialSummary]:
        return {trial.id: trial for trial in self.trials}

    @cached_property
    def _pairs(self) -> dict[tuple[str, str | None, frozenset[str] | None], list[paired.Pair]]:
        return {}

    def _compare(self, name: str, baseline: str | None, among: frozenset[str] | None) -> list[paired.Pair]:
        trials = [trial for trial in self.finished if name in trial.statistics and (not among or trial.id in among)]
        if len(trials) < 2 or baseline not in {None, *(trial.id for trial in trials)}:
            return []
        stayed = [trial for trial in trials if not trial.stopped]
        groups = [stayed, *(list(two) for two in combinations(trials, 2) if two[0].stopped or two[1].stopped)]
        found = [
            pair
            for group in groups
            if len(group) > 1 and baseline in {None, *(trial.id for trial in group)}
            for pair in self._over_common_rows(name, group, baseline)
        ]
        corrected = paired.holm(np.array([pair.p for pair in found])).tolist()
        return [replace(pair, p_holm=p) for pair, p in zip(found, corrected, strict=True)]

    def _over_common_rows(self, name: str, trials: list[TrialSummary], baseline: str | None) -> list[paired.Pair]:
        common = trials[0].positions
        for trial in trials[1:]:
            common = np.intersect1d(common, trial.positions, assume_unique=True)
        statistics = [trial.statistics[name][np.searchsorted(trial.positions, common)] for trial in trials]
        labels = self.run.evalset.labels
        ids = [trial.id for trial in trials]
        return paired.compare(ids, self.metrics[name], statistics, labels, self.options[name], baseline)


def analyse(run: RunResult) -> Analysis:
    """Scores, intervals and times of every trial of the run.

    Raises:
        UnknownName: the plan names a task or metric that does not exist.
        PlanError: a metric option has a value that is not allowed.
    """
    task = registry.task(run.plan.task)
    names = dict.fromkeys(run.plan.metrics or task.default_metrics)
    names |= dict.fromkeys(name for outcome in run.outcomes for name in outcome.spec.metrics)
    metrics = {name: registry.metric(name, task) for name in names}
    options = {name: resolve_options(metric, run.plan.options) for name, metric in metrics.items()}
    display = trial_names([outcome.spec for outcome in run.outcomes])
    trials = [
        _summarise(outcome, name, metrics, options, run.evalset)
        for outcome, name in zip(run.outcomes, display, strict=True)
    ]
    return Analysis(run, task, metrics, options, tuple(trials))


def _summarise(
    outcome: Outcome,
    name: str,
    metrics: Mapping[str, Metric],
    options: Mapping[str, Mapping[str, Any]],
    evalset: EvalSet,
) -> TrialSummary:
    positions, predictions, statistics = _merge(outcome, metrics)
    statistics |= _made_again(positions, predictions, metrics, options, evalset)
    series = sorted(outcome.latency, key=lambda one: one.batch_size)
    return TrialSummary(
        outcome=outcome,
        name=name,
        positions=positions,
        predictions=predictions,
        statistics=statistics,
        scores=dict.fromkeys(metrics, UNDEFINED) | _scores(statistics, metrics, options, evalset.labels),
        latency={latency.batch_size: latency for latency in map(from_series, series) if latency},
        speed=throughput(outcome.chunks, outcome.environment),
    )


def _merge(
    outcome: Outcome, metrics: Mapping[str, Metric]
) -> tuple[NDArray[np.intp], tuple[Prediction, ...], dict[str, NDArray[Any]]]:
    """The chunks as one table in row order. A row that two chunks hold counts once."""
    chunks = [chunk for chunk in outcome.chunks if chunk.positions]
    if not chunks:
        return np.empty(0, dtype=np.intp), (), {}
    positions, order = np.unique(np.concatenate([chunk.positions for chunk in chunks]), return_index=True)
    predictions = [prediction for chunk in chunks for prediction in chunk.predictions]
    statistics = {
        name: np.concatenate([chunk.statistics[name] for chunk in chunks])[order]
        for name in metrics
        if all(name in chunk.statistics for chunk in chunks)
    }
    return positions.astype(np.intp), tuple(predictions[index] for index in order.tolist()), statistics


def _made_again(
    positions: NDArray[np.intp],
    predictions: tuple[Prediction, ...],
    metrics: Mapping[str, Metric],
    options: Mapping[str, Mapping[str, Any]],
    evalset: EvalSet,
) -> dict[str, NDArray[Any]]:
    """Statistics that are not kept, because they are no numbers."""
    references = [evalset.references[row] for row in positions.tolist()]
    return {
        name: metric.rows(predictions, references, evalset.labels, options[name])
        for name, metric in metrics.items()
        if not metric.stored and predictions and all(need in one for need in metric.needs for one in predictions)
    }


def _scores(
    statistics: Mapping[str, NDArray[Any]],
    metrics: Mapping[str, Metric],
    options: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, ...],
) -> dict[str, Interval]:
    """Every metric with its interval. Metrics that count the same (precision, recall, F1) are resampled once."""
    scores: dict[str, Interval] = {}
    summed: list[tuple[NDArray[Any], NDArray[np.float64]]] = []
    for name, rows in statistics.items():
        metric = metrics[name]
        if metric.binary or not metric.summed:
            scores[name] = score(metric, rows, labels, options[name])
            continue
        totals = next((totals for counted, totals in summed if np.array_equal(counted, rows)), None)
        if totals is None:
            totals = weighted_totals(bootstrap_weights(len(rows)), rows)
            summed.append((rows, totals))
        scores[name] = interval(metric, rows, labels, options[name], metric.value(totals, labels, options[name]))
    return scores
