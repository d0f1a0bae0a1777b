"""What the Compare page shows, as plain rows and points: numbers only, no widget and no picture.

Every view is a frozen dataclass or a list of them, so a page can hand it to a table and a test can read its numbers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.analysis import pareto
from core.analysis.intervals import UNDEFINED, Interval
from core.analysis.wording import device_name, dtype_name, model_names
from core.catalog.fit import model_mb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis
    from core.metrics.base import Metric
    from core.records import Failure, Limits, Stopped

NAN = float("nan")


@dataclass(frozen=True)
class LeaderboardRow:
    """One trial in the table of trials."""

    place: int
    trial: str
    name: str
    model: str
    device: str
    dtype: str
    backend: str
    status: str
    rows: int
    scores: Mapping[str, Interval]
    p50_ms: Interval
    """At the smallest batch size; so is `p95_ms`."""
    p95_ms: Interval
    rows_per_second: float
    units_per_second: float
    screened: str | None
    """As in `Throughput`."""
    memory_mb: float
    load_seconds: float
    parameters: int | None
    download_mb: float
    license: str | None
    license_class: str
    winner: bool
    tied: bool
    front: bool
    violations: tuple[str, ...]
    unknown: tuple[str, ...]
    failure: Failure | None
    stopped: Stopped | None
    """Where it left a race."""


def leaderboard(analysis: Analysis, ranking: Ranking) -> list[LeaderboardRow]:
    """Every trial, best first, with what a table needs."""
    on_front = {point.trial for point in quality_latency(analysis, ranking).points if point.front}
    rows = []
    for place, trial in enumerate((analysis.trial(trial) for trial in ranking.order), start=1):
        spec, facts = trial.outcome.spec, trial.outcome.candidate
        latency = trial.smallest_batch
        rows.append(
            LeaderboardRow(
                place=place,
                trial=trial.id,
                name=trial.name,
                model=spec.model,
                device=device_name(spec.variant.device),
                dtype=dtype_name(spec.variant),
                backend=spec.variant.backend,
                status=trial.outcome.status,
                rows=len(trial.positions),
                scores=trial.scores,
                p50_ms=latency.median if latency else UNDEFINED,
                p95_ms=(latency and latency.tail(95)) or UNDEFINED,
                rows_per_second=trial.speed.rows_per_second,
                units_per_second=trial.speed.units_per_second,
                screened=trial.speed.screened,
                memory_mb=trial.memory(),
                load_seconds=NAN if trial.outcome.load_seconds is None else trial.outcome.load_seconds,
                parameters=facts.parameters if facts else None,
                download_mb=facts.download_bytes / 1e6 if facts and facts.download_bytes is not None else NAN,
                license=facts.license if facts else None,
                license_class=facts.license_class if facts else "unknown",
                winner=trial.id == ranking.winner,
                tied=trial.id in ranking.tied,
                front=trial.id in on_front,
                violations=ranking.excluded.get(trial.id, ()),
                unknown=ranking.unknown.get(trial.id, ()),
                failure=trial.outcome.failure,
                stopped=trial.stopped,
            )
        )
    return rows


@dataclass(frozen=True)
class Point:
    """One trial in the plane of latency and quality."""

    trial: str
    name: str
    latency: Interval
    """Milliseconds."""
    quality: Interval
    front: bool
    winner: bool
    excluded: bool


@dataclass(frozen=True)
class QualityLatency:
    """Quality against latency, with the front and the limits that show in this plane."""

    points: tuple[Point, ...]
    metric: Metric
    percentile: int
    """95 where every trial has it, else 50."""
    batch_size: int | None
    latency_limit: float | None
    quality_limit: float | None
    missing: tuple[str, ...]
    """Names of the trials that cannot be drawn, but those that left the race: nobody has timed them."""
    left_race: tuple[str, ...]
    """Names of these."""

    @property
    def percentile_name(self) -> str:
        """What the latency is, in a word."""
        return "p95" if self.percentile == 95 else "median"


def quality_latency(
    analysis: Analysis, ranking: Ranking, metric: str | None = None, limits: Limits | None = None
) -> QualityLatency:
    """Every trial that has both numbers at the smallest batch size all of them were timed at.

    The limit on p95 is only part of the view where p95 is what it shows.
    """
    limits = limits or analysis.run.plan.limits
    chosen = analysis.metrics[metric] if metric else analysis.headline
    scored = [t for t in analysis.finished if t.latency and not np.isnan(t.scores[chosen.name].value)]
    shared = sorted(set.intersection(*(set(t.latency) for t in scored))) if scored else []
    batch_size = shared[0] if shared else None
    drawn = scored if batch_size is not None else []
    times = {trial.id: trial.latency[batch_size] for trial in drawn if batch_size is not None}
    percentile = 95 if all(latency.tail(95) for latency in times.values()) else 50
    latencies = [times[trial.id].percentiles[percentile] for trial in drawn]
    qualities = [trial.scores[chosen.name] for trial in drawn]
    sign = 1 if chosen.higher_is_better else -1
    allowed = [index for index, trial in enumerate(drawn) if trial.id not in ranking.excluded]
    front = pareto.front(
        [sign * qualities[index].value for index in allowed], [latencies[index].value for index in allowed]
    )
    on_front = {drawn[index].id for index, best in zip(allowed, front, strict=True) if best}
    points = [
        Point(
            trial=trial.id,
            name=trial.name,
            latency=latency,
            quality=quality,
            front=trial.id in on_front,
            winner=trial.id == ranking.winner,
            excluded=trial.id in ranking.excluded,
        )
        for trial, latency, quality in zip(drawn, latencies, qualities, strict=True)
    ]
    return QualityLatency(
        points=tuple(points),
        metric=chosen,
        percentile=percentile,
        batch_size=batch_size,
        latency_limit=limits.latency_p95_ms if percentile == 95 else None,
        quality_limit=limits.min_metrics.get(chosen.name),
        missing=tuple(trial.name for trial in analysis.trials if trial not in drawn and not trial.stopped),
        left_race=tuple(trial.name for trial in analysis.trials if trial not in drawn and trial.stopped),
    )


@dataclass(frozen=True)
class DeviceCell:
    """One model on one device."""

    trial: str
    p50_ms: Interval
    rows_per_second: float
    screened: str | None
    memory_mb: float
    quality: Interval


@dataclass(frozen=True)
class DeviceRow:
    """The same model and precision on several devices."""

    model: str
    dtype: str
    cells: Mapping[str, DeviceCell]
    """Device → its numbers, in plan order."""

    def speedup(self, slow: str = "cpu", fast: str = "cuda") -> float:
        """How many times faster the median call is on `fast`; NaN where one of the two is missing."""
        if slow not in self.cells or fast not in self.cells:
            return NAN
        return self.cells[slow].p50_ms.value / self.cells[fast].p50_ms.value

    def throughput_ratio(self, slow: str = "cpu", fast: str = "cuda") -> float:
        """How many times more rows per second `fast` gives; NaN where one is missing, or only one was screened."""
        if slow not in self.cells or fast not in self.cells:
            return NAN
        if self.cells[fast].screened != self.cells[slow].screened:
            return NAN
        return self.cells[fast].rows_per_second / self.cells[slow].rows_per_second


def by_device(analysis: Analysis) -> list[DeviceRow]:
    """Models that finished on at least two devices at the same precision and backend."""
    groups: dict[tuple[str, str, str], dict[str, DeviceCell]] = defaultdict(dict)
    for trial in analysis.finished:
        spec, latency = trial.outcome.spec, trial.smallest_batch
        groups[spec.model, dtype_name(spec.variant), spec.variant.backend][spec.variant.device] = DeviceCell(
            trial=trial.id,
            p50_ms=latency.median if latency else UNDEFINED,
            rows_per_second=trial.speed.rows_per_second,
            screened=trial.speed.screened,
            memory_mb=trial.memory(),
            quality=trial.scores[analysis.headline.name],
        )
    names = model_names([model for model, _, _ in groups])
    return [DeviceRow(names[model], dtype, cells) for (model, dtype, _), cells in groups.items() if len(cells) > 1]


@dataclass(frozen=True)
class LatencyCurve:
    """The distribution of one trial's calls."""

    trial: str
    name: str
    calls: int
    milliseconds: NDArray[np.float64]
    """Ascending, at most 400 of them: the share of calls at or below each is in `share`."""
    share: NDArray[np.float64]
    p50: Interval
    p95: Interval | None
    winner: bool


