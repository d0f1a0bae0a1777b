"""Trials as runners see them: claimed by lease, committed chunk by chunk, ended once. Functions over a connection.

    queued ──claim──► running ──finish──► done
      ▲                 │ ├────fail─────► failed
      └── release, lease┘ └────cancel───► cancelled        retry: failed, cancelled ──► queued

A runner holds a trial as long as it renews the lease. Whatever it writes afterwards is refused (`LeaseLost`), so that
two runners never mix their numbers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, or_, select, update

from core import codec
from core.errors import AppError, UnknownName, UserError
from core.records import Candidate, Chunk, Failure, LatencySeries, ServerSeries, Stopped, TrialSpec
from core.store import encoding
from core.store.database import now, upsert
from core.store.tables import chunks, latency, run_trials, runs, server, trials

MAX_LOSSES = 3
"""A trial whose runner vanished this often without a committed row is likely what killed it."""


class LeaseLost(AppError):
    """The trial was cancelled, or has passed to another runner; this one must stop."""


@dataclass(frozen=True)
class Claim:
    """A trial that a runner holds, with what it needs to run it."""

    trial: str
    spec: TrialSpec
    evalset_id: str
    candidate: Candidate | None
    done: frozenset[int]
    """Positions in the EvalSet that are committed already."""
    run: str = ""
    """The run that it was taken for; others may wait for it as well."""


def timestamp() -> str:
    """The present moment in UTC, ISO format."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def claim(
    connection: Connection,
    runner: str,
    lease_seconds: float,
    run: str | None,
    hardware: Collection[str] | None,
    trial: str | None = None,
) -> Claim | None:
    """Take the next trial that wants to run: the oldest run's first, in plan order. None where there is none."""
    present = now(connection)
    free = or_(trials.c.status == "queued", and_(trials.c.status == "running", trials.c.lease_until < present))
    query = (
        select(trials.c.id, run_trials.c.run)
        .join(run_trials, run_trials.c.trial == trials.c.id)
        .join(runs, runs.c.id == run_trials.c.run)
        .where(runs.c.wish == "run", free)
        .order_by(runs.c.created, runs.c.id, run_trials.c.position)
        .limit(1)
    )
    if run is not None:
        query = query.where(runs.c.id == run)
    if hardware is not None:
        query = query.where(trials.c.hardware.in_(hardware))
    if trial is not None:
        query = query.where(trials.c.id == trial)
    while (found := connection.execute(query).first()) is not None:
        if _take(connection, found.id, runner, present, lease_seconds):
            return _claimed(connection, found.id, found.run)
    return None


def _take(connection: Connection, trial: str, runner: str, present: float, lease_seconds: float) -> bool:
    """Whether the trial became this runner's. Locks its row first, so of two runners only one succeeds."""
    row = connection.execute(select(trials).where(trials.c.id == trial).with_for_update()).one()
    expired = row.status == "running" and row.lease_until < present
    if not expired and row.status != "queued":
        return False
    losses = row.losses + 1 if expired else row.losses
    if losses >= MAX_LOSSES:
        failure = Failure(
            "crash",
            f"The runner vanished {losses} times while it worked on this trial.",
            "Most likely the machine ran out of memory: use a smaller model or batch, or set a memory limit.",
        )
        _end(connection, trials.c.id == trial, "failed", failure=codec.dumps(failure))
        return False
    connection.execute(
        update(trials)
        .where(trials.c.id == trial)
        .values(
            status="running",
            stage="",
            runner=runner,
            lease_until=present + lease_seconds,
            losses=losses,
            started=row.started or timestamp(),
            version=trials.c.version + 1,
        )
    )
    return True


def _claimed(connection: Connection, trial: str, run: str) -> Claim:
    row = connection.execute(select(trials).where(trials.c.id == trial)).one()
    facts = encoding.candidate(row.candidate) if row.candidate else None
    return Claim(trial, encoding.trial_spec(row.spec), row.evalset, facts, _committed(connection, trial), run)


def renew(connection: Connection, trial: str, runner: str, lease_seconds: float) -> bool:
    """Hold the trial longer. False where the runner must stop: cancelled, paused, or lost to another one."""
    wanted = (
        select(run_trials.c.trial)
        .join(runs, runs.c.id == run_trials.c.run)
        .where(run_trials.c.trial == trial, runs.c.wish == "run")
        .exists()
    )
    change = update(trials).where(_held(trial, runner), wanted).values(lease_until=now(connection) + lease_seconds)
    return connection.execute(change).rowcount == 1


def set_stage(connection: Connection, trial: str, runner: str | None, stage: str) -> None:
    """Say what the runner is doing. Raises LeaseLost."""
    _change(connection, trial, runner, stage=stage)


def commit_chunk(connection: Connection, trial: str, runner: str | None, chunk: Chunk) -> None:
    """Keep some rows. Those kept already are dropped, so a repeated commit changes nothing. Raises LeaseLost."""
    _change(connection, trial, runner)  # locks the trial until the end of the transaction
    fresh = encoding.without(chunk, _committed(connection, trial))
    if fresh.positions:
        connection.execute(chunks.insert().values(trial=trial, **encoding.pack_chunk(fresh)))
        _change(connection, trial, runner, rows_done=trials.c.rows_done + len(fresh.positions), losses=0)


def commit_latency(connection: Connection, trial: str, runner: str | None, series: LatencySeries) -> None:
    """Keep the times of one batch size in place of those that an interrupted attempt left. Raises LeaseLost."""
    _change(connection, trial, runner)
    upsert(connection, latency, {"trial": trial, "batch_size": series.batch_size, "record": codec.dumps(series)})


