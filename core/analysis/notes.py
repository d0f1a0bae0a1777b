"""What a reader of one trial must know: what was noted while it ran, and what its rows and times say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from core.analysis.latency_ratio import NoiseFloor, against_itself

if TYPE_CHECKING:
    from core.records import LatencySeries, Outcome


def notes(outcome: Outcome, run: Sequence[Outcome] = ()) -> tuple[str, ...]:
    """The trial's notes, how many rows were too long for the model, and whether its times can be trusted.

    Args:
        outcome: The trial.
        run: All trials that may have been timed together with it: only one of them was timed twice. None: nothing is
            said of times.
    """
    truncated = truncated_rows(outcome)
    return (
        *outcome.notes,
        *([_truncated(outcome, truncated)] if truncated else []),
        *(_noisy(floor) for floor in _floors(outcome, run) if floor.noisy),
    )


def truncated_rows(outcome: Outcome) -> int:
    """How many of the answered rows the model saw only a part of."""
    return sum("truncated" in one for chunk in outcome.chunks for one in chunk.predictions)


def _truncated(outcome: Outcome, count: int) -> str:
    rows, longest = sum(len(chunk.positions) for chunk in outcome.chunks), outcome.environment.get("longest_input")
    limit = f", which reads at most {longest:,} tokens," if isinstance(longest, int) else ""
    were = "was" if count == 1 else "were"
    return f"{count:,} of {rows:,} rows {were} too long for the model{limit} and {were} cut."


def _floors(outcome: Outcome, run: Sequence[Outcome]) -> Iterator[NoiseFloor]:
    """How noisy the machine was in each measurement that the trial took part in."""
    for series in outcome.latency:
        if series.session:
            again = ((one, other) for one in run for other in one.latency if _is_same(series, other) and other.again_ns)
            yield from (against_itself(one.trial, other) for one, other in again)


def _is_same(series: LatencySeries, other: LatencySeries) -> bool:
    return (series.session, series.batch_size) == (other.session, other.batch_size)


def _noisy(floor: NoiseFloor) -> str:
    rows = "1 row" if floor.batch_size == 1 else f"{floor.batch_size} rows"
    return (
        f"The machine was too noisy while requests of {rows} were timed: one trial took {floor.ratio.value:.2f} × as "
        f"long as itself, and times of the same request varied by {floor.cv:.0%}. Small differences mean nothing."
    )
