"""Runs: a plan with its trials, submitted once, read often. Functions over a connection."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, func, select, update

from core import codec
from core.errors import UnknownName
from core.records import Chunk, Failure, LatencySeries, Outcome, ServerSeries, Stopped, TrialSpec
from core.store import encoding
from core.store.database import AnyRow, upsert
from core.store.selections import save_evalset
from core.store.tables import chunks, evalsets, latency, run_trials, runs, server, trials
from core.store.trials import cancel_all, requeue, timestamp

if TYPE_CHECKING:
    from core.engine.prepare import Blocked, Prepared

Wish = Literal["run", "pause", "cancel"]


@dataclass(frozen=True)
class RunInfo:
    """A line in a list of runs."""

    id: str
    selection: str | None
    task: str
    models: tuple[str, ...]
    rows: int
    status: str
    """As `RunResult.status`."""
    created: str
    plan_hash: str


def submit(connection: Connection, prepared: Prepared, selection: str | None) -> str:
    """Queue what the plan asks for and has not been measured yet; the run's id.

    The id names plan, trials and selection, so submitting the same again finds the same run: its finished trials
    stay, its failed and cancelled ones get another try.
    """
    save_evalset(connection, prepared.evalset)
    rows = list(_trial_rows(prepared))
    ids = [row["id"] for row in rows]
    run = codec.identity({"plan": codec.encode(prepared.plan), "trials": ids, "selection": selection})
    known = set(connection.execute(select(trials.c.id).where(trials.c.id.in_(ids))).scalars())
    fresh = [row for row in rows if row["id"] not in known]
    for row in sorted(fresh, key=lambda row: row["id"]):  # in one order everywhere, so that two submits cannot deadlock
        upsert(connection, trials, row)
    requeue(connection, trials.c.id.in_(ids))
    change = update(runs).where(runs.c.id == run).values(wish="run", version=runs.c.version + 1)
    if connection.execute(change).rowcount == 0:
        _insert(connection, run, prepared, selection, ids)
    return run


def row(connection: Connection, run: str) -> AnyRow:
    """The run's own row. Raises UnknownName."""
    found = connection.execute(select(runs).where(runs.c.id == run)).first()
    if found is None:
        raise UnknownName("run", run, connection.execute(select(runs.c.id)).scalars())
    return found


def outcomes(connection: Connection, run: str, measured: bool) -> tuple[Outcome, ...]:
    """The run's trials in plan order, with their rows and times where `measured`."""
    of_run = select(run_trials.c.trial).where(run_trials.c.run == run)
    committed = _chunks(connection, of_run) if measured else {}
    series = _latency(connection, of_run) if measured else {}
    served = _server(connection, of_run) if measured else {}
    query = (
        select(trials)
        .join(run_trials, run_trials.c.trial == trials.c.id)
        .where(run_trials.c.run == run)
        .order_by(run_trials.c.position)
    )
    return tuple(
        _outcome(one, tuple(committed.get(one.id, ())), tuple(series.get(one.id, ())), served.get(one.id, ()))
        for one in connection.execute(query)
    )


def listing(connection: Connection, selection: str | None) -> list[RunInfo]:
    """All runs, or those of a selection, the newest first."""
    query = select(runs, evalsets.c.rows).join(evalsets).order_by(runs.c.created.desc(), runs.c.id)
    members = select(run_trials.c.run, trials.c.model, trials.c.status).join(trials)
    if selection is not None:
        query = query.where(runs.c.selection == selection)
        members = members.join(runs, runs.c.id == run_trials.c.run).where(runs.c.selection == selection)
    by_run: dict[str, list[AnyRow]] = defaultdict(list)
    for member in connection.execute(members.order_by(run_trials.c.position)):
        by_run[member.run].append(member)
    return [_info(one, by_run[one.id]) for one in connection.execute(query)]


def stamp(connection: Connection, run: str) -> str:
    """A text that changes whenever anything of the run does."""
    own = row(connection, run).version
    query = select(func.sum(trials.c.version)).join(run_trials).where(run_trials.c.run == run)
    return f"{own}.{connection.execute(query).scalar() or 0}"


def set_wish(connection: Connection, run: str, wish: Wish) -> None:
    """Say whether the run shall go on. After a cancel, that queues the cancelled trials again. Raises UnknownName."""
    before = row(connection, run).wish
    connection.execute(update(runs).where(runs.c.id == run).values(wish=wish, version=runs.c.version + 1))
    if wish == "cancel":
        cancel_all(connection, run)
    elif before == "cancel":
        of_run = select(run_trials.c.trial).where(run_trials.c.run == run)
        requeue(connection, trials.c.id.in_(of_run) & (trials.c.status == "cancelled"))


def next_repeat(connection: Connection, plan_hash: str) -> int:
    """The number that makes the trials of a pinned plan new ones: one more than any run of it has used."""
    query = select(func.max(trials.c.repeat)).join(run_trials, run_trials.c.trial == trials.c.id).join(runs)
    highest = connection.execute(query.where(runs.c.plan_hash == plan_hash)).scalar()
    return 0 if highest is None else int(highest) + 1


