"""Races of candidates that exist only as right and wrong rows: what a race saves, and how often it is wrong."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.analysis.paired import ALPHA, holm, mcnemar
from core.engine import race

ACCURACIES = (0.80, 0.93)
DIFFICULTY = 2.0
"""Standard deviation of the rows' difficulty, in logits, shared by all candidates: two of them then differ on about one
row of six."""
POINT = 0.01


@dataclass(frozen=True)
class Simulated:
    """One race beside the full run over the same rows."""

    saved: float
    """Rows that all candidates answer in a full run, over those answered in the race."""
    behind_full: float
    """Accuracy over all rows: the best candidate's less that of the race's winner."""
    behind_truth: float
    """The same of the true accuracies."""
    lost_best: bool
    """Whether the candidate that is best over all rows was stopped."""
    lost_tied: int
    """Stopped candidates that the full run would have called tied with its best."""


def draw(candidates: int, rows: int, generator: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right (1) and wrong (0) rows of each candidate, shape (candidates, rows), and their true accuracies."""
    accuracies = generator.uniform(*ACCURACIES, candidates)
    difficulty = generator.normal(0, DIFFICULTY, rows)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    skills = np.linspace(0, 10, 501)
    reached = expit(skills[:, None] - DIFFICULTY * nodes) @ weights / weights.sum()
    skill = np.interp(accuracies, reached, skills)
    return (generator.random((candidates, rows)) < expit(skill[:, None] - difficulty)).astype(np.float64), accuracies


@dataclass(frozen=True)
class Raced:
    """How a race ended."""

    winner: int
    answered: int
    """Rows, over all candidates."""
    stopped: frozenset[int]


def run(right: NDArray[np.float64], tolerance: float = POINT, alpha: float = ALPHA) -> Raced:
    """A race over these rows."""
    candidates, rows = right.shape
    live, answered = {str(index): scores for index, scores in enumerate(right)}, 0
    before = 0
    for done in race.rounds(rows):
        answered += len(live) * (done - before)
        before = done
        so_far = {name: scores[:done] for name, scores in live.items()}
        found = race.standing(so_far, so_far, rows=rows, candidates=candidates, tolerance=tolerance, alpha=alpha)
        if done == rows:
            break
        live = {name: scores for name, scores in live.items() if name not in found.beaten}
        if found.decided:
            break
    return Raced(int(found.leader), answered, frozenset(range(candidates)) - {int(name) for name in live})


def simulate(candidates: int, rows: int, seed: int) -> Simulated:
    """One race beside the full run."""
    right, accuracies = draw(candidates, rows, np.random.default_rng([seed, candidates, rows]))
    raced = run(right)
    reached = right.mean(axis=1)
    best = int(reached.argmax())
    return Simulated(
        saved=candidates * rows / raced.answered,
        behind_full=float(reached[best] - reached[raced.winner]),
        behind_truth=float(accuracies.max() - accuracies[raced.winner]),
        lost_best=best in raced.stopped,
        lost_tied=len(raced.stopped & _tied(right, best)),
    )


def line(candidates: int, rows: int, results: Sequence[Simulated]) -> str:
    """One line of the table."""
    saved = [one.saved for one in results]
    low, high = np.quantile(saved, [0.1, 0.9])
    shares = [
        statistics.fmean(one.behind_full <= POINT for one in results),
        statistics.fmean(one.behind_truth <= POINT for one in results),
        statistics.fmean(one.lost_best for one in results),
    ]
    tied = statistics.fmean(one.lost_tied for one in results)
    return (
        f"{candidates:>3} {rows:>7,} {statistics.median(saved):>8.2f} [{low:.2f}, {high:.2f}] "
        f"{shares[0]:>12.1%} {shares[1]:>12.1%} {shares[2]:>12.1%} {tied:>12.2f}"
    )


HEADING = f"{'K':>3} {'N':>7} {'full / raced':>21} " + " ".join(
    f"{title:>12}" for title in ("within 1 pt", "of the true", "best lost", "tied lost")
)


def _tied(right: NDArray[np.float64], best: int) -> set[int]:
    """Those that a full run does not find significantly worse than its best."""
    others = [index for index in range(len(right)) if index != best]
    only_best = [int((right[best] > right[index]).sum()) for index in others]
    only_other = [int((right[best] < right[index]).sum()) for index in others]
    p = holm(mcnemar(only_best, only_other))
    return {best, *(index for index, one in zip(others, p.tolist(), strict=True) if one >= ALPHA)}
