"""What a trial's process runs in place of the real worker, to try how it is kept in bounds."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from core.engine.events import Done, Event, Loaded, Memory, Note, Rows, Served, Stage, Timed, Untimed, Writing, to_json
from core.records import Failure, ServerSeries

ANSWER = {"answer": "billing"}
Send = Callable[[Event], None]


def tell_surroundings(connection: Connection) -> None:
    job = json.loads(connection.recv_bytes())
    told = {
        "environment": dict(os.environ),
        "folder": os.listdir(),  # noqa: PTH208 - its own working directory
        "leads_group": os.getpgrp() == os.getpid() == os.getsid(0),
        "done": job["done"],
        "argument": job["folder"],
    }
    connection.send_bytes(to_json(Note(json.dumps(told))))
    connection.send_bytes(to_json(Loaded(0.1, 1.0)))
    connection.recv_bytes()


def serve(
    connection: Connection,
    predict: Callable[[Send], None],
    time_request: Callable[[Send, Sequence[int]], None] = lambda send, _: send(Timed(1000, 2000, 500)),
    on_load: Callable[[dict[str, Any]], None] = lambda _: None,
    serve_rate: Callable[[Send, float, int], None] = lambda send, rate, requests: send(served(rate, requests)),
    time_fixed_length: Callable[[Send, Sequence[int]], None] | None = None,
) -> None:
    """Answer commands as the real worker does, without a model."""

    def send(event: Event) -> None:
        connection.send_bytes(to_json(event))

    on_load(json.loads(connection.recv_bytes()))
    send(Loaded(0.1, 1.0, 5000))
    while True:
        command = json.loads(connection.recv_bytes())
        if command["do"] == "predict":
            predict(send)
            send(Stage("ready"))
        elif command["do"] == "time":
            fixed = time_fixed_length if command["fixed_length"] else None
            (fixed or time_request)(send, command["rows"])
        elif command["do"] == "serve":
            serve_rate(send, command["rate"], command["requests"])
        else:
            send(Memory({"peak": 2.0, "model": 1.0}))
            send(Done({"cpu": "x"}))
            return


def served(rate: float, requests: int) -> Served:
    """What a model says that answers 900 requests per second within a millisecond, and no more."""
    answered, took = (requests, 1_000_000) if rate <= 900 else (20, 500_000_000)
    return Served(ServerSeries(rate, requests, (took,) * answered, (1,) * answered))


def two_batches(send: Send) -> None:
    for positions in ((0, 1), (2, 3)):
        send(Rows(positions, (ANSWER,) * 2, 0.1, 10))


def measure(connection: Connection) -> None:
    """Two batches, then as many calls as are wanted."""
    serve(connection, two_batches)


def write(connection: Connection) -> None:
    """Two words for each row, three at a fixed length, for which large batches have no room."""

    def time_request(send: Send, rows: Sequence[int], words: int = 2) -> None:
        send(Timed(1000, words * 1000, 500, writing=Writing(2000, (words - 1) * 1000, words - 1, (words,) * len(rows))))

    def time_fixed_length(send: Send, rows: Sequence[int]) -> None:
        if len(rows) > 1:
            send(Untimed(Failure("out_of_memory", "8 rows do not fit: no memory")))
        else:
            time_request(send, rows, words=3)

    serve(connection, two_batches, time_request, time_fixed_length=time_fixed_length)


def measure_without_room_for_large_batches(connection: Connection) -> None:
    def time_request(send: Send, rows: Sequence[int]) -> None:
        small = len(rows) == 1
        send(Timed(1, 2, 3) if small else Untimed(Failure("out_of_memory", "8 rows do not fit: no memory")))

    serve(connection, two_batches, time_request)


def die_when_timed(connection: Connection) -> None:
    def time_request(send: Send, rows: Sequence[int]) -> None:
        os._exit(3)

    serve(connection, two_batches, time_request)


def let_the_tiny_one_die_when_timed(connection: Connection) -> None:
    model = ""

    def on_load(job: dict[str, Any]) -> None:
        nonlocal model
        model = job["spec"]["model"]

    def time_request(send: Send, rows: Sequence[int]) -> None:
        if "tiny" in model:
            os._exit(3)
        send(Timed(1, 2, 3))

    serve(connection, two_batches, time_request, on_load)


def let_the_tiny_one_die_at_the_second_rate(connection: Connection) -> None:
    models, rates = list[str](), list[float]()

    def serve_rate(send: Send, rate: float, requests: int) -> None:
        rates.append(rate)
        if "tiny" in models[0] and len(rates) == 2:
            os._exit(3)
        send(served(rate, requests))

    serve(connection, two_batches, on_load=lambda job: models.append(job["spec"]["model"]), serve_rate=serve_rate)


def serve_without_room_for_batches(connection: Connection) -> None:
    rates = list[float]()

    def serve_rate(send: Send, rate: float, requests: int) -> None:
        rates.append(rate)
        no_room = Untimed(Failure("out_of_memory", "8 rows do not fit: no memory"))
        send(no_room if len(rates) == 2 else served(rate, requests))

    serve(connection, two_batches, serve_rate=serve_rate)


def serve_for_a_minute(connection: Connection) -> None:
    serve(connection, two_batches, serve_rate=lambda send, rate, requests: time.sleep(60))


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
    def half(send: Send) -> None:
        send(Rows((0, 1), (ANSWER,) * 2, 0.1, 10))
        time.sleep(60)

    serve(connection, half)


def predict_then_time_slowly(connection: Connection) -> None:
    def time_request(send: Send, rows: Sequence[int]) -> None:
        time.sleep(0.2)
        send(Timed(1000, 200_000_000, 1000))

    serve(connection, two_batches, time_request)


def measure_slowly(connection: Connection) -> None:
    time.sleep(0.5)
    measure(connection)


def fail_the_tiny_one(connection: Connection) -> None:
    def on_load(job: dict[str, Any]) -> None:
        if "tiny" in job["spec"]["model"]:
            raise SystemExit(1)

    serve(connection, lambda _: None, on_load=on_load)


def measure_without_predicting(connection: Connection) -> None:
    def on_load(job: dict[str, Any]) -> None:
        assert len(job["done"]) == len(job["inputs"])

    serve(connection, lambda _: None, lambda send, _: send(Timed(1, 10_000_000_000, 3)), on_load)


def lose_the_gpu_of_the_tiny_one(connection: Connection) -> None:
    """The real worker, in whose second batch of one model the device is gone."""
    from core import registry
    from core.engine import worker

    task = type(registry.task("text-classification"))
    forward, calls = task.forward, [0]

    def vanish(self: Any, model: Any, *told: Any) -> Any:
        calls[0] += 1
        if calls[0] > 2 and "tiny" in model.name_or_path:
            raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported late")
        return forward(self, model, *told)

    task.forward = vanish  # type: ignore
    worker.child_main(connection)


def kill_the_tiny_one_after_a_round(connection: Connection) -> None:
    """The real worker, which of one model is killed when it is told to predict again."""
    from core.engine import worker

    class Killed(worker.Worker):
        rounds = 0

        def predict(self, rows: Sequence[int] | None = None) -> None:
            self.rounds += 1
            if self.rounds > 1 and "tiny" in self._job.spec.model:
                os.kill(os.getpid(), signal.SIGKILL)
            super().predict(rows)

    worker.Worker = Killed  # type: ignore
    worker.child_main(connection)
