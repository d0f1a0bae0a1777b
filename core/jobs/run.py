"""Executes the trials of a run: they predict one after the other, stay loaded, and are timed together at the end.

Only one of them works at any time; the others wait on their pipes. Where the next model would not fit into memory
beside those that wait, these are timed and ended first: the run is then timed in blocks, whose order is drawn
(`core.jobs.order`).

In a race they predict in rounds, and those that are surely worse end between two of them (`core.jobs.race`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from core.catalog.fit import fits
from core.engine import environment, latency, serving
from core.engine.neighbours import Neighbours, neighbours, worst
from core.engine.request import requests
from core.jobs.keeper import Keeper
from core.jobs.order import available_mb, claims, drawn_order
from core.jobs.race import Race
from core.jobs.trial import OnProgress, Trial
from core.records import Protocol
from core.store import Claim, Store

IN_BLOCKS = (
    "Not all trials fit into memory together: this one was timed together with {others}. "
    "Its times and those of the other trials of the run were taken one after the other, so no ratio is given between "
    "them."
)
DRAWN = " The order was drawn."


def execute(
    store: Store,
    runner: str,
    first: Claim,
    keeper: Keeper,
    hardware: Collection[str],
    token: str | None = None,
    on_progress: OnProgress | None = None,
) -> int:
    """Execute what is to be done of a run, beginning with a trial that is claimed already; how many trials that were.

    Args:
        store: Where trials come from and results go to.
        runner: Who claims them.
        first: Names the run.
        keeper: Holds the leases.
        hardware: Fingerprints of this machine.
        token: For the Hub.
        on_progress: Called whenever a trial has come further.

    Raises:
        UserError: The database cannot be used any more. No trial is held then, nor after any other exception.
    """
    waiting: list[Trial] = []
    count, blocks = 0, 0
    race = Race(store, first) if first.spec.race else None
    try:
        order = drawn_order(store, first)
        in_blocks = IN_BLOCKS + (DRAWN if order else "")
        for claim in claims(store, runner, first, hardware, order):
            if waiting and not _fits_beside(claim, waiting):
                _end_together(waiting, race, in_blocks)
                waiting, blocks = [], blocks + 1
            trial = Trial(store, runner, claim, keeper, token, on_progress, race.keep if race else None)
            waiting.append(trial)
            trial.start()
            if race:
                race.enter(trial)
            else:
                trial.predict()
                if not claim.spec.protocol.latency_batch_sizes:
                    trial.end()
            waiting = [one for one in waiting if not one.over]
            count += 1
        _end_together(waiting, race, in_blocks if blocks else "")
    finally:
        for trial in waiting:
            trial.release()
    return count


def _fits_beside(claim: Claim, waiting: Sequence[Trial]) -> bool:
    """Whether a model can be loaded while others are. Where nothing is known of its size, it has to try."""
    variant, memory = claim.spec.variant, available_mb()
    total = memory.get(variant.device)
    if claim.candidate is None or total is None:
        return True
    if variant.device != "cpu":
        memory[variant.device] = total - sum(
            one.model_mb for one in waiting if one.claim.spec.variant.device == variant.device
        )
    # Not where it is tight either: those that wait take more as soon as they are given larger batches.
    return fits(claim.candidate, variant, memory).verdict in ("yes", "unknown")


def _end_together(trials: Sequence[Trial], race: Race | None, in_blocks: str) -> None:
    """Let the trials race, where they do; time those that are left, note `in_blocks` where it is said, and end them."""
    if race:
        trials = race.run(trials)
    if trials and trials[0].claim.spec.protocol.latency_batch_sizes:
        _time_together(trials, in_blocks)
    else:
        for trial in trials:
            trial.end()


def _time_together(trials: Sequence[Trial], in_blocks: str) -> None:
    """Time these trials on the same requests, by turns, and end them."""
    for trial in trials:
        trial.begin_timing()
    trials = [trial for trial in trials if not trial.over]
    if not trials:
        return
    session = uuid.uuid4().hex[:12]
    protocol, rows = trials[0].claim.spec.protocol, len(trials[0].evalset.ids)
    looks = [_gpu_neighbours(trials)]
    busy, speeds = environment.busy_percent(), dict[str, float]()
    for size in protocol.latency_batch_sizes:
        able = [trial for trial in trials if not trial.over]
        subjects = [
            latency.Subject(trial.time, trial.first_call_ns, partial(trial.time, fixed_length=True)) for trial in able
        ]
        found = latency.measure(subjects, requests(rows, size), protocol, session=session)
        for trial, series in zip(able, found, strict=True):
            if series is not None:
                trial.keep_times(series)
                if size == min(protocol.latency_batch_sizes):
                    speeds[trial.claim.trial] = serving.rows_per_second(series)
    if protocol.server_p99_ms is not None:
        _serve_together([trial for trial in trials if trial.claim.trial in speeds], speeds, protocol, session)
    busy = max(busy, environment.busy_percent())
    gpu = worst([*looks, _gpu_neighbours(trials)])
    for trial in trials:
        if in_blocks:
            others = [one.claim.spec.model for one in trials if one is not trial]
            trial.note(in_blocks.format(others=", ".join(others) or "no other"))
        if note := environment.busy_note(busy):
            trial.note(note)
        facts: dict[str, Any] = {"busy_percent": round(busy, 1)}
        if gpu and _is_on_gpu(trial):
            facts |= gpu.facts()
            if note := gpu.note():
                trial.note(note)
        trial.end(facts)


def _gpu_neighbours(trials: Sequence[Trial]) -> Neighbours | None:
    """Who else works on the GPU, where one of these trials is there."""
    return neighbours() if any(_is_on_gpu(trial) and not trial.over for trial in trials) else None


def _is_on_gpu(trial: Trial) -> bool:
    return trial.claim.spec.variant.device == "cuda"


def _serve_together(
    trials: Sequence[Trial], rows_per_second: Mapping[str, float], protocol: Protocol, session: str
) -> None:
    """Find the highest rate of requests that each of these trials keeps up with; they try one rate each by turns."""
    for trial in trials:
        if not trial.over:
            trial.begin_timing("server")
    trials = [trial for trial in trials if not trial.over]
    subjects = [serving.Subject(trial.serve, rows_per_second[trial.claim.trial]) for trial in trials]
    for trial, rates in zip(trials, serving.joint(subjects, protocol, session=session), strict=True):
        if rates and not trial.over:
            trial.keep_served(rates)
