"""Executes queued trials, one at a time: claim, fetch the model, run it in its own process, commit what it says.

A runner may die at any moment: its leases run out, and the next one resumes from the committed rows.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from logging import INFO, basicConfig, getLogger
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core import registry, settings
from core.catalog import locate, stored
from core.engine import environment
from core.engine.events import Done, Event, Latency, Loaded, Memory, Note, Rows, Stage
from core.errors import AppError, Interrupted, TrialFailed, UserError
from core.jobs import stored as stored_job
from core.jobs.keeper import BEAT_SECONDS, LEASE_SECONDS, Keeper
from core.jobs.local import execute
from core.jobs.processes import host, is_running, runner_id
from core.metrics.scoring import statistics
from core.records import Chunk, EvalSet, Failure, TrialSpec
from core.store import Claim, LeaseLost, RunnerInfo, Store

IDLE_SECONDS = 0.5
DEAD_AFTER_SECONDS = 3 * BEAT_SECONDS
FORGOTTEN_AFTER_SECONDS = 24 * 3600.0
DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True)
class Progress:
    """How far a trial is."""

    trial: str
    spec: TrialSpec
    stage: str
    rows_done: int
    rows_total: int


OnProgress = Callable[[Progress], None]


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
            Interrupted: Ctrl-C. The trial is back in the queue, with the rows it has.
            UserError: The database cannot be used any more.
        """
        count = 0
        try:
            with Keeper(self._store, self.id) as keeper:
                while True:
                    if self._step(run, keeper, on_progress):
                        count += 1
                    elif not self._others_work_on(run):
                        return count
                    else:
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
                        worked = self._step(None, keeper, _logged)
                    except UserError as error:  # the database; it may come back
                        logger.error("%s %s", error.message, error.hint)
                        worked = False
                    if worked:
                        idle_since = time.monotonic()
                    else:
                        time.sleep(IDLE_SECONDS)
        except KeyboardInterrupt:
            logger.info("runner %s was told to stop", self.id)

    def _step(self, run: str | None, keeper: Keeper, on_progress: OnProgress | None) -> bool:
        """Execute one trial; False where there is none, or another runner on this machine is measuring."""
        free_dead_runners(self._store)
        try:
            with self._turn.acquire(timeout=0):
                claim = self._store.claim(self.id, LEASE_SECONDS, run, _hardware())
                if claim is None:
                    return False
                with keeper.holding(claim.trial):
                    _Execution(self._store, self.id, claim, keeper, self._token, on_progress).run()
                return True
        except Timeout:
            return False

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


class _Execution:
    """One claimed trial, from its model to its end."""

    def __init__(
        self, store: Store, runner: str, claim: Claim, keeper: Keeper, token: str | None, on_progress: OnProgress | None
    ) -> None:
        self._store, self._runner, self._claim, self._keeper = store, runner, claim, keeper
        self._token, self._on_progress = token, on_progress
        self._stage, self._rows_done, self._rows_total = "", len(claim.done), 0
        self._load_seconds: float | None = None
        self._memory_mb: dict[str, float] = {}
        self._environment: dict[str, Any] = {}

    def run(self) -> None:
        """Execute the trial; its end is in the store. Raises UserError where the store cannot be used."""
        trial, runner = self._claim.trial, self._runner
        try:
            failure = self._failure()
            if failure is not None:
                self._store.fail(trial, failure, runner_id=runner)
            else:
                self._store.finish(
                    trial,
                    load_seconds=self._load_seconds,
                    memory_mb=self._memory_mb,
                    environment=self._environment,
                    runner_id=runner,
                )
        except (LeaseLost, Interrupted):  # cancelled, paused, or in other hands: `release` knows which
            self._store.release(trial, runner_id=runner)
        except BaseException:
            self._store.release(trial, runner_id=runner)
            raise

    def _failure(self) -> Failure | None:
        evalset = self._store.evalset(self._claim.evalset_id)
        self._rows_total = len(evalset.ids)
        self._enter("fetch")
        try:
            folder = self._fetch()
        except UserError as error:
            return Failure("load", error.message, error.hint)
        try:
            return (stored_job.execute if self._claim.spec.source == stored.SOURCE else execute)(
                self._claim, evalset, folder, lambda event: self._take(event, evalset), self._keeper.lost.is_set
            )
        except TrialFailed as failed:
            return Failure(failed.kind, failed.message, failed.hint, failed.log_tail)
        except AppError:
            raise
        except Exception as error:  # a bug, and a row: the other trials go on
            return Failure("crash", f"{type(error).__name__}: {error}", "", traceback.format_exc()[-4000:])

    def _fetch(self) -> Path:
        spec = self._claim.spec
        catalog, model = locate(spec.model, spec.source or None, self._token)
        candidate = self._claim.candidate or catalog.describe(model, spec.revision or None)
        last = time.monotonic()

        def on_progress(done: int, total: int) -> None:
            nonlocal last
            if self._keeper.lost.is_set():
                raise Interrupted("The trial was stopped.")
            if total and time.monotonic() - last > 1:
                last = time.monotonic()
                self._enter(f"fetch {done * 100 // total}%")

        return catalog.fetch(candidate, on_progress)

    def _take(self, event: Event, evalset: EvalSet) -> None:
        """Keep what the worker says."""
        trial, runner = self._claim.trial, self._runner
        match event:
            case Stage(name):
                self._enter(name)
            case Loaded(seconds, _):
                self._load_seconds = seconds
            case Rows():
                self._store.commit_chunk(trial, _scored(event, self._claim.spec, evalset), runner_id=runner)
                self._rows_done += len(event.positions)
                self._report()
            case Latency(series):
                self._store.commit_latency(trial, series, runner_id=runner)
            case Memory(mb):
                self._memory_mb = dict(mb)
            case Note(text):
                self._store.add_note(trial, text, runner_id=runner)
            case Done(described):
                self._environment = dict(described)

    def _enter(self, stage: str) -> None:
        self._store.set_stage(self._claim.trial, stage, runner_id=self._runner)
        self._stage = stage
        self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            spec = self._claim.spec
            self._on_progress(Progress(self._claim.trial, spec, self._stage, self._rows_done, self._rows_total))


def _scored(rows: Rows, spec: TrialSpec, evalset: EvalSet) -> Chunk:
    task = registry.task(spec.task)
    metrics = [name for name in spec.metrics if registry.metric(name, task).stored]
    references = [evalset.references[position] for position in rows.positions]
    try:
        scores = statistics(task, metrics, spec.options, evalset.labels, rows.predictions, references)
    except UserError as error:
        raise TrialFailed("data", error.message, error.hint) from error
    return Chunk(rows.positions, rows.predictions, scores, rows.seconds, rows.units)
