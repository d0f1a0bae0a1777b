"""One claimed trial, from its model to its end: what its worker says goes into the store, and so does how it ended."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import registry
from core.catalog import locate, stored
from core.engine.events import Done, Event, Loaded, Memory, Note, Rows, Stage
from core.engine.latency import Dropout
from core.engine.request import Call
from core.engine.serving import SEED
from core.engine.worker import Job, no_latency, no_server
from core.errors import AppError, Interrupted, TrialFailed, UserError
from core.jobs import stored as stored_job
from core.jobs.keeper import Keeper
from core.jobs.local import LocalWorker
from core.metrics.scoring import statistics
from core.records import Chunk, EvalSet, Failure, LatencySeries, ServerSeries, Stopped, TrialSpec
from core.store import Claim, LeaseLost, Store


@dataclass(frozen=True)
class Progress:
    """How far a trial is."""

    trial: str
    spec: TrialSpec
    stage: str
    rows_done: int
    rows_total: int


OnProgress = Callable[[Progress], None]
OnChunk = Callable[[str, Chunk], None]
"""The trial's id, and some of its rows."""


class Trial:
    """A trial that this runner holds. Its worker stays alive between the steps, until `over`.

    Whatever goes wrong in a step ends the trial and nothing else: as a failed row, or given back to the queue where it
    was cancelled, paused or lost. Only what concerns the store or the whole runner is raised.
    """

    def __init__(
        self,
        store: Store,
        runner: str,
        claim: Claim,
        keeper: Keeper,
        token: str | None,
        on_progress: OnProgress | None,
        on_chunk: OnChunk | None = None,
    ) -> None:
        """Hold the trial; nothing else happens yet. `on_chunk` is called with the rows that are committed."""
        self.claim = claim
        self.over = False
        self.first_call_ns = 0
        self.model_mb = 0.0
        """Memory that the loaded model takes, MB."""
        self.evalset: EvalSet
        """Known once it predicts."""
        self._store, self._runner, self._keeper = store, runner, keeper
        self._token, self._on_progress, self._on_chunk = token, on_progress, on_chunk
        self._lost = keeper.hold(claim.trial)
        self._worker: LocalWorker | None = None
        self._stage, self._rows_done = "", len(claim.done)
        self._load_seconds: float | None = None
        self._memory_mb: dict[str, float] = {}
        self._environment: dict[str, Any] = {}

    def start(self) -> None:
        """Fetch and load the model. Predictions made elsewhere are joined with the rows, and that is all of it."""
        with self._step():
            self.evalset = self._store.evalset(self.claim.evalset_id)
            self._enter("fetch")
            try:
                folder = self._fetch()
            except UserError as error:
                raise TrialFailed("load", error.message, error.hint) from None
            spec, evalset = self.claim.spec, self.evalset
            if spec.source == stored.SOURCE:
                stored_job.execute(self.claim, evalset, folder, self._take, self._lost.is_set)
                self._finish()
                return
            self._worker = LocalWorker(spec.protocol, self._lost.is_set)
            job = Job(spec, str(folder), evalset.inputs, evalset.labels, tuple(sorted(self.claim.done)))
            self._worker.load(job, self._take)

    def predict(self, rows: Sequence[int] | None = None) -> None:
        """Predict the rows at these positions, all when None, less those that are done."""
        with self._step():
            self._live_worker().predict(self._take, rows)

    def begin_timing(self, stage: str = "latency") -> None:
        """Say that the trial is being timed; it is over where somebody has cancelled it meanwhile."""
        with self._step():
            self._enter(stage)

    def time(self, rows: Sequence[int], fixed_length: bool = False) -> Call:
        """Time one request of the rows at these positions. Raises Dropout where it cannot be.

        Args:
            rows: Positions in the EvalSet.
            fixed_length: Whether each row is to get exactly `max_new_tokens` tokens, where the task writes.
        """
        answer: Call | Failure | None = None
        with self._step():
            answer = self._live_worker().time(rows, fixed_length)
        if isinstance(answer, Failure):
            self.note(no_latency(len(rows), answer.message, fixed_length))
        if not isinstance(answer, Call):
            raise Dropout
        return answer

    def keep_times(self, series: LatencySeries) -> None:
        """Commit the times of one batch size."""
        with self._step():
            self._store.commit_latency(self.claim.trial, series, runner_id=self._runner)
            self._report()

    def serve(self, rate: float, requests: int) -> ServerSeries:
        """Let so many requests arrive at `rate` per second. Raises Dropout where they cannot be answered."""
        answer: ServerSeries | Failure | None = None
        with self._step():
            answer = self._live_worker().serve(rate, requests, SEED)
        if isinstance(answer, Failure):
            self.note(no_server(answer.message))
        if not isinstance(answer, ServerSeries):
            raise Dropout
        return answer

    def keep_served(self, rates: Sequence[ServerSeries]) -> None:
        """Commit the rates of the server scenario."""
        with self._step():
            self._store.commit_server(self.claim.trial, rates, runner_id=self._runner)
            self._report()

    def note(self, text: str) -> None:
        """Add what a reader of the results must know."""
        with self._step():
            self._store.add_note(self.claim.trial, text, runner_id=self._runner)

    def end(self, environment: Mapping[str, Any] | None = None) -> None:
        """Let the worker end, and finish the trial; `environment` is added to what the worker says of its own."""
        with self._step():
            self._live_worker().end(self._take)
            self._environment |= environment or {}
            self._finish()

    def stop(self, stopped: Stopped) -> None:
        """Let the worker end, and finish the trial as one that left the race."""
        with self._step():
            self._live_worker().end(self._take)
            self._finish(stopped)

    def release(self) -> None:
        """Give the trial back to the queue with its rows, and end its worker; nothing happens where it is over."""
        if self.over:
            return
        try:
            self._store.release(self.claim.trial, runner_id=self._runner)
        finally:
            self._close()

    @contextmanager
    def _step(self) -> Iterator[None]:
        try:
            try:
                yield
            except TrialFailed as failed:
                self._fail(Failure(failed.kind, failed.message, failed.hint, failed.log_tail))
            except AppError:
                raise
            except Exception as error:  # a bug, and a row: the other trials go on
                self._fail(Failure("crash", f"{type(error).__name__}: {error}", "", traceback.format_exc()[-4000:]))
        except (LeaseLost, Interrupted):  # cancelled, paused, or in other hands: `release` knows which
            self.release()
        except BaseException:
            self.release()
            raise

    def _live_worker(self) -> LocalWorker:
        if self.over or self._worker is None:
            raise Interrupted("The trial is over.")
        return self._worker

    def _finish(self, stopped: Stopped | None = None) -> None:
        self._store.finish(
            self.claim.trial,
            load_seconds=self._load_seconds,
            memory_mb=self._memory_mb,
            environment=self._environment,
            stopped=stopped,
            runner_id=self._runner,
        )
        self._close()

    def _fail(self, failure: Failure) -> None:
        self._store.fail(self.claim.trial, failure, runner_id=self._runner)
        self._close()

    def _close(self) -> None:
        self.over = True
        self._keeper.let_go(self.claim.trial)
        if self._worker is not None:
            self._worker.close()

    def _fetch(self) -> Path:
        spec = self.claim.spec
        catalog, model = locate(spec.model, spec.source or None, self._token)
        candidate = self.claim.candidate or catalog.describe(model, spec.revision or None)
        last = time.monotonic()

        def on_progress(done: int, total: int) -> None:
            nonlocal last
            if self._lost.is_set():
                raise Interrupted("The trial was stopped.")
            if total and time.monotonic() - last > 1:
                last = time.monotonic()
                self._enter(f"fetch {done * 100 // total}%")

        return catalog.fetch(candidate, on_progress)

    def _take(self, event: Event) -> None:
        """Keep what the worker says."""
        trial, runner = self.claim.trial, self._runner
        match event:
            case Stage(name):
                self._enter(name)
            case Loaded(seconds, model_mb, first_call_ns):
                self._load_seconds, self.model_mb, self.first_call_ns = seconds, model_mb, first_call_ns
            case Rows():
                chunk = _scored(event, self.claim.spec, self.evalset)
                self._store.commit_chunk(trial, chunk, runner_id=runner)
                if self._on_chunk is not None:
                    self._on_chunk(trial, chunk)
                self._rows_done += len(event.positions)
                self._report()
            case Memory(mb):
                self._memory_mb = dict(mb)
            case Note(text):
                self._store.add_note(trial, text, runner_id=runner)
            case Done(described):
                self._environment = dict(described)

    def _enter(self, stage: str) -> None:
        self._store.set_stage(self.claim.trial, stage, runner_id=self._runner)
        self._stage = stage
        self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            total = len(self.evalset.ids)
            self._on_progress(Progress(self.claim.trial, self.claim.spec, self._stage, self._rows_done, total))


def _scored(rows: Rows, spec: TrialSpec, evalset: EvalSet) -> Chunk:
    task = registry.task(spec.task)
    metrics = [name for name in spec.metrics if registry.metric(name, task).stored]
    references = [evalset.references[position] for position in rows.positions]
    try:
        scores = statistics(task, metrics, spec.options, evalset.labels, rows.predictions, references)
    except UserError as error:
        raise TrialFailed("data", error.message, error.hint) from error
    return Chunk(rows.positions, rows.predictions, scores, rows.seconds, rows.units)
