"""Executes queued trials, a run at a time, and no two of them at once on a machine.

A runner may die at any moment: its leases run out, and the next one resumes from the committed rows.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from logging import INFO, basicConfig, getLogger

from filelock import FileLock, Timeout

from core import settings
from core.engine import environment
from core.errors import Interrupted, UserError
from core.jobs.keeper import BEAT_SECONDS, LEASE_SECONDS, Keeper
from core.jobs.processes import host, is_running, runner_id
from core.jobs.run import execute
from core.jobs.trial import OnProgress, Progress
from core.store import RunnerInfo, Store

__all__ = ["OnProgress", "Progress", "Runner", "free_dead_runners"]

IDLE_SECONDS = 0.5
DEAD_AFTER_SECONDS = 3 * BEAT_SECONDS
FORGOTTEN_AFTER_SECONDS = 24 * 3600.0
DEVICES = ("cpu", "cuda", "mps")


class Runner:
    """Works on the trials of a store. One per process; of several on a machine, one measures at a time."""

    def __init__(self, store: Store, token: str | None = None) -> None:
        """Make a runner; it does nothing yet. `token` is for the Hub, by default the user's own."""
        self.id = runner_id(os.getpid())
        self._store = store
        self._token = token or settings.hub_token()
        settings.home().mkdir(parents=True, exist_ok=True)
        # Two trials side by side would both be measured wrong.
        self._turn = FileLock(settings.home() / "measuring.lock")

    def work(self, run: str | None = None, on_progress: OnProgress | None = None) -> int:
        """Execute trials until none is left.

        Args:
            run: Only this run's, and until it has ended, also where another runner holds one of its trials.
            on_progress: Called whenever a trial has come further.

        Returns:
            How many trials this runner has executed.

        Raises:
            Interrupted: Ctrl-C. What is not finished is back in the queue, with the rows it has.
            UserError: The database cannot be used any more.
        """
        count = 0
        try:
            with Keeper(self._store, self.id) as keeper:
                while True:
                    executed = self._step(run, keeper, on_progress)
                    count += executed
                    if executed:
                        continue
                    if not self._others_work_on(run):
                        return count
                    time.sleep(IDLE_SECONDS)
        except KeyboardInterrupt:
            raise Interrupted("Stopped. What was measured is kept; start again to go on.") from None

    def forever(self, idle_minutes: float | None = None) -> None:
        """Execute whatever is queued, until Ctrl-C or SIGTERM, or after `idle_minutes` without work."""
        logger = getLogger("shortlist.runner")
        basicConfig(level=INFO, format="%(asctime)s %(message)s")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        logger.info("runner %s works on %s", self.id, settings.home())
        idle_since = time.monotonic()
        try:
            with Keeper(self._store, self.id) as keeper:
                while idle_minutes is None or time.monotonic() - idle_since < 60 * idle_minutes:
                    try:
                        executed = self._step(None, keeper, _logged)
                    except UserError as error:  # the database; it may come back
                        logger.error("%s %s", error.message, error.hint)
                        executed = 0
                    if executed:
                        idle_since = time.monotonic()
                    else:
                        time.sleep(IDLE_SECONDS)
        except KeyboardInterrupt:
            logger.info("runner %s was told to stop", self.id)

    def _step(self, run: str | None, keeper: Keeper, on_progress: OnProgress | None) -> int:
        """Execute the trials of one run; how many. None where nothing is queued, or another runner here measures."""
        free_dead_runners(self._store)
        hardware = _hardware()
        try:
            with self._turn.acquire(timeout=0):
                claim = self._store.claim(self.id, LEASE_SECONDS, run, hardware)
                if claim is None:
                    return 0
                return execute(self._store, self.id, claim, keeper, hardware, self._token, on_progress)
        except Timeout:
            return 0

    def _others_work_on(self, run: str | None) -> bool:
        if run is None:
            return False
        result = self._store.progress(run)
        return result.wish == "run" and any(outcome.status == "running" for outcome in result.outcomes)


def _logged(progress: Progress) -> None:
    done = f"{progress.rows_done} of {progress.rows_total} rows"
    getLogger("shortlist.runner").info("%s %s: %s, %s", progress.trial, progress.spec.model, progress.stage, done)


def free_dead_runners(store: Store) -> None:
    """Free what runners of this machine held whose process is gone: nobody needs to wait for their leases."""
    for runner in store.runners():
        if _is_dead(runner) or runner.age_seconds > FORGOTTEN_AFTER_SECONDS:
            store.forget_runner(runner.id)


def _is_dead(runner: RunnerInfo) -> bool:
    # A container may share the host's name but not its processes: a runner that beats is alive whatever its pid says.
    return runner.age_seconds > DEAD_AFTER_SECONDS and runner.host == host() and not is_running(runner)


def _hardware() -> set[str]:
    """Fingerprints of this machine: a trial planned for another one would be measured under a wrong name."""
    return {environment.fingerprint(device) for device in DEVICES}