def latency_curves(analysis: Analysis, ranking: Ranking, batch_size: int | None = None) -> list[LatencyCurve]:
    """Empirical distribution functions at a batch size (each trial's smallest when None), fastest first."""
    curves = []
    for trial in analysis.finished:
        latency = trial.smallest_batch if batch_size is None else trial.latency.get(batch_size)
        if latency is None:
            continue
        ordered = np.sort(latency.values)
        kept = np.unique(np.linspace(0, len(ordered) - 1, min(400, len(ordered))).round().astype(int))
        curves.append(
            LatencyCurve(
                trial.id, trial.name, latency.calls, ordered[kept], (kept + 1) / len(ordered),
                latency.median, latency.tail(95), trial.id == ranking.winner,
            )
        )  # fmt: skip
    return sorted(curves, key=lambda curve: curve.p50.value)


@dataclass(frozen=True)
class StageRow:
    """Where the time of one call goes; milliseconds, means."""

    trial: str
    name: str
    preprocess: float
    forward: float
    postprocess: float
    first_call: float
    load_seconds: float
    device: float = NAN
    """Of `forward`, by the GPU's own clock; NaN where there is no such clock."""


def stages(analysis: Analysis) -> list[StageRow]:
    """Stages at each trial's smallest batch size, fastest first."""
    rows = [
        StageRow(
            trial.id,
            trial.name,
            **trial.smallest_batch.stages,
            first_call=trial.smallest_batch.first_call,
            load_seconds=NAN if trial.outcome.load_seconds is None else trial.outcome.load_seconds,
            device=trial.smallest_batch.device,
        )
        for trial in analysis.finished
        if trial.smallest_batch
    ]
    return sorted(rows, key=lambda row: row.preprocess + row.forward + row.postprocess)


