from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from core.errors import DiskFull, UserError
from core.store import Store, database
from core.store.database import Database
from core.store.migrations import MIGRATIONS, migrate
from tests.store.samples import chunk, prepared


def test_the_store_lies_under_home_unless_told_otherwise(home: Path) -> None:
    Store().create_selection("one")
    assert (home / "shortlist.db").is_file()


def test_what_is_stored_is_there_for_the_next_process(open_store: Callable[[], Store]) -> None:
    made = open_store().create_selection("one")
    assert open_store().selections() == [made]


def test_a_failing_write_leaves_nothing_behind(url: str) -> None:
    base = Database(url)

    def write_and_fail() -> None:
        with base.write() as connection:
            connection.execute(text("INSERT INTO runners (id, host, pid, beat) VALUES ('x', 'h', 1, 0)"))
            raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        write_and_fail()
    with base.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM runners")).scalar() == 0
    base.close()


def test_a_store_of_the_present_release_is_brought_to_the_next_one(url: str) -> None:
    applied = []

    def _add(connection: Connection) -> None:
        applied.append("add")
        connection.execute(text("ALTER TABLE runners ADD COLUMN title TEXT"))

    def _fill(connection: Connection) -> None:
        applied.append("fill")
        connection.execute(text("UPDATE runners SET title = id"))

    base, later = Database(url), 1 + len(MIGRATIONS) + 2
    for _ in range(2):
        with base.write() as connection:
            migrate(connection, (*MIGRATIONS, _add, _fill))
    assert applied == ["add", "fill"]
    with base.read() as connection:
        assert connection.execute(text("SELECT max(version) FROM schema_version")).scalar() == later
    base.close()
    with pytest.raises(UserError, match=f"schema version {later}"):
        Database(url)


def test_a_store_of_the_first_release_keeps_its_trials(url: str) -> None:
    store = Store(url)
    run = store.submit(prepared(["org/a"]))
    before = store.run(run)
    store.close()
    base = Database(url)
    with base.write() as connection:
        connection.execute(text("DROP TABLE server"))
        connection.execute(text("ALTER TABLE trials DROP COLUMN stopped"))
        connection.execute(text("UPDATE schema_version SET version = 1"))
    base.close()
    store = Store(url)
    assert store.run(run) == before
    store.close()


def test_processes_that_open_an_empty_database_at_once_make_it_once(url: str) -> None:
    ready, failures = threading.Barrier(4), []

    def open_one() -> None:
        ready.wait()
        try:
            Store(url).close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_locked_by_another_program_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UserError, match="locked by another process"):
        store.create_selection("one")
    holder.execute("ROLLBACK")
    holder.close()
    store.create_selection("two")
    store.close()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    run = store.submit(prepared(["org/a"], rows=5000))
    claim = store.claim("runner")
    assert claim is not None
    store.commit_chunk(claim.trial, chunk([0]))
    with store._database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DiskFull, match="no disk space"):
        store.commit_chunk(claim.trial, chunk(range(5000)))
    assert store.run(run).outcomes[0].rows_done == 1
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://host/name", "'mysql' are not supported"),
        ("postgresql://me:secret@127.0.0.1:1/name", "cannot be reached"),
        ("sqlite:////proc/none/store.db", "cannot be made"),
    ],
)
def test_a_database_that_cannot_be_used_says_why_and_hides_the_password(url: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        Store(url)
    assert "secret" not in raised.value.message
    assert raised.value.hint


def test_the_address_that_is_shown_has_no_password() -> None:
    base = Database("sqlite://")
    base._url = database._parse("postgres://me:secret@db/name")
    assert base.address == "postgresql+psycopg://me:***@db/name"
    assert base.url == "postgresql+psycopg://me:secret@db/name"
    base.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("not a database, " * 100)
    with pytest.raises(UserError, match="no SQLite database"):
        Store(f"sqlite:///{tmp_path / 'store.db'}")
