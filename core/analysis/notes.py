"""What a reader of one trial must know: what was noted while it ran, and what its rows say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records import Outcome


def truncated_rows(outcome: Outcome) -> int:
    """How many of the answered rows the model saw only a part of."""
    return sum("truncated" in one for chunk in outcome.chunks for one in chunk.predictions)


def notes(outcome: Outcome) -> tuple[str, ...]:
    """The trial's notes, and how many rows were too long for the model."""
    count = truncated_rows(outcome)
    if not count:
        return outcome.notes
    rows, longest = sum(len(chunk.positions) for chunk in outcome.chunks), outcome.environment.get("longest_input")
    limit = f", which reads at most {longest:,} tokens," if isinstance(longest, int) else ""
    were = "was" if count == 1 else "were"
    return (*outcome.notes, f"{count:,} of {rows:,} rows {were} too long for the model{limit} and {were} cut.")
