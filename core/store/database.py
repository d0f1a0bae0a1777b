"""The connection: SQLite or PostgreSQL by URL, transactions, and what went wrong in a person's words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import URL, Connection, Engine, Row, Table, create_engine, event, exc, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import DiskFull, MissingDependency, UserError
from core.store.migrations import migrate

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

BUSY_SECONDS = 15
"""How long a writer waits for another one before it gives up."""


class Database:
    """One database, brought to the present schema when it is opened."""

    def __init__(self, url: str) -> None:
        """Open the database, creating it where SQLite has none yet. Raises UserError."""
        self._url = _parse(url)
        if self._is_sqlite and self._url.database:
            _make_folder(Path(self._url.database).parent)
        try:
            self._engine = _engine(self._url)
        except ModuleNotFoundError:
            raise MissingDependency("psycopg[binary]", "A PostgreSQL database") from None
        try:
            with self.write() as connection:
                migrate(connection)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The URL, password included."""
        return self._url.render_as_string(hide_password=False)

    @property
    def address(self) -> str:
        """The URL as it may be shown: without the password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one consistent state. Raises UserError where the database cannot be used."""
        with self._explained(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is kept whole or not at all. Raises UserError where the database cannot be used."""
        with self._explained(), self._engine.connect() as connection:
            writing = connection.execution_options(shortlist_write=True)
            with writing.begin():
                yield writing

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.DatabaseError as error:
            explanation = explain(str(error.orig), self._url)
            if explanation is None:
                raise
            raise explanation from error


def now(connection: Connection) -> float:
    """Seconds since 1970, by the one clock that all users of the database share."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, or replace what the row with the same primary key says."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    keys = [column.name for column in table.primary_key]
    changes = {name: value for name, value in values.items() if name not in keys}
    insert = dialect.insert(table).values(**values)
    if changes:
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes))
    else:
        connection.execute(insert.on_conflict_do_nothing(index_elements=keys))


def explain(message: str, url: URL) -> UserError | None:
    """What a driver's message means for the user; None where it speaks of a bug of ours."""
    where, text = url.render_as_string(hide_password=True), message.lower()
    if "locked" in text or "lock timeout" in text:
        return UserError(
            f"The database {where} has been locked by another process for more than {BUSY_SECONDS} seconds.",
            "Look for a program that holds it open (a database browser, a backup), close it and try again.",
        )
    if "disk is full" in text or "no space left" in text or "disk i/o error" in text:
        return DiskFull(f"There is no disk space left for the database {where}.", "Free some space and try again.")
    if "readonly" in text or "read-only" in text:
        return UserError(f"The database {where} cannot be written.", "Check its permissions, or set SHORTLIST_HOME.")
    if "unable to open" in text:
        return UserError(f"The database {where} cannot be opened.", "Set SHORTLIST_HOME to a folder you can write to.")
    if "not a database" in text or "malformed" in text:
        return UserError(f"{where} is no SQLite database, or it is damaged.", "Move the file away to start afresh.")
    if url.get_backend_name() == "postgresql" and ("connect" in text or "authentication" in text):
        reason = message.strip().splitlines()[0].strip()
        return UserError(f"The database {where} cannot be reached: {reason}", "Check SHORTLIST_DATABASE_URL.")
    return None


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise UserError(
            "SHORTLIST_DATABASE_URL is not a database URL.", "Write postgresql://user:password@host:5432/name."
        ) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UserError(f"Databases of the kind {backend!r} are not supported.", "Use sqlite:// or postgresql://.")
    return url


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {str(folder)!r} for the database cannot be made: {error.strerror}.",
            "Set SHORTLIST_HOME to a folder you can write to.",
        ) from None


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": BUSY_SECONDS})
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late and too weak; `begin` below says it instead.
        connection.isolation_level = None
        try:
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: one that has read first could not wait for another writer.
        writing = connection.get_execution_options().get("shortlist_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