@dataclass(frozen=True)
class SweepLine:
    """One trial over batch sizes."""

    trial: str
    name: str
    batch_sizes: tuple[int, ...]
    p50_ms: tuple[Interval, ...]
    """Per call."""
    rows_per_second: tuple[float, ...]
    winner: bool


def batch_sweep(analysis: Analysis, ranking: Ranking) -> list[SweepLine]:
    """Latency and rows per second of every trial over the batch sizes it was timed at."""
    return [
        SweepLine(
            trial.id,
            trial.name,
            tuple(trial.latency),
            tuple(latency.median for latency in trial.latency.values()),
            tuple(latency.rows_per_second for latency in trial.latency.values()),
            trial.id == ranking.winner,
        )
        for trial in analysis.finished
        if trial.latency
    ]


@dataclass(frozen=True)
class MemoryRow:
    """Memory of one trial, MB; NaN where it was not measured."""

    trial: str
    name: str
    predicted: float
    """From the number of parameters and the size of the files, before they were fetched (`catalog.fit`)."""
    peak: float
    model: float
    phases: Mapping[str, float]
    """`load`, `quality`, `batch 8`, … → most in that phase; `all` where they were not told apart."""
    winner: bool


def memory(analysis: Analysis, ranking: Ranking) -> list[MemoryRow]:
    """Memory of the trials that measured it, least first."""
    rows = []
    for trial in analysis.finished:
        facts, measured = trial.outcome.candidate, trial.outcome.memory_mb
        predicted = model_mb(facts, trial.outcome.spec.variant) if facts else None
        rows.append(
            MemoryRow(
                trial=trial.id,
                name=trial.name,
                predicted=NAN if predicted is None else predicted,
                peak=trial.memory(),
                model=trial.memory("model"),
                phases=_phases(measured),
                winner=trial.id == ranking.winner,
            )
        )
    return sorted((row for row in rows if not np.isnan(row.peak)), key=lambda row: row.peak)


def _phases(measured: Mapping[str, float]) -> dict[str, float]:
    phases = {name.replace("latency_b", "batch "): mb for name, mb in measured.items() if name not in ("peak", "model")}
    return phases or {"all": measured.get("peak", NAN)}
