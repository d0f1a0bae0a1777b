"""What the readable reports say: worked out once, drawn as Markdown and as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from core.analysis import raced, serving, writing
from core.analysis.answer import shipped
from core.analysis.ranking import against, choose
from core.analysis.summary import Analysis, analyse
from core.analysis.views import LeaderboardRow, QualityLatency, leaderboard, quality_latency
from core.analysis.wording import NOTHING, SCREENED, SCREENING, left_the_race, limits_in_words
from core.review import chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.analysis.paired import Pair
    from core.metrics.base import Metric
    from core.records import RunResult


@dataclass(frozen=True)
class Summary:
    """A run as seen from its chosen trial."""

    heading: str
    reason: str
    metric: Metric
    """The headline."""
    best: LeaderboardRow
    """The chosen trial, whether or not the rule picks it too."""
    board: tuple[LeaderboardRow, ...]
    plane: QualityLatency
    comparisons: tuple[tuple[str, Pair], ...]
    """Name of another trial, and the chosen one's difference to it."""
    facts: tuple[tuple[str, str], ...]
    """Label and text, e.g. ("Rows", "872")."""


def summarise(run: RunResult, trial: str) -> Summary:
    """The run as seen from `trial`. Raises UnknownName where the run has no such trial."""
    outcome = chosen(run, trial)
    analysis = analyse(run)
    ranking = choose(analysis)
    board = leaderboard(analysis, ranking)
    best = next(row for row in board if row.trial == trial)
    names = {row.trial: row.name for row in board}
    pairs = against(analysis, trial)
    rule = names.get(ranking.winner or "")
    overruled = f"Chosen by hand: the rule picks {rule or 'none'}. {ranking.reason}"
    return Summary(
        heading="Ship {}{}".format(*shipped(outcome.spec.source, outcome.spec.model, outcome.spec.variant))
        if outcome.status == "done"
        else f"No result of {best.model}",
        reason=ranking.reason if ranking.winner == trial else overruled,
        metric=analysis.headline,
        best=best,
        board=tuple(board),
        plane=quality_latency(analysis, ranking),
        comparisons=tuple((names[other], pairs[other].seen_from(trial)) for other in names if other in pairs),
        facts=_facts(analysis, outcome.environment),
    )


def remark(row: LeaderboardRow, metric: Metric) -> str:
    """What stands against a trial: why it failed, where it left a race, or the limits it breaks. Empty: nothing does.

    `metric` is the headline, which the race was on.
    """
    if row.failure:
        return f"{row.status}: {row.failure.message}"
    if row.stopped:
        return left_the_race(row.stopped, metric.percent)
    return "; ".join(row.violations) if row.status == "done" else row.status


def _metric(metric: Metric, signature: str) -> str:
    return f"{metric.title} ({signature})" if signature else metric.title


def _facts(analysis: Analysis, environment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    run, dataset = analysis.run, analysis.run.plan.dataset
    skipped, race = len(run.evalset.skipped), raced.raced(run)
    wrote = [f"{row.name}: {row.writing.in_words}" for row in writing.smallest(analysis)]
    served = [f"{row.name}: {row.server.in_words}" for row in serving.scenarios(analysis) if row.server]
    screened = any(trial.speed.screened for trial in analysis.trials)
    unusable = f" ({skipped:,} unusable, not scored)" if skipped else ""
    machine = [str(environment[key]) for key in ("cpu", "gpu") if environment.get(key)]
    versions = [f"{key} {environment[key]}" for key in ("torch", "transformers") if environment.get(key)]
    return (
        ("Task", analysis.task.title),
        ("Data", dataset.repo or PurePath(dataset.path or NOTHING).name),
        ("Data revision", dataset.revision or NOTHING),
        ("Rows", f"{len(run.evalset.ids):,}{unusable}"),
        *([("Race", raced.in_words(race))] if race else []),
        *([(f"Rows/s {SCREENED}", SCREENING.removeprefix(f"{SCREENED} "))] if screened else []),
        *([("Server scenario", "; ".join(served))] if served else []),
        *([("Writing, at the smallest batch", "; ".join(wrote))] if wrote else []),
        ("Metrics", "; ".join(_metric(metric, analysis.signatures[name]) for name, metric in analysis.metrics.items())),
        ("Limits", "; ".join(limits_in_words(run.plan.limits)) or "none"),
        ("Machine", ", ".join(machine) or NOTHING),
        ("Versions", ", ".join(versions) or NOTHING),
        ("Run", run.id),
        ("Plan", run.plan_hash),
    )
