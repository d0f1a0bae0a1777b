"""The trials of a run that race: rounds of rows for all of them, and after each the decision who goes on.

What is decided depends on committed rows alone, taken in one order, so a runner that takes over decides the same again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.engine import race
from core.engine.race import Beaten
from core.jobs.trial import Trial
from core.metrics.base import resolve_options
from core.records import Chunk, Stopped
from core.store import Claim, Store

NAN = float("nan")
ALONE = "The race ended after {done:,} of {rows:,} rows: all others were surely worse."
WITHIN = (
    "The race ended after {done:,} of {rows:,} rows: all that were left are surely within {tolerance:g} of each other "
    "on {metric}."
)


class Race:
    """The scores of all trials in it, and what follows from them."""

    def __init__(self, store: Store, claim: Claim) -> None:
        """Read what is committed of the run that the claim is of."""
        result = store.run(claim.run)
        spec, task = claim.spec, registry.task(claim.spec.task)
        self._store, self._run, self._protocol = store, claim.run, spec.protocol
        self._metric = registry.metric(spec.metrics[0], task)
        self._options = resolve_options(self._metric, spec.options)
        self._labels = result.evalset.labels
        self._order = race.order(result.evalset.id, len(result.evalset.ids))
        self._rounds = race.rounds(len(self._order))
        outcomes = [one for one in result.outcomes if one.spec.race]
        self._candidates = len(outcomes)
        self._out = {one.trial for one in outcomes if one.stopped}
        self._scores: dict[str, NDArray[np.float64]] = {}
        for outcome in outcomes:
            for chunk in outcome.chunks:
                self.keep(outcome.trial, chunk)

    def keep(self, trial: str, chunk: Chunk) -> None:
        """Take in what a trial has scored."""
        known = self._scores.setdefault(trial, np.full(len(self._order), NAN))
        statistics = np.asarray(chunk.statistics[self._metric.name])
        known[list(chunk.positions)] = race.scores(self._metric, statistics, self._labels, self._options)

    def enter(self, trial: Trial) -> None:
        """Predict the rows of the first round."""
        trial.predict(self._order[: self._rounds[0]])

    def run(self, trials: Sequence[Trial]) -> list[Trial]:
        """Let the trials predict round by round until the race is decided; those that were not stopped.

        As long as others have yet to come, because not all fit into memory together, it cannot be decided: who is left
        answers all rows. So does one whom nobody has raced.
        """
        for done in self._rounds:
            live = [trial for trial in trials if not trial.over]
            for trial in live:
                trial.predict(self._order[:done])
            live = [trial for trial in live if not trial.over]
            if done == len(self._order) or not live:
                break
            if self._judge(live, done) and not self._others_come(live):
                left = [trial for trial in live if not trial.over]
                for trial in left:
                    trial.note(self._decided(done, len(left)))
                break
        return [trial for trial in trials if not trial.over]

    def _judge(self, live: Sequence[Trial], done: int) -> bool:
        """Stop the trials that are surely worse after so many rows. Whether the rest is decided.

        It never is where one is alone because all others failed: it has beaten nobody.
        """
        racing = {trial.claim.trial: trial for trial in live}
        answered = self._answered(racing, done)
        found = race.standing(
            answered,
            racing,
            rows=len(self._order),
            candidates=self._candidates,
            tolerance=self._protocol.race_tolerance / self._scale,
            alpha=self._protocol.race_alpha,
        )
        for name, beaten in found.beaten.items():
            self._out.add(name)
            racing[name].stop(self._stopped(beaten))
        return found.decided and (len(answered) > 1 or bool(self._out))

    def _answered(self, racing: Sequence[str] | dict[str, Trial], done: int) -> dict[str, NDArray[np.float64]]:
        """The scores of the first rows in the shared order, of all that are in the race or have ended it unbeaten."""
        ended = {one.trial for one in self._store.progress(self._run).outcomes if one.status == "done"} - self._out
        answered = {}
        for name in self._scores:
            if name in racing or name in ended:
                scores = self._scores[name][self._order[:done]]
                missing = np.flatnonzero(np.isnan(scores))
                answered[name] = scores[: missing[0]] if len(missing) else scores
        return answered

    def _others_come(self, live: Sequence[Trial]) -> bool:
        held = {trial.claim.trial for trial in live}
        outcomes = self._store.progress(self._run).outcomes
        return any(one.status in ("queued", "running") and one.trial not in held for one in outcomes)

    @property
    def _scale(self) -> float:
        return self._metric.upper or 1.0

    def _stopped(self, beaten: Beaten) -> Stopped:
        """In the units of the metric, and with its sign: of an error rate, more is worse."""
        low, difference, high = (self._scale * one for one in (beaten.low, beaten.difference, beaten.high))
        if not self._metric.higher_is_better:
            low, difference, high = -high, -difference, -low
        return Stopped(beaten.rows, beaten.leader, difference, low, high)

    def _decided(self, done: int, left: int) -> str:
        return (WITHIN if left > 1 else ALONE).format(
            done=done, rows=len(self._order), tolerance=self._protocol.race_tolerance, metric=self._metric.name
        )
