"""What a trial's process runs in place of the real worker, to try how it is kept in bounds."""

from __future__ import annotations

import ctypes
import json
import os
import time
from multiprocessing.connection import Connection

from core.engine.events import Done, Note, Rows, Stage, to_json
from core.engine.worker import GO


def tell_surroundings(connection: Connection) -> None:
    job = json.loads(connection.recv_bytes())
    told = {
        "environment": dict(os.environ),
        "folder": os.listdir(),  # noqa: PTH208 - its own working directory
        "leads_group": os.getpgrp() == os.getpid() == os.getsid(0),
        "done": job["done"],
        "argument": job["folder"],
    }
    connection.send_bytes(to_json(Done(told)))


def measure(connection: Connection) -> None:
    """Two batches, then latency in its turn."""
    connection.recv_bytes()
    for positions in ((0, 1), (2, 3)):
        connection.send_bytes(to_json(Rows(positions, ({"answer": "billing"},) * 2, 0.1, 10)))
    connection.send_bytes(to_json(Stage("latency")))
    assert connection.recv_bytes() == GO
    connection.send_bytes(to_json(Note("had its turn")))
    connection.send_bytes(to_json(Done({"cpu": "x"})))


def sleep(connection: Connection) -> None:
    connection.send_bytes(to_json(Note(str(os.getpid()))))
    time.sleep(60)


def sleep_with_a_grandchild(connection: Connection) -> None:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    sleep(connection)


def eat_memory(connection: Connection) -> None:
    blocks = []
    while True:
        blocks.append(b"x" * 20_000_000)
        time.sleep(0.01)


def segfault(connection: Connection) -> None:
    print("about to read address 0", flush=True)
    ctypes.string_at(0)


def leave(connection: Connection) -> None:
    print("nothing more to say")
    raise SystemExit(7)


def babble(connection: Connection) -> None:
    connection.send_bytes(b"\x80\x04N.")
    time.sleep(60)


def print_without_end(connection: Connection) -> None:
    while True:
        print("x" * 1_000_000)


def measure_half_then_sleep(connection: Connection) -> None:
    connection.recv_bytes()
    connection.send_bytes(to_json(Rows((0, 1), ({"answer": "billing"},) * 2, 0.1, 10)))
    time.sleep(60)


def measure_slowly(connection: Connection) -> None:
    time.sleep(0.5)
    measure(connection)


def fail_the_tiny_one(connection: Connection) -> None:
    job = json.loads(connection.recv_bytes())
    if "tiny" in job["spec"]["model"]:
        raise SystemExit(1)
    connection.send_bytes(to_json(Done({})))
