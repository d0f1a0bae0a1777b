"""Brings a database of an earlier release to the present schema.

`tables.py` always says the present schema, and a new database is made from it at once. A release that changes a table
adds a function `_2_what_it_does(connection)` here, in the order of their numbers; version 1 is the first release's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, func, insert, inspect, select, text

from core.errors import UserError
from core.store.tables import metadata, schema_version

Migration = Callable[[Connection], None]


def _2_trials_can_leave_a_race(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE trials ADD COLUMN stopped TEXT"))


def _3_trials_can_be_servers(connection: Connection) -> None:
    columns = "trial VARCHAR NOT NULL PRIMARY KEY REFERENCES trials (id), record TEXT NOT NULL"
    connection.execute(text(f"CREATE TABLE server ({columns})"))


MIGRATIONS: tuple[Migration, ...] = (_2_trials_can_leave_a_race, _3_trials_can_be_servers)
"""The first leads from version 1 to 2."""

_LOCK = 7_366_001
"""Key of the advisory lock: any number, the same for all who open the database."""


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables, or apply the migrations that the database has not seen. Runs inside the caller's transaction.

    Raises:
        UserError: The database was written by a later release.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    target = 1 + len(migrations)
    if not inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=target))
        return
    found = connection.execute(select(func.max(schema_version.c.version))).scalar_one()
    if found > target:
        raise UserError(
            f"The database has schema version {found}; this release of Shortlist knows versions up to {target}.",
            "Install the newer release, or set SHORTLIST_HOME to another folder.",
        )
    for version in range(found, target):
        migrations[version - 1](connection)
        connection.execute(insert(schema_version).values(version=version + 1))
