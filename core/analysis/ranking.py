"""The rule that picks one trial, simple enough to repeat aloud.

1. Drop what breaks a limit, and say which.
2. Of the rest, keep those that are not significantly worse than the best on the headline metric.
3. Of these, take the fastest at the smallest batch size; then the least memory, then the smallest model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.analysis import latency_ratio
from core.analysis import limits as limit_checks
from core.analysis.summary import analyse
from core.analysis.wording import enumerate_words, megabytes, milliseconds, p_value, points, quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.analysis.paired import Pair
    from core.analysis.summary import Analysis, TrialSummary
    from core.records import Limits, RunResult


@dataclass(frozen=True)
class Ranking:
    """Who wins, and why. Trials are named by id."""

    order: tuple[str, ...]
    """Every trial, best first: the tie set, the rest within the limits, the excluded, those that left a race, the
    ones without a result."""
    excluded: Mapping[str, tuple[str, ...]]
    """Finished trials that break a limit → what they break."""
    unknown: Mapping[str, tuple[str, ...]]
    """Finished trials → limits that could not be checked. That excludes nobody, but is said."""
    tied: tuple[str, ...]
    """Not significantly worse than the best, the winner first."""
    leader: str | None
    """The best on the headline metric among those within the limits."""
    winner: str | None
    reason: str
    """One sentence."""


def rank(run: RunResult, limits: Limits | None = None) -> Ranking:
    """The ranking of a run under its plan's limits, or under others."""
    return choose(analyse(run), limits)


def choose(analysis: Analysis, limits: Limits | None = None) -> Ranking:
    """As `rank`, of a run that is analysed already; cheap enough to follow a slider."""
    limits = limits or analysis.run.plan.limits
    checks = {trial.id: limit_checks.check(analysis, trial, limits) for trial in analysis.ranked}
    by_quality = sorted(analysis.ranked, key=lambda trial: _worst_last(-gain(analysis, trial)))
    within = [trial for trial in by_quality if not checks[trial.id].broken]
    outside = [trial for trial in by_quality if checks[trial.id].broken]
    tied = _tie_set(analysis, within)
    percentile = _shared_percentile(tied)
    by_cost = sorted(tied, key=lambda trial: _cost(trial, percentile))
    rest = [trial for trial in within if trial not in tied]
    stopped = sorted((t for t in analysis.finished if t.stopped), key=lambda trial: -len(trial.positions))
    pending = [trial for trial in analysis.trials if not trial.finished and trial.outcome.status != "failed"]
    failed = [trial for trial in analysis.trials if not trial.finished and trial.outcome.status == "failed"]
    return Ranking(
        order=tuple(trial.id for trial in (*by_cost, *rest, *outside, *stopped, *pending, *failed)),
        excluded={trial.id: checks[trial.id].broken for trial in outside},
        unknown={trial: check.unknown for trial, check in checks.items() if check.unknown},
        tied=tuple(trial.id for trial in by_cost),
        leader=max(tied, key=lambda trial: gain(analysis, trial)).id if tied else None,
        winner=by_cost[0].id if by_cost else None,
        reason=_reason(analysis, within, by_cost, outside, percentile, raced=bool(stopped))
        + _timed_apart(by_cost)
        + _left_behind(stopped),
    )


def gain(analysis: Analysis, trial: TrialSummary) -> float:
    """The headline score, signed so that more is better."""
    value = trial.scores[analysis.headline.name].value
    return value if analysis.headline.higher_is_better else -value


def against(analysis: Analysis, trial: str, metric: str | None = None) -> dict[str, Pair]:
    """Every other trial → its comparison with this one, as `other − trial`; Holm's family is these pairs."""
    return {pair.b: pair.seen_from(pair.b) for pair in analysis.pairs(metric, baseline=trial)}


def _tie_set(analysis: Analysis, within: list[TrialSummary]) -> list[TrialSummary]:
    """The best and those not significantly worse. A trial whose score is undefined is never among them."""
    known = [trial for trial in within if not math.isnan(gain(analysis, trial))]
    if not known:
        return []
    pairs = against(analysis, known[0].id)
    return [trial for trial in known if trial is known[0] or not pairs[trial.id].significant]


