"""In which order a runner takes the trials of a run: that of the plan, or a drawn one where they must run in blocks.

Trials of one block are timed together and can be compared; between blocks the machine may change. Were the blocks made
up in the order of the plan, what comes last in a plan would always meet the machine as the others have left it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from core.catalog import stored
from core.catalog.fit import fits, model_mb
from core.engine import environment
from core.jobs.keeper import LEASE_SECONDS
from core.store import Claim, Store

if TYPE_CHECKING:
    from core.records import Outcome

MB = 1_000_000


def drawn_order(store: Store, first: Claim) -> list[str]:
    """The trials of the run that `first` is of, as they shall be taken; empty where the plan's order will do.

    A runner that takes over draws the same order again.
    """
    outcomes = store.progress(first.run).outcomes
    if fit_together([one for one in outcomes if one.status == "queued" or one.trial == first.trial]):
        return []
    order = [one.trial for one in outcomes]
    random.Random(first.run).shuffle(order)  # noqa: S311 - an order, no secret
    return order


def claims(store: Store, runner: str, first: Claim, hardware: Collection[str], order: Sequence[str]) -> Iterator[Claim]:
    """What is to be done of the run that `first` is of, claimed one by one, in `order` if there is one."""
    claim: Claim | None = first
    if order:
        store.release(first.trial, runner_id=runner)
        claim = _next(store, runner, first.run, hardware, order)
    while claim is not None:
        yield claim
        claim = _next(store, runner, first.run, hardware, order or [None])


def fit_together(outcomes: Sequence[Outcome]) -> bool:
    """Whether the models of these trials are expected to fit into memory beside each other, device by device."""
    memory = available_mb()
    needed: dict[str, list[tuple[float, Outcome]]] = {}
    for one in outcomes:
        size = model_mb(one.candidate, one.spec.variant) if one.candidate else None
        if size is not None and one.spec.source != stored.SOURCE:
            needed.setdefault(one.spec.variant.device, []).append((size, one))
    for device, sizes in needed.items():
        *others, (_, largest) = sorted(sizes, key=lambda pair: pair[0])
        total = memory.get(device)
        if total is None or largest.candidate is None:
            continue
        left = {device: max(total - sum(size for size, _ in others), 1.0)}
        if fits(largest.candidate, largest.spec.variant, left).verdict not in ("yes", "unknown"):
            return bool(not others)  # what does not even fit alone has no order
    return True


def available_mb() -> dict[str, float | None]:
    """Device → memory for models, MB: what the machine has free just now, and all of a board's own."""
    import psutil

    return {**environment.memory(), "cpu": psutil.virtual_memory().available / MB}


def _next(store: Store, runner: str, run: str, hardware: Collection[str], order: Sequence[str | None]) -> Claim | None:
    found = (store.claim(runner, LEASE_SECONDS, run, hardware, trial=trial) for trial in order)
    return next((claim for claim in found if claim is not None), None)
