"""What the Compare page shows of trials against each other, and whether the rows suffice to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.analysis import paired
from core.analysis.ranking import against, gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis


@dataclass(frozen=True)
class ForestRow:
    """One trial against the baseline: the trial's score minus the baseline's."""

    trial: str
    name: str
    difference: float
    low: float
    high: float
    p_holm: float
    significant: bool


def forest(analysis: Analysis, baseline: str, metric: str | None = None) -> list[ForestRow]:
    """Every other finished trial against one, best first."""
    pairs = against(analysis, baseline, metric)
    rows = [
        ForestRow(t, analysis.trial(t).name, p.difference, p.low, p.high, p.p_holm, p.significant)
        for t, p in pairs.items()
    ]
    sign = 1 if (analysis.metrics[metric] if metric else analysis.headline).higher_is_better else -1
    return sorted(rows, key=lambda row: -sign * row.difference)


@dataclass(frozen=True)
class Differences:
    """All pairs at once: cell (i, j) is trial i minus trial j."""

    trials: tuple[str, ...]
    names: tuple[str, ...]
    difference: NDArray[np.float64]
    p_holm: NDArray[np.float64]


def differences(analysis: Analysis, metric: str | None = None) -> Differences:
    """Differences of all finished trials on a metric, best first."""
    trials = sorted(analysis.finished, key=lambda trial: -np.nan_to_num(gain(analysis, trial), nan=-np.inf))
    place = {trial.id: index for index, trial in enumerate(trials)}
    difference = np.zeros((len(trials), len(trials)))
    p_holm = np.ones_like(difference)
    for pair in analysis.pairs(metric):
        i, j = place[pair.a], place[pair.b]
        difference[i, j], difference[j, i] = pair.difference, -pair.difference
        p_holm[i, j] = p_holm[j, i] = pair.p_holm
    return Differences(tuple(place), tuple(trial.name for trial in trials), difference, p_holm)


@dataclass(frozen=True)
class EnoughRows:
    """What the number of rows can show of the best two trials."""

    rows: int
    best: str
    second: str
    pair: paired.Pair
    """The best minus the second."""
    needed: int | None
    """Rows in all that would separate them four times in five, were the difference seen the true one; None: none."""
    detectable: float | None
    """Smallest difference that these rows can tell from chance, as a share. None: none, or a metric that does not count
    right and wrong rows."""


def enough_rows(analysis: Analysis, ranking: Ranking) -> EnoughRows | None:
    """Can these rows separate the best two within the limits? None where there are not two."""
    within = [trial for trial in analysis.ranked if trial.id not in ranking.excluded]
    if ranking.leader is None or len(within) < 2:
        return None
    best = analysis.trial(ranking.leader)
    second = max((t for t in within if t is not best), key=lambda t: np.nan_to_num(gain(analysis, t), nan=-np.inf))
    pair = against(analysis, best.id)[second.id].seen_from(best.id)
    detectable = None
    if analysis.headline.binary:
        discordant = pair.rows * pair.error**2 + pair.difference**2
        detectable = paired.detectable_difference(pair.rows, discordant=discordant)
    return EnoughRows(pair.rows, best.name, second.name, pair, paired.rows_needed(pair), detectable)