def _insert(connection: Connection, run: str, prepared: Prepared, selection: str | None, ids: list[str]) -> None:
    from core.engine.plan import plan_hash

    values = {
        "id": run,
        "selection": selection,
        "plan": codec.dumps(prepared.plan),
        "plan_hash": plan_hash(prepared.plan),
        "evalset": prepared.evalset.id,
        "wish": "run",
        "created": timestamp(),
        "version": 0,
    }
    upsert(connection, runs, values)
    for position, trial in enumerate(ids):
        upsert(connection, run_trials, {"run": run, "position": position, "trial": trial})


def _trial_rows(prepared: Prepared) -> Iterator[dict[str, Any]]:
    """New rows of the table of trials, in plan order: candidates first, variants within."""
    from core.engine.prepare import variants_of

    specs, blocked, plan = iter(prepared.specs), iter(prepared.blocked), prepared.plan
    total = len(prepared.evalset.ids)
    for planned, candidate in zip(plan.candidates, prepared.candidates, strict=True):
        variants = len(variants_of(planned, plan))
        facts = codec.dumps(candidate)
        if candidate.blocked is not None:
            for refusal in islice(blocked, variants):
                yield {**_blocked_row(prepared, candidate.source, refusal), "candidate": facts, "rows_total": total}
        else:
            for spec in islice(specs, variants):
                yield {**_queued_row(spec), "candidate": facts, "rows_total": total}
    left = sum(1 for _ in chain(specs, blocked))
    if left:
        raise ValueError(f"{left} trials belong to no candidate of the plan")


def _queued_row(spec: TrialSpec) -> dict[str, Any]:
    return {
        "id": codec.identity(spec),
        "spec": codec.dumps(spec),
        "model": spec.model,
        "evalset": spec.evalset,
        "hardware": spec.hardware,
        "repeat": spec.repeat,
        "blocked": False,
        "status": "queued",
        "stage": "",
        "rows_done": 0,
        "memory_mb": "{}",
        "environment": "{}",
        "notes": "[]",
        "losses": 0,
        "version": 0,
    }


def _blocked_row(prepared: Prepared, source: str, blocked: Blocked) -> dict[str, Any]:
    plan = prepared.plan
    spec = TrialSpec(
        source=source,
        model=blocked.model,
        revision="",
        task=plan.task,
        evalset=prepared.evalset.id,
        variant=blocked.variant,
        metrics=plan.metrics,
        options=plan.options,
        protocol=plan.protocol,
    )
    # The reason is part of the identity: the same model refused for another reason must not rewrite an earlier run.
    name = codec.identity({"spec": codec.encode(spec), "failure": codec.encode(blocked.failure)})
    ended = {"blocked": True, "status": "failed", "failure": codec.dumps(blocked.failure), "finished": timestamp()}
    return {**_queued_row(spec), **ended, "id": name}


def _outcome(
    one: AnyRow, committed: tuple[Chunk, ...], series: tuple[LatencySeries, ...], served: tuple[ServerSeries, ...]
) -> Outcome:
    return Outcome(
        trial=one.id,
        spec=encoding.trial_spec(one.spec),
        status=one.status,
        stage=one.stage,
        rows_done=one.rows_done,
        rows_total=one.rows_total,
        candidate=encoding.candidate(one.candidate) if one.candidate else None,
        failure=codec.loads(Failure, one.failure) if one.failure else None,
        chunks=committed,
        latency=series,
        server=served,
        load_seconds=one.load_seconds,
        memory_mb=json.loads(one.memory_mb),
        environment=json.loads(one.environment),
        notes=tuple(json.loads(one.notes)),
        stopped=codec.loads(Stopped, one.stopped) if one.stopped else None,
        started=one.started,
        finished=one.finished,
    )


def _chunks(connection: Connection, of_run: Any) -> dict[str, list[Chunk]]:
    found = defaultdict(list)
    for one in connection.execute(select(chunks).where(chunks.c.trial.in_(of_run)).order_by(chunks.c.id)):
        found[one.trial].append(encoding.unpack_chunk(one))
    return found


def _latency(connection: Connection, of_run: Any) -> dict[str, list[LatencySeries]]:
    found = defaultdict(list)
    for one in connection.execute(select(latency).where(latency.c.trial.in_(of_run)).order_by(latency.c.batch_size)):
        found[one.trial].append(encoding.latency_series(one.record))
    return found


def _server(connection: Connection, of_run: Any) -> dict[str, tuple[ServerSeries, ...]]:
    found = connection.execute(select(server).where(server.c.trial.in_(of_run)))
    return {one.trial: encoding.server_series(one.record) for one in found}


def _info(one: AnyRow, members: list[AnyRow]) -> RunInfo:
    return RunInfo(
        id=one.id,
        selection=one.selection,
        task=encoding.plan(one.plan).task,
        models=tuple(dict.fromkeys(member.model for member in members)),
        rows=one.rows,
        status=_status({member.status for member in members}, one.wish),
        created=one.created,
        plan_hash=one.plan_hash,
    )


def _status(states: set[str], wish: str) -> str:
    """`RunResult.status`, from the table alone."""
    if not states & {"queued", "running"}:
        return "cancelled" if states == {"cancelled"} else "done"
    if wish == "pause":
        return "paused"
    return "running" if states & {"running", "done"} else "queued"
