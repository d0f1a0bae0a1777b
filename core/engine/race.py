"""The race: candidates answer the same rows in rounds, and those that are surely worse than the best stop early.

After each round every pair of candidates has a confidence sequence for the mean difference of their per-row scores: an
interval that holds at all rows at once, so that looking after every round, and stopping when it suits, costs nothing.
It is the betting one of Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting"
(Journal of the Royal Statistical Society B 86(1)), with constant bets that are averaged ("diversified Kelly"), which is
a martingale of mean one whatever the scores are, so long as they are bounded. Ville's inequality gives the level.

Two questions are asked of it, and a candidate stops only when both say that it is worse:

- of data like these: rows as draws from a population, as for every other interval of this program;
- of these very rows: draws without replacement from the finite data set, as in the same paper. At the last row this is
  what a full run would say.

Family: let b be the truly best of K candidates. Whoever leads meanwhile, b is only stopped if the sequence of one of
the K - 1 pairs that contain b is wrong. With two-sided sequences at alpha / (K - 1) each, all of these hold with
probability 1 - alpha (Bonferroni), for either question: then b never stops, and every interval of a difference to b is
right. It does not matter that nobody knows which candidate b is (compare Hsu 1984, multiple comparisons with the best).

The race ends early once all that are left are surely within the tolerance of each other on these rows: whichever of
them is chosen is then no further from the best of a full run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from core import registry
from core.errors import PlanError
from core.metrics.base import per_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.metrics.base import Metric
    from core.tasks.base import Task

FIRST_ROUND = 256
"""Smaller ones save little, and no batch sizes nor screening can be tried on them."""
GROWTH = 1.5
BETS = np.array([0.04, 0.08, 0.16, 0.32, 0.64])
"""Shares of the capital that are staked, averaged. The best share for a difference is about difference / share of rows
that differ (Kelly 1956); within a factor of √2 of it the capital grows nearly as fast."""
_HALVINGS = 24
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Beaten:
    """A candidate that is surely worse than the leader. Differences are its score minus the leader's, in [-1, 1]."""

    leader: str
    rows: int
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """Where a race is after a round."""

    leader: str
    beaten: Mapping[str, Beaten]
    decided: bool
    """Whether all that are left are surely within the tolerance of each other."""


def order(evalset: str, rows: int) -> list[int]:
    """The order in which every candidate answers the rows: drawn at random, the same for the same data set."""
    drawn: list[int] = np.random.default_rng(list(evalset.encode())).permutation(rows).tolist()
    return drawn


def rounds(rows: int) -> list[int]:
    """How many rows are answered at the end of each round; the last number is all of them."""
    ends, end = [], float(FIRST_ROUND)
    while end < rows:
        ends.append(int(end))
        end *= GROWTH
    return [*ends, rows]


def check(task: Task, metric: Metric) -> None:
    """See to it that a race can be decided on the metric. Raises PlanError."""
    if metric.mean_of_rows:
        return
    able = [one.name for one in registry.metrics_of(task).values() if one.mean_of_rows]
    fitting = f"Put one of these first: {', '.join(able)}; or leave out `race`." if able else "Leave out `race`."
    raise PlanError(
        f"There is no race on {metric.name}: it is not the mean of bounded scores of rows, so no bound says when a "
        "model is surely worse.",
        fitting,
    )


def scores(
    metric: Metric, statistics: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Scores of rows in [0, 1], more is better: (n, k) → (n,). A row without a score is 0, for every candidate.

    The metric is one that `check` lets pass.
    """
    share = per_row(metric, statistics, labels, options) / (metric.upper or 1.0)
    return np.nan_to_num(share if metric.higher_is_better else 1 - share)


def standing(
    answered: Mapping[str, NDArray[np.float64]],
    racing: Collection[str],
    *,
    rows: int,
    candidates: int,
    tolerance: float,
    alpha: float,
) -> Standing:
    """Who leads, who is surely worse, and whether the race is decided.

    Args:
        answered: Candidate → its scores in [0, 1] in the shared order. Where one has answered fewer rows than another,
            the two are compared over the rows of both.
        racing: Those of them that may be stopped; the others have ended, and only can lead.
        rows: Rows of the data set.
        candidates: How many were in the race at its start.
        tolerance: The difference that does not matter, in [0, 1].
        alpha: How often the best may be stopped.
    """
    leader = max(answered, key=lambda one: float(answered[one].mean()))
    level = alpha / max(1, candidates - 1)
    beaten = {}
    for one in answered:
        if one != leader and one in racing and (found := _beaten(leader, answered[leader], answered[one], rows, level)):
            beaten[one] = found
    left = [values for one, values in answered.items() if one not in beaten]
    decided = all(_within(*_paired(a, b), rows, tolerance, level) for a, b in combinations(left, 2))
    return Standing(leader, beaten, decided)


def bounds(differences: NDArray[np.float64], alpha: float, population: int | None = None) -> tuple[float, float]:
    """The confidence sequence of the mean at the last of these differences, intersected over all before it.

    Args:
        differences: In [-1, 1], in random order, shape (n,).
        alpha: How often it may miss the mean at any row; half of it on each side.
        population: Rows of the finite data set that they are drawn from without replacement; its mean is meant then.
            None: draws from a population without end.
    """
    return _lower(differences, alpha / 2, population), -_lower(-differences, alpha / 2, population)


def log_capital(differences: NDArray[np.float64], null: float, population: int | None = None) -> float:
    """Logarithm of the most that bets on a mean above `null` have made of 1 at any row.

    If the mean is at most `null`, it reaches log(1 / a) with probability a at most (Ville's inequality).

    Args:
        differences: In [-1, 1], in random order, shape (n,).
        null: The mean that is bet against, in [-1, 1].
        population: As in `bounds`.
    """
    gained = 1.0 + differences
    fair = np.full(len(gained), 1.0 + null)
    if population is not None:
        # What the rows that are left would have to bring on average, for the mean of all to be `null`.
        missing = population * (1.0 + null) - np.concatenate(([0.0], np.cumsum(gained)))
        if missing.min() < -_ROUNDING * population:
            return float("inf")
        fair = missing[:-1] / (population - np.arange(len(gained)))
    growth = np.log1p(BETS[:, None] * (gained / np.maximum(fair, _ROUNDING) - 1.0)).cumsum(axis=1)
    return float((np.logaddexp.reduce(growth, axis=0) - np.log(len(BETS))).max(initial=0.0))


def _beaten(
    leader: str, best: NDArray[np.float64], other: NDArray[np.float64], rows: int, level: float
) -> Beaten | None:
    best, other = _paired(best, other)
    ahead, enough = best - other, np.log(2 / level)
    if min(log_capital(ahead, 0.0), log_capital(ahead, 0.0, rows)) < enough:
        return None
    low, high = bounds(ahead, level)
    return Beaten(leader, len(ahead), -float(ahead.mean()), -high, -low)


def _within(a: NDArray[np.float64], b: NDArray[np.float64], rows: int, tolerance: float, level: float) -> bool:
    """Whether the two are surely no further apart than the tolerance on these rows."""
    return all(log_capital(one, -tolerance, rows) >= np.log(2 / level) for one in (a - b, b - a))


def _paired(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shared = min(len(a), len(b))
    return a[:shared], b[:shared]


def _lower(differences: NDArray[np.float64], alpha: float, population: int | None) -> float:
    """The largest mean that is bet against with success: the capital falls as `null` rises."""
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if log_capital(differences, middle, population) >= np.log(1 / alpha):
            low = middle
        else:
            high = middle
    return low