def commit_server(connection: Connection, trial: str, runner: str | None, rates: Sequence[ServerSeries]) -> None:
    """Keep the rates of the server scenario in place of those that an interrupted attempt left. Raises LeaseLost."""
    _change(connection, trial, runner)
    upsert(connection, server, {"trial": trial, "record": codec.dumps(list(rates))})


def add_note(connection: Connection, trial: str, runner: str | None, text: str) -> None:
    """Add what a reader must know, once. Raises LeaseLost."""
    _change(connection, trial, runner)
    notes = json.loads(connection.execute(select(trials.c.notes).where(trials.c.id == trial)).scalar_one())
    if text not in notes:
        _change(connection, trial, runner, notes=json.dumps([*notes, text]))


def finish(
    connection: Connection,
    trial: str,
    runner: str | None,
    load_seconds: float | None,
    memory_mb: Mapping[str, float],
    environment: Mapping[str, Any],
    stopped: Stopped | None = None,
) -> None:
    """End a trial well. Raises LeaseLost."""
    _change(
        connection,
        trial,
        runner,
        load_seconds=load_seconds,
        memory_mb=json.dumps(dict(memory_mb), allow_nan=False),
        environment=json.dumps(dict(environment), allow_nan=False),
        failure=None,
        stopped=codec.dumps(stopped) if stopped else None,
    )
    _end(connection, trials.c.id == trial, "done")


def fail(connection: Connection, trial: str, runner: str | None, failure: Failure) -> None:
    """End a trial without a result; its committed rows stay for a retry. Raises LeaseLost."""
    _change(connection, trial, runner, failure=codec.dumps(failure))
    _end(connection, trials.c.id == trial, "failed")


def release(connection: Connection, trial: str, runner: str | None) -> None:
    """Give a trial back; its committed rows stay. Nothing happens where it is not held any more."""
    values = {"status": "queued", "stage": "", "runner": None, "lease_until": None, "version": trials.c.version + 1}
    connection.execute(update(trials).where(_held(trial, runner)).values(**values))


def expire(connection: Connection, runner: str) -> None:
    """End the leases of a runner that is known to be dead."""
    held = (trials.c.status == "running") & (trials.c.runner == runner)
    connection.execute(update(trials).where(held).values(lease_until=0.0))


def cancel(connection: Connection, trial: str) -> None:
    """Stop a trial that has not ended. Its runner learns it at the next renewal. Raises UnknownName."""
    _must_exist(connection, trial)
    _end(connection, (trials.c.id == trial) & trials.c.status.in_(("queued", "running")), "cancelled")


def retry(connection: Connection, trial: str) -> None:
    """Queue a failed or cancelled trial again, with the rows it has. Raises UnknownName, UserError."""
    if _must_exist(connection, trial):
        raise UserError(
            "This trial was refused when it was planned, so a retry would end the same way.",
            "Remove what its message names, then start the benchmark again.",
        )
    requeue(connection, trials.c.id == trial)
    of_trial = select(run_trials.c.run).where(run_trials.c.trial == trial)
    stopped = runs.c.id.in_(of_trial) & (runs.c.wish == "cancel")
    connection.execute(update(runs).where(stopped).values(wish="run", version=runs.c.version + 1))


def requeue(connection: Connection, condition: Any) -> None:
    """Queue all failed or cancelled trials that meet the condition."""
    ended = trials.c.status.in_(("failed", "cancelled")) & trials.c.blocked.is_(False)
    values = {"status": "queued", "stage": "", "failure": None, "finished": None, "runner": None, "losses": 0}
    connection.execute(update(trials).where(ended, condition).values(**values, version=trials.c.version + 1))


def cancel_all(connection: Connection, run: str) -> None:
    """Stop the trials of a run that have not ended, save those that another run waits for."""
    of_run = select(run_trials.c.trial).where(run_trials.c.run == run)
    elsewhere = (
        select(run_trials.c.trial)
        .join(runs, runs.c.id == run_trials.c.run)
        .where(runs.c.id != run, runs.c.wish != "cancel")
    )
    open_ones = trials.c.status.in_(("queued", "running"))
    _end(connection, trials.c.id.in_(of_run) & trials.c.id.not_in(elsewhere) & open_ones, "cancelled")


def _end(connection: Connection, condition: Any, status: str, **values: Any) -> None:
    ended = {"status": status, "stage": "", "finished": timestamp(), "runner": None, "lease_until": None}
    connection.execute(update(trials).where(condition).values(**ended, **values, version=trials.c.version + 1))


def _held(trial: str, runner: str | None) -> Any:
    held = (trials.c.id == trial) & (trials.c.status == "running")
    return held if runner is None else held & (trials.c.runner == runner)


def _change(connection: Connection, trial: str, runner: str | None, **values: Any) -> None:
    change = update(trials).where(_held(trial, runner)).values(**values, version=trials.c.version + 1)
    if connection.execute(change).rowcount == 0:
        raise LeaseLost(f"Trial {trial} is not held by this runner any more.")


def _committed(connection: Connection, trial: str) -> frozenset[int]:
    packed = connection.execute(select(chunks.c.positions).where(chunks.c.trial == trial)).scalars()
    return frozenset(position for data in packed for position in encoding.unpack_positions(data))


def _must_exist(connection: Connection, trial: str) -> bool:
    """Whether the trial was blocked when it was planned. Raises UnknownName."""
    blocked = connection.execute(select(trials.c.blocked).where(trials.c.id == trial)).scalar()
    if blocked is None:
        raise UnknownName("trial", trial, connection.execute(select(trials.c.id)).scalars())
    return bool(blocked)
