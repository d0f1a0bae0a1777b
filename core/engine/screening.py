"""The quality pass of models whose answer is the largest of some logits: a bfloat16 copy answers, float32 decides.

A copy of the model at bfloat16 runs over all rows; those whose two largest logits lie close together are run again at
float32. Where no logit of the copy is further than d from the model's own, the largest can only be another one where
the margin between the two largest is at most 2 d. Of d only a sample is known: the largest difference seen on some rows
before anything is screened, and on every row that is run again. So the bound is 4 d, which is what it takes: with the d
of 64 rows, 2 d missed a flip in up to 3.5 % of draws on trained classifiers (ten, 1,000 to 1,800 rows each), 3 d
and 4 d in none of 200. Models with random weights, whose errors have no bound worth the name, are told by how much of
the sample is in doubt. Rows with margins up to 8 d are held back until all below 4 d have been compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from core.engine.backends.base import Session
from core.engine.budget import Budget
from core.engine.passage import Finish, Passage
from core.records import Variant
from core.tasks.base import Answered, Argmax, Context, Piece, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW = "bfloat16"
LEAST_ROWS = 256
"""Fewer are done before a copy pays."""
SAMPLE_SHARE, SAMPLE_LEAST, SAMPLE_MOST = 20, 64, 128
"""Rows compared before anything is screened: one of 20, at least 64, at most 128; and a batch of the longest rows."""
MOST_SAMPLED = 0.2
"""Of the tokens to come may be in the sample: where screening turns out not to pay, a third of that is lost."""
PROBE = 8
"""Rows that tell whether the device is fast at low precision at all."""
SAFETY = 4
"""The bound, in largest differences seen."""
MOST_AGAIN = 0.1
"""Where more of the sample is within the bound, low precision tells too little of this model to be trusted."""
GAIN = 1.3
"""Screening must be so many times faster than float32 alone, rows that run twice included."""

Rows = Mapping[int, Sequence[Piece]]


def suits(task: Task, variant: Variant, context: Context) -> bool:
    """Whether screening may be tried: float32 on a CPU or an NVIDIA GPU, and metrics that read the answer alone."""
    return (
        context.protocol.screen
        and isinstance(task, Argmax)
        and context.needs == {"answer"}
        and (variant.backend, variant.dtype, variant.quantization) == ("torch", "float32", None)
        and variant.device in ("cpu", "cuda")
    )


class Screening:
    """Runs rows through the copy and through the model, or through the model alone where screening does not pay."""

    def __init__(
        self,
        exact: Passage,
        task: Argmax,
        copy: Callable[[], Session | None],
        budget: Callable[[], Budget],
        alone: Passage | None = None,
    ) -> None:
        """Screen rows.

        Args:
            exact: The model at float32.
            task: Says what the answer is the largest of.
            copy: Makes the copy; None where memory does not hold both. Called once at most.
            budget: Makes a budget for the copy.
            alone: The model at float32 where rows are not screened, if that is another passage.
        """
        self._exact, self._task, self._copy, self._budget = exact, task, copy, budget
        self._alone = alone or exact
        self._tried = False
        self._low: Passage | None = None
        self._difference = 0.0
        self._rows = self._rechecked = self._missed = 0

    @property
    def is_on(self) -> bool:
        """Whether rows are being screened."""
        return self._low is not None

    @property
    def bound(self) -> float:
        """Rows whose margin is not larger are run again."""
        return SAFETY * self._difference

    def facts(self) -> dict[str, Any]:
        """What was done, for the record; empty where nothing was screened."""
        if not self._rows:
            return {}
        facts = {"screened": LOW, "rechecked": round(self._rechecked / self._rows, 4)}
        return facts if self._low is None else {**facts, "batch_tokens": self._low.budget.tokens}

    def note(self) -> str | None:
        """The same as a sentence; None where nothing was screened."""
        if not self._rows:
            return None
        note = f"Screened at bf16, {100 * self._rechecked / self._rows:.1f} % re-checked: rows per second are of both."
        if self._missed:
            note += f" {self._missed} rows were answered before it showed that their margin was too small for it."
        return note

    def run(self, rows: Rows, finish: Finish, to_come: int | None = None) -> None:
        """Run all rows; arguments and errors as in `Passage.run`.

        Args:
            rows: As there.
            finish: As there.
            to_come: How many rows there will be with these, in later rounds or blocks; None: no others.
        """
        if not self._tried and len(rows) >= LEAST_ROWS:
            halves = self._sample(rows)
            if _is_small(halves, rows, to_come or len(rows)):
                self._tried = True
                rows = self._calibrate(rows, halves, finish)
        if self._low is None:
            self._alone.run(rows, finish)
        else:
            self._screen(self._low, rows, finish)

    def _calibrate(self, rows: Rows, halves: tuple[Rows, Rows], finish: Finish) -> Rows:
        """Compare both on a sample, and screen if that is safe and pays. Returns the rows that are left."""
        full, found = _Collected(), _Collected()
        # The longest rows first, and before there is a copy: what the model takes by itself is measured on them.
        full_seconds = self._exact.run(halves[0], full)
        low_seconds = 0.0
        session = self._copy()
        if session is not None:
            low = Passage(session, self._exact.context, self._budget(), self._exact.clock, finite=False)
            if self._is_fast(low, halves[0]):
                low_seconds = low.run(halves[0], found)
                full_seconds += self._exact.run(halves[1], full)
                low_seconds += low.run(halves[1], found)
                compared = [[self._compare(found.rows[one], full.rows[one]) for one in half] for half in halves]
                if _is_safe(compared) and self._pays(compared, full_seconds / low_seconds):
                    self._low = low
        finish(full.rows, full_seconds + low_seconds)
        return {position: pieces for position, pieces in rows.items() if position not in full.rows}

    def _sample(self, rows: Rows) -> tuple[Rows, Rows]:
        """Two halves of a seeded draw; a batch of the longest rows comes with the first."""
        import numpy as np

        order = sorted(rows, key=lambda position: -_tokens(rows[position]))
        tokens = count = 0
        while count < len(order) and tokens < self._exact.budget.tokens:
            tokens += _tokens(rows[order[count]])
            count += 1
        longest, others = order[:count], order[count:]
        size = max(SAMPLE_LEAST, min(len(rows) // SAMPLE_SHARE, SAMPLE_MOST))
        rng = np.random.default_rng(0)
        drawn = rng.permutation(others)[:size].tolist()
        first, second = [*longest, *drawn[::2]], drawn[1::2]
        return {one: rows[one] for one in first}, {one: rows[one] for one in second}

    def _is_fast(self, low: Passage, rows: Rows) -> bool:
        """Whether a few rows take no longer than at float32: on some processors they would take ten times as long."""
        few = dict(list(rows.items())[-PROBE:])
        low.run(few, _ignored)  # the first run at a precision sets up what the next ones have
        return low.run(few, _ignored) <= self._exact.run(few, _ignored)

    def _pays(self, compared: Sequence[Sequence[_Comparison]], ratio: float) -> bool:
        together = [one for half in compared for one in half]
        self._difference = max(one.difference for one in together)
        again = sum(one.margin <= self.bound for one in together) / len(together)
        return again <= MOST_AGAIN and 1 / (1 / ratio + again) >= GAIN

    def _screen(self, low: Passage, rows: Rows, finish: Finish) -> None:
        """Answer by the copy where the margin is large, and by the model where it is not."""
        limit = 2 * self.bound
        held: dict[int, tuple[float, Answered]] = {}
        certain: list[float] = []

        def sort_out(answered: Mapping[int, Answered], seconds: float) -> None:
            margins = {position: _margin(self._logits(row)) for position, row in answered.items()}
            sure = {position: answered[position] for position, margin in margins.items() if margin > limit}
            certain.extend(margins[position] for position in sure)
            held.update({one: (margins[one], row) for one, row in answered.items() if one not in sure})
            finish(sure, seconds)

        def check(answered: Mapping[int, Answered], seconds: float) -> None:
            for position, row in answered.items():
                self._difference = max(self._difference, self._compare(held.pop(position)[1], row).difference)
            finish(answered, seconds)

        low.run(rows, sort_out)
        self._rows += len(rows)
        # `not larger` and never `smaller`: a margin that is no number is checked as well.
        while doubtful := [position for position, (margin, _) in held.items() if not margin > self.bound]:
            self._rechecked += len(doubtful)
            self._exact.run({position: rows[position] for position in doubtful}, check)
        finish({position: row for position, (_, row) in held.items()}, 0.0)
        missed = sum(margin <= self.bound for margin in certain)
        if missed:
            self._missed += missed
            self._low = None

    def _compare(self, low: Answered, full: Answered) -> _Comparison:
        import numpy as np

        one, other = self._logits(low), self._logits(full)
        return _Comparison(float(np.abs(one - other).max()), _margin(one), bool(one.argmax() != other.argmax()))

    def _logits(self, row: Answered) -> NDArray[Any]:
        logits: NDArray[Any] = self._task.logits(row, self._exact.context)
        return logits


@dataclass(frozen=True)
class _Comparison:
    """One row at both precisions."""

    difference: float
    """Largest of any logit."""
    margin: float
    """Between the two largest logits of the copy."""
    flipped: bool


class _Collected:
    """Keeps what a passage finishes."""

    def __init__(self) -> None:
        self.rows: dict[int, Answered] = {}

    def __call__(self, answered: Mapping[int, Answered], seconds: float) -> None:
        self.rows.update(answered)


def _tokens(pieces: Sequence[Piece]) -> int:
    return sum(piece.length for piece in pieces)


def _is_small(halves: Sequence[Rows], rows: Rows, to_come: int) -> bool:
    """Whether the sample is a small part of what is to come, if that is like these rows."""
    sampled = sum(_tokens(pieces) for half in halves for pieces in half.values())
    return sampled <= MOST_SAMPLED * sum(map(_tokens, rows.values())) * to_come / len(rows)


def _ignored(answered: Mapping[int, Answered], seconds: float) -> None:
    """Takes rows that are run again later."""


def _margin(logits: NDArray[Any]) -> float:
    """Between the two largest; infinite where there is only one."""
    import numpy as np

    if len(logits) < 2:
        return float("inf")
    second, first = np.partition(logits, -2)[-2:]
    return float(first - second)


def _is_safe(compared: Sequence[Sequence[_Comparison]]) -> bool:
    """Whether a bound from one half holds in the other: nothing is flipped above it, and all are numbers."""
    for half, other in zip(compared, reversed(compared), strict=True):
        if not all(isfinite(one.difference) for one in half):  # the largest of numbers and NaN may be a number
            return False
        bound = SAFETY * max(one.difference for one in half)
        if any(one.flipped and one.margin > bound for one in other):
            return False
    return True
