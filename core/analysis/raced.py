"""How a race of a run went, as a whole; where each trial left it is its own `Outcome.stopped`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.catalog import stored

if TYPE_CHECKING:
    from core.records import RunResult


@dataclass(frozen=True)
class Raced:
    """A race, finished or not."""

    trials: int
    left: int
    """How many of them left it."""
    answered: int
    """Rows, over all trials that ran."""
    rows: int
    """What a full run would have answered."""
    tolerance: float
    """A difference of the headline metric that does not matter."""
    alpha: float
    """How often the best may leave."""


def raced(run: RunResult) -> Raced | None:
    """What the race was and saved; None where the plan asks for none."""
    if not run.plan.protocol.race:
        return None
    ran = [one for one in run.outcomes if one.spec.source != stored.SOURCE and one.status != "failed"]
    return Raced(
        trials=len(ran),
        left=sum(one.stopped is not None for one in ran),
        answered=sum(one.rows_done for one in ran),
        rows=len(ran) * len(run.evalset.ids),
        tolerance=run.plan.protocol.race_tolerance,
        alpha=run.plan.protocol.race_alpha,
    )


def in_words(race: Raced) -> str:
    """How many left, what that saved, and what it may cost."""
    return (
        f"{race.left} of {race.trials} trials left it, {race.answered:,} of {race.rows:,} rows were answered; the best "
        f"leaves in at most {race.alpha:.0%} of races, and differences up to {race.tolerance:g} decide nothing"
    )
