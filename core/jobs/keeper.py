"""Keeps a runner's word while it is busy: says that it is alive, and holds the lease of its trial."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from types import TracebackType

from core.errors import UserError
from core.jobs.processes import host
from core.store import Store

LEASE_SECONDS = 30.0
BEAT_SECONDS = 2.0


class Keeper:
    """A thread that says the runner is alive and holds its lease, whatever the runner is waiting for."""

    def __init__(self, store: Store, runner: str) -> None:
        self.lost = threading.Event()
        """Set once the trial must be stopped."""
        self._store, self._runner = store, runner
        self._trial: str | None = None
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

    @contextmanager
    def holding(self, trial: str) -> Iterator[None]:
        """Renew this trial's lease while the block runs."""
        self._hold(trial)
        try:
            yield
        finally:
            self._hold(None)

    def _hold(self, trial: str | None) -> None:
        with self._lock:
            self.lost.clear()
            self._trial = trial

    def _keep(self) -> None:
        while not self._closing.wait(BEAT_SECONDS):
            try:
                self._store.beat(self._runner, host(), os.getpid())
                with self._lock:
                    if self._trial and not self._store.renew(self._trial, self._runner, LEASE_SECONDS):
                        self.lost.set()
            except UserError as error:  # the next beat may get through; if none does, the lease runs out
                getLogger("shortlist.runner").error("%s %s", error.message, error.hint)
