"""Both databases: every test that takes `store` runs over SQLite and over a PostgreSQL started for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.store import Store

PLACES = (None, *sorted(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of an own PostgreSQL server, reached by a socket in a temporary folder."""
    initdb, server = (
        next(filter(None, (shutil.which(name, path=place) for place in PLACES)), None)
        for name in ("initdb", "postgres")
    )
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="shortlist-pg-"))
    # PostgreSQL refuses to run as root, as tests in a container do.
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = {"user": "nobody", "extra_groups": []}
        shutil.chown(folder, "nobody")
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", data, "-U", "shortlist", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        **owner,
    )
    settings = ("-c", "fsync=off", "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}")
    process = subprocess.Popen(
        [server, "-D", data, *settings], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **owner
    )
    try:
        _wait(folder)
        yield f"postgresql://shortlist@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(folder: Path) -> None:
    import psycopg

    for _ in range(200):
        try:
            psycopg.connect(f"host={folder} user=shortlist dbname=postgres").close()
        except psycopg.OperationalError:
            import time

            time.sleep(0.05)
        else:
            return
    raise TimeoutError("PostgreSQL did not start")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    import psycopg

    server = request.getfixturevalue("postgres")
    schema = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{server}&options=-csearch_path%3D{schema}"


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same database as often as asked, as several processes would."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(Store(url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()
