"""The seeded draw: the same rows for everyone who uses the same seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from core.errors import PlanError
from core.records import Sample


def draw(references: Sequence[Any], sample: Sample, stratify_on_labels: bool) -> list[int]:
    """Positions of the drawn rows, ascending.

    With strata, each label gets its share of the sample, within one row (largest remainder method); how many rows each
    label gets does not depend on their order.

    Args:
        references: One per usable row.
        sample: Size and seed; all rows when there are no more than `size`.
        stratify_on_labels: Whether references are labels; `sample.stratify` can still say no.

    Raises:
        PlanError: The size is below 1.
    """
    if sample.size < 1:
        raise PlanError(f"A sample of {sample.size} rows cannot be drawn.", "Set `size` to 1 or more.")
    if sample.size >= len(references):
        return list(range(len(references)))
    import numpy as np

    strata: dict[str, list[int]] = defaultdict(list)
    for position, reference in enumerate(references):
        strata[str(reference) if stratify_on_labels and sample.stratify else ""].append(position)
    shares = _shares({label: len(rows) for label, rows in strata.items()}, sample.size)
    generator = np.random.Generator(np.random.PCG64(sample.seed))
    drawn: list[int] = []
    for label in sorted(strata):
        rows = strata[label]
        drawn += (rows[index] for index in generator.choice(len(rows), size=shares[label], replace=False))
    return sorted(drawn)


def _shares(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` split in proportion to the sizes; ties between equal remainders go by name."""
    rows = sum(sizes.values())
    exact = {label: Fraction(total * size, rows) for label, size in sizes.items()}
    shares = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[: total - sum(shares.values())]:
        shares[label] += 1
    return shares