def _shared_percentile(trials: list[TrialSummary]) -> int:
    """p95 where all measured ones have it, else the median: never one trial's tail against another's middle."""
    measured = [trial.smallest_batch for trial in trials if trial.smallest_batch]
    return 95 if measured and all(latency.tail(95) for latency in measured) else 50


def _cost(trial: TrialSummary, percentile: int) -> tuple[float, float, float]:
    latency, facts = trial.smallest_batch, trial.outcome.candidate
    size = facts.parameters or facts.download_bytes if facts else None
    return (
        latency.percentiles[percentile].value if latency else math.inf,
        _worst_last(trial.memory()),
        math.inf if size is None else size,
    )


def _worst_last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _reason(
    analysis: Analysis,
    within: list[TrialSummary],
    tied: list[TrialSummary],
    outside: list[TrialSummary],
    percentile: int,
    raced: bool,
) -> str:
    if not tied:
        if outside:
            return f"No trial is within the limits: every one breaks a limit ({_excluded(outside)})."
        return "No trial has a result yet." if analysis.run.status != "done" else "No trial gave a result."
    winner, best = tied[0], within[0]
    metric = analysis.headline
    value = quality(winner.scores[metric.name].value)
    dropped = f", after {_excluded(outside)} broke a limit" if outside else ""
    if len(tied) == 1 and len(within) == 1:
        left = "that stayed in the race" if raced else "with a result"
        left = f"left{dropped}" if dropped else left
        return f"{winner.name} ({metric.name} {value}) is the only trial {left}."
    if len(tied) == 1:
        return f"{winner.name} has the best {metric.name} ({value}), significantly above all others{dropped}."
    cost = _cheapest_in(winner, tied, percentile)
    others = enumerate_words([trial.name for trial in tied[1:]] if len(tied) < 4 else [f"{len(tied) - 1} others"])
    if gain(analysis, winner) == gain(analysis, best):
        return f"{winner.name} has the best {metric.name} ({value}), tied with {others}, and is the {cost}{dropped}."
    pair = against(analysis, best.id)[winner.id]
    unit = " points" if metric.percent else ""
    margin = points(abs(pair.difference), metric.percent).lstrip("+") + unit
    return (
        f"{winner.name} ({metric.name} {value}) cannot be told from the best, {best.name} (ahead by {margin}, "
        f"{p_value(pair.p_holm)}), and is the {cost} of the {len(tied)} tied{dropped}."
    )


def _cheapest_in(winner: TrialSummary, tied: list[TrialSummary], percentile: int) -> str:
    """By which cost it won, with the number."""
    costs = [_cost(trial, percentile) for trial in tied]
    if len({cost[0] for cost in costs}) > 1 and winner.smallest_batch:
        latency = milliseconds(winner.smallest_batch.percentiles[percentile].value)
        return f"fastest (p{percentile} {latency} at batch {winner.smallest_batch.batch_size})"
    if len({cost[1] for cost in costs}) > 1:
        return f"lightest ({megabytes(winner.memory())} of memory)"
    return "smallest" if len({cost[2] for cost in costs}) > 1 else "first in the plan"


def _timed_apart(tied: list[TrialSummary]) -> str:
    """Which of the tied is the fastest is known less well where they were timed one after the other."""
    smallest = tied[0].smallest_batch if tied else None
    if smallest is None or len(tied) == 1 or latency_ratio.together(tied, smallest.batch_size):
        return ""
    return " Not all of these were timed together: which is the fastest is less sure."


def _left_behind(stopped: list[TrialSummary]) -> str:
    if not stopped:
        return ""
    who = stopped[0].name if len(stopped) == 1 else f"{len(stopped)} trials"
    return f" {who} left the race early, surely worse."


def _excluded(outside: list[TrialSummary]) -> str:
    return enumerate_words([trial.name for trial in outside] if len(outside) < 4 else [f"{len(outside)} trials"])
