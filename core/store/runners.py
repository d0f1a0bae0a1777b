"""The processes that execute trials, as far as they were heard of. Functions over a connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from core.store.database import now, upsert
from core.store.tables import runners
from core.store.trials import expire


@dataclass(frozen=True)
class RunnerInfo:
    """One runner."""

    id: str
    host: str
    pid: int
    age_seconds: float
    """Since it was last heard of."""


def beat(connection: Connection, runner: str, host: str, pid: int) -> None:
    """Say that a runner is alive."""
    upsert(connection, runners, {"id": runner, "host": host, "pid": pid, "beat": now(connection)})


def everything(connection: Connection) -> list[RunnerInfo]:
    """All runners that have not been removed, the one heard of last first."""
    present = now(connection)
    rows = connection.execute(select(runners).order_by(runners.c.beat.desc(), runners.c.id))
    return [RunnerInfo(row.id, row.host, row.pid, present - row.beat) for row in rows]


def live(connection: Connection, max_age_seconds: float) -> list[RunnerInfo]:
    """Those heard of lately."""
    return [runner for runner in everything(connection) if runner.age_seconds <= max_age_seconds]


def forget(connection: Connection, runner: str) -> None:
    """Remove a runner that has ended, and free what it held."""
    expire(connection, runner)
    connection.execute(delete(runners).where(runners.c.id == runner))
