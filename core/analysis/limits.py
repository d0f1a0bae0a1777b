"""Whether a trial is within the limits, and which of them could not be checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.analysis.timing import LEAST_CALLS
from core.analysis.wording import count, megabytes, milliseconds, quality
from core.catalog import stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.analysis.summary import Analysis, TrialSummary
    from core.metrics.base import Metric
    from core.records import Candidate, Limits


@dataclass(frozen=True)
class Check:
    """One trial against the limits; each entry is a phrase."""

    broken: tuple[str, ...]
    unknown: tuple[str, ...]
    """Limits that could not be checked. Not knowing excludes nobody, but is said."""


def check(analysis: Analysis, trial: TrialSummary, limits: Limits) -> Check:
    """Which limits a trial with results breaks, and which are not known to hold."""
    facts = trial.outcome.candidate
    parameters = facts.parameters if facts else None
    download = facts.download_bytes if facts else None
    verdicts = [
        _latency(trial, limits.latency_p95_ms),
        _at_most("memory", trial.memory(), limits.memory_mb, megabytes),
        _at_most("parameters", _number(parameters), limits.params, lambda value: count(int(value))),
        _at_most("download", _number(download) / 1e6, limits.download_mb, megabytes),
        _license(facts, limits.licenses),
        *(_metric(analysis.metrics.get(name), name, trial, limit) for name, limit in limits.min_metrics.items()),
    ]
    found = [verdict for verdict in verdicts if verdict]
    return Check(
        broken=tuple(phrase for broken, phrase in found if broken),
        unknown=tuple(phrase for broken, phrase in found if not broken),
    )


_Verdict = tuple[bool, str] | None
"""None: holds. True with what is broken, or False with what is not known."""


def _at_most(what: str, value: float, limit: float | None, show: Callable[[float], str]) -> _Verdict:
    if limit is None or value <= limit:
        return None
    if math.isnan(value):
        return False, f"{what} not known"
    return True, f"{what} {show(value)} is over the limit of {show(limit)}"


def _latency(trial: TrialSummary, limit: float | None) -> _Verdict:
    """The p95 where it is known. Without it p90 can still break the limit, as p95 is never below it."""
    if limit is None:
        return None
    latency = trial.smallest_batch
    if latency is None:
        return False, "p95 latency not measured"
    if tail := latency.tail(95):
        return _at_most("p95 latency", tail.value, limit, milliseconds)
    lower = latency.percentiles[90].value
    calls = f"only {latency.calls} calls, p95 takes {LEAST_CALLS[95]}"
    if lower > limit:
        return True, f"p90 latency {milliseconds(lower)} is over the p95 limit of {milliseconds(limit)} ({calls})"
    return False, f"p95 latency not known: {calls}"


def _license(facts: Candidate | None, allowed: tuple[str, ...]) -> _Verdict:
    if not allowed or (facts and {facts.license, facts.license_class} & set(allowed)):
        return None
    if facts is None or facts.source == stored.SOURCE:
        return False, "licence not known"
    return True, f"licence {facts.license or 'unknown'} ({facts.license_class}) is not {' or '.join(allowed)}"


def _metric(metric: Metric | None, name: str, trial: TrialSummary, limit: float) -> _Verdict:
    score = trial.scores.get(name)
    if metric is None or score is None or math.isnan(score.value):
        return False, f"{name} not measured"
    if metric.higher_is_better and score.value < limit:
        return True, f"{name} {quality(score.value)} is under the limit of {quality(limit)}"
    if not metric.higher_is_better and score.value > limit:
        return True, f"{name} {quality(score.value)} is over the limit of {quality(limit)}"
    return None


def _number(value: int | None) -> float:
    return float("nan") if value is None else float(value)
