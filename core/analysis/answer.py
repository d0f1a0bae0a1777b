"""What the answer card says beside the winner's numbers: why not the next one, and whether the rows suffice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.analysis import latency_ratio
from core.analysis.ranking import against
from core.analysis.wording import device_name, megabytes, milliseconds, p_value, points
from core.catalog import stored

if TYPE_CHECKING:
    from core.analysis.paired import Pair
    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis, TrialSummary
    from core.analysis.versus import EnoughRows
    from core.metrics.base import Metric
    from core.records import Variant


@dataclass(frozen=True)
class RunnerUp:
    """The trial that would be chosen if the winner were not there."""

    trial: str
    name: str
    pair: Pair
    """The runner-up minus the winner."""
    sentences: tuple[str, ...]
    """Quality first, then what it costs."""


def runner_up(analysis: Analysis, ranking: Ranking) -> RunnerUp | None:
    """Why the second is not the first. None where no second trial within the limits has a result."""
    able = {trial.id for trial in analysis.ranked} - set(ranking.excluded)
    within = [trial for trial in ranking.order if trial in able]
    if ranking.winner is None or len(within) < 2:
        return None
    winner, second = analysis.trial(ranking.winner), analysis.trial(within[1])
    pair = against(analysis, winner.id)[second.id]
    sentences = (_quality(pair, analysis.headline), *_costs(second, winner))
    return RunnerUp(second.id, second.name, pair, sentences)


def shipped(source: str, model: str, variant: Variant) -> tuple[str, str]:
    """What is chosen, and how it runs: the model and ` on CPU, float32`."""
    if source == stored.SOURCE:
        return Path(model).name, ", predictions made elsewhere"
    return model, f" on {variant_in_words(variant)}"


def variant_in_words(variant: Variant) -> str:
    """`CPU, float32`: where and at which precision, in full."""
    parts = [device_name(variant.device), variant.quantization or variant.dtype]
    if variant.backend != "torch":
        parts.append(variant.backend)
    return ", ".join(parts)


def enough_rows_in_words(enough: EnoughRows, metric: Metric) -> str:
    """Whether the rows can tell the best two apart, and how many could."""
    pair, rows = enough.pair, f"{enough.rows:,} rows"
    ahead = f"{enough.best} is {difference_in_words(abs(pair.difference), metric).lstrip('+')} ahead of {enough.second}"
    if not pair.difference:
        return f"{enough.best} and {enough.second} score the same on these {rows}: more rows may not part them."
    if pair.significant:
        return f"{ahead}, and these {rows} are enough to say so ({p_value(pair.p_holm)})."
    needed = f"; about {enough.needed:,} would, were that the true difference" if enough.needed else ""
    return f"{ahead}, which {rows} cannot tell from chance ({p_value(pair.p_holm)}){needed}."


def difference_in_words(difference: float, metric: Metric) -> str:
    """+1.2 points, or +0.012 where the metric is not read as a percentage."""
    return points(difference, metric.percent) + (" points" if metric.percent else "")


def _quality(pair: Pair, metric: Metric) -> str:
    between = f"{points(pair.low, metric.percent)} to {points(pair.high, metric.percent)}"
    shown = f"Its {metric.name} differs by {difference_in_words(pair.difference, metric)} ({between})"
    if not pair.significant:
        return f"{shown}: chance may explain that ({p_value(pair.p_holm)})."
    return f"{shown}: that is more than chance ({p_value(pair.p_holm)})."


def _costs(second: TrialSummary, winner: TrialSummary) -> list[str]:
    """What a call takes and what it holds in memory, against the winner."""
    sentences = []
    its, its_rival = second.smallest_batch, winner.smallest_batch
    if its and its_rival:
        percentile = 95 if its.tail(95) and its_rival.tail(95) else 50
        call, other = its.percentiles[percentile].value, its_rival.percentiles[percentile].value
        apart = "" if latency_ratio.together([second, winner], its.batch_size) else ", not timed together"
        sentences.append(f"A call takes {milliseconds(call)} instead of {milliseconds(other)} (p{percentile}{apart}).")
    if not math.isnan(second.memory()) and not math.isnan(winner.memory()):
        sentences.append(f"It needs {megabytes(second.memory())} of memory instead of {megabytes(winner.memory())}.")
    return sentences
