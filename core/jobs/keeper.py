"""Keeps a runner's word while it is busy: says that it is alive, and holds the leases of its trials."""

from __future__ import annotations

import os
import threading
from logging import getLogger
from types import TracebackType

from core.errors import UserError
from core.jobs.processes import host
from core.store import Store

LEASE_SECONDS = 30.0
BEAT_SECONDS = 2.0


class Keeper:
    """A thread that says the runner is alive and holds its leases, whatever the runner is waiting for."""

    def __init__(self, store: Store, runner: str) -> None:
        self._store, self._runner = store, runner
        self._held: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Keeper:
        self._store.beat(self._runner, host(), os.getpid())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        self._store.forget_runner(self._runner)

    def hold(self, trial: str) -> threading.Event:
        """Renew this trial's lease from now on. The event is set once the trial must be stopped."""
        with self._lock:
            return self._held.setdefault(trial, threading.Event())

    def let_go(self, trial: str) -> None:
        """Renew it no longer; nothing happens where it is not held."""
        with self._lock:
            self._held.pop(trial, None)

    def _keep(self) -> None:
        while not self._closing.wait(BEAT_SECONDS):
            try:
                self._store.beat(self._runner, host(), os.getpid())
                with self._lock:
                    for trial, lost in self._held.items():
                        if not lost.is_set() and not self._store.renew(trial, self._runner, LEASE_SECONDS):
                            lost.set()
            except UserError as error:  # the next beat may get through; if none does, the lease runs out
                getLogger("shortlist.runner").error("%s %s", error.message, error.hint)
