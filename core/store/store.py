"""Everything that is kept, behind one object: each method is one transaction.

The web app, the command line and the runners meet only here. All methods raise UserError where the database cannot be
used (locked, disk full, not reachable) and UnknownName for an id that is not there.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from core import settings
from core.errors import UserError
from core.records import (
    Candidate,
    Chunk,
    Decision,
    EvalSet,
    Failure,
    LatencySeries,
    Review,
    RunResult,
    Selection,
    ServerSeries,
    Stopped,
)
from core.store import encoding, reviews, runners, runs, selections, trials
from core.store.database import Database
from core.store.runners import RunnerInfo
from core.store.runs import RunInfo, Wish
from core.store.trials import Claim

if TYPE_CHECKING:
    from core.engine.prepare import Prepared

EVALSETS_IN_MEMORY = 4


class Store:
    """The store at a database URL. May be used from several threads and processes at once."""

    def __init__(self, url: str | None = None) -> None:
        """Open the store; None: the database that the settings name. Raises UserError."""
        self._database = Database(url or settings.database_url())
        self._evalsets: dict[str, EvalSet] = {}

    @property
    def url(self) -> str:
        """The database's URL, password included: for a process that shall open the same store."""
        return self._database.url

    @property
    def address(self) -> str:
        """Which database this is, without the password."""
        return self._database.address

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    # --- selections, their shortlists, their rows --------------------------------------------------------------------

    def create_selection(self, name: str, task: str | None = None, example: bool = False) -> Selection:
        """A new, empty selection. Raises UserError where the name is blank."""
        if not name.strip():
            raise UserError("A selection needs a name.", "Call it what you choose a model for, e.g. 'ticket router'.")
        selection = Selection(uuid.uuid4().hex[:12], name.strip(), task, example, created=trials.timestamp())
        with self._database.write() as connection:
            selections.insert(connection, selection)
        return selection

    def save_selection(self, selection: Selection) -> None:
        """Replace what is known of a selection."""
        with self._database.write() as connection:
            selections.save(connection, selection)

    def selection(self, id: str) -> Selection:
        """The selection of that id."""
        with self._database.read() as connection:
            return selections.one(connection, id)

    def selections(self) -> list[Selection]:
        """All selections, the oldest first."""
        with self._database.read() as connection:
            return selections.everything(connection)

    def shortlist(self, selection: str) -> list[Candidate]:
        """The candidates of a selection, in the order they were added."""
        with self._database.read() as connection:
            return selections.shortlist(connection, selection)

    def add_candidate(self, selection: str, candidate: Candidate) -> None:
        """Put a candidate on the shortlist, or bring its facts up to date."""
        with self._database.write() as connection:
            selections.add_candidate(connection, selection, candidate)

    def remove_candidate(self, selection: str, candidate: str) -> None:
        """Take a candidate off the shortlist by its id."""
        with self._database.write() as connection:
            selections.remove_candidate(connection, selection, candidate)

    def save_evalset(self, evalset: EvalSet) -> None:
        """Keep the rows under the name of their content."""
        with self._database.write() as connection:
            selections.save_evalset(connection, evalset)

    def evalset(self, id: str) -> EvalSet:
        """The rows of that id."""
        with self._database.read() as connection:
            return self._evalset(connection, id)

    # --- runs --------------------------------------------------------------------------------------------------------

    def submit(self, prepared: Prepared, selection: str | None = None) -> str:
        """Queue what has not been measured yet; the run's id.

        The same pinned plan gives the same run: finished trials stay, failed and cancelled ones get another try.
        """
        with self._database.write() as connection:
            return runs.submit(connection, prepared, selection)

    def run(self, id: str) -> RunResult:
        """A run with everything known of it."""
        return self._result(id, measured=True)

    def progress(self, id: str) -> RunResult:
        """A run without rows and times, for those who ask often."""
        return self._result(id, measured=False)

    def runs(self, selection: str | None = None) -> list[RunInfo]:
        """All runs, or those of a selection, the newest first."""
        with self._database.read() as connection:
            return runs.listing(connection, selection)

    def latest_run(self, selection: str) -> str | None:
        """Id of the newest run of a selection."""
        return next((run.id for run in self.runs(selection)), None)

    def stamp(self, run: str) -> str:
        """A text that changes whenever anything of the run does."""
        with self._database.read() as connection:
            return runs.stamp(connection, run)

    def set_wish(self, run: str, wish: Wish) -> None:
        """Let a run go on, pause or end. Its runner follows within seconds; committed rows stay."""
        with self._database.write() as connection:
            runs.set_wish(connection, run, wish)

    def next_repeat(self, plan_hash: str) -> int:
        """The `repeat` that measures a pinned plan afresh; 0 where it never ran."""
        with self._database.read() as connection:
            return runs.next_repeat(connection, plan_hash)

    def cancel_trial(self, trial: str) -> None:
        """Stop one trial that has not ended."""
        with self._database.write() as connection:
            trials.cancel(connection, trial)

    def retry_trial(self, trial: str) -> None:
        """Queue a failed or cancelled trial again. Raises UserError where it was refused when planned."""
        with self._database.write() as connection:
            trials.retry(connection, trial)

    # --- for runners. Writes raise LeaseLost where the trial is not running, or is held by another than `runner_id` ---

    def claim(
        self,
        runner_id: str,
        lease_seconds: float = 60,
        run_id: str | None = None,
        hardware: Collection[str] | None = None,
        trial: str | None = None,
    ) -> Claim | None:
        """Take the next trial: queued, or left behind by a runner that vanished.

        Args:
            runner_id: Who takes it.
            lease_seconds: How long it stays taken without `renew`.
            run_id: Only from this run.
            hardware: Only trials of these machine fingerprints; None: of all.
            trial: Only this one; None: the first there is.
        """
        with self._database.write() as connection:
            return trials.claim(connection, runner_id, lease_seconds, run_id, hardware, trial)

    def renew(self, trial: str, runner_id: str, lease_seconds: float = 60) -> bool:
        """Hold a trial longer. False where the runner must stop: cancelled, paused, or lost to another."""
        with self._database.write() as connection:
            return trials.renew(connection, trial, runner_id, lease_seconds)

    def set_stage(self, trial: str, stage: str, *, runner_id: str | None = None) -> None:
        """Say what happens: `fetch`, `load`, `quality`, `latency`, `server`, or with how far it is: `fetch 40%`."""
        with self._database.write() as connection:
            trials.set_stage(connection, trial, runner_id, stage)

    def commit_chunk(self, trial: str, chunk: Chunk, *, runner_id: str | None = None) -> None:
        """Keep some rows; those that are kept already are dropped."""
        with self._database.write() as connection:
            trials.commit_chunk(connection, trial, runner_id, chunk)

    def commit_latency(self, trial: str, series: LatencySeries, *, runner_id: str | None = None) -> None:
        """Keep the times of one batch size."""
        with self._database.write() as connection:
            trials.commit_latency(connection, trial, runner_id, series)

    def commit_server(self, trial: str, rates: Sequence[ServerSeries], *, runner_id: str | None = None) -> None:
        """Keep the rates of the server scenario, in the order they were tried."""
        with self._database.write() as connection:
            trials.commit_server(connection, trial, runner_id, rates)

    def add_note(self, trial: str, text: str, *, runner_id: str | None = None) -> None:
        """Add what a reader of the results must know."""
        with self._database.write() as connection:
            trials.add_note(connection, trial, runner_id, text)

    def finish(
        self,
        trial: str,
        *,
        load_seconds: float | None,
        memory_mb: Mapping[str, float],
        environment: Mapping[str, Any],
        stopped: Stopped | None = None,
        runner_id: str | None = None,
    ) -> None:
        """End a trial well; `stopped` where a race ended it."""
        with self._database.write() as connection:
            trials.finish(connection, trial, runner_id, load_seconds, memory_mb, environment, stopped)

    def fail(self, trial: str, failure: Failure, *, runner_id: str | None = None) -> None:
        """End a trial without a result; its rows stay for a retry."""
        with self._database.write() as connection:
            trials.fail(connection, trial, runner_id, failure)

    def release(self, trial: str, *, runner_id: str | None = None) -> None:
        """Give a trial back to the queue with the rows it has; nothing happens where it is not held any more."""
        with self._database.write() as connection:
            trials.release(connection, trial, runner_id)

    def beat(self, runner_id: str, host: str, pid: int) -> None:
        """Say that a runner is alive."""
        with self._database.write() as connection:
            runners.beat(connection, runner_id, host, pid)

    def live_runners(self, max_age_seconds: float = 15) -> list[RunnerInfo]:
        """Runners that were heard of lately."""
        with self._database.read() as connection:
            return runners.live(connection, max_age_seconds)

    def forget_runner(self, runner_id: str) -> None:
        """Remove a runner that has ended; what it still held can be claimed at once."""
        with self._database.write() as connection:
            runners.forget(connection, runner_id)

    def runners(self) -> list[RunnerInfo]:
        """All runners that have not been removed, those that vanished included."""
        with self._database.read() as connection:
            return runners.everything(connection)

    # --- reviews and decisions: only ever added ----------------------------------------------------------------------

    def add_review(self, review: Review) -> None:
        """Keep one person's word."""
        with self._database.write() as connection:
            reviews.add_review(connection, review)

    def reviews(self, selection: str) -> list[Review]:
        """All that was said on a selection, in order."""
        with self._database.read() as connection:
            return reviews.reviews_of(connection, selection)

    def add_decision(self, decision: Decision) -> None:
        """Keep a signed decision. Raises UserError where its version is signed already."""
        with self._database.write() as connection:
            reviews.add_decision(connection, decision)

    def decisions(self, selection: str) -> list[Decision]:
        """The versions of a selection's decision, the first one first."""
        with self._database.read() as connection:
            return reviews.decisions_of(connection, selection)

    def _result(self, id: str, measured: bool) -> RunResult:
        with self._database.read() as connection:
            row = runs.row(connection, id)
            return RunResult(
                id=id,
                plan=encoding.plan(row.plan),
                plan_hash=row.plan_hash,
                evalset=self._evalset(connection, row.evalset),
                outcomes=runs.outcomes(connection, id, measured),
                selection=row.selection,
                wish=row.wish,
                created=row.created,
            )

    def _evalset(self, connection: Connection, id: str) -> EvalSet:
        """From memory where it can be: rows are named by their content, so they never change."""
        if id not in self._evalsets:
            while len(self._evalsets) >= EVALSETS_IN_MEMORY:
                self._evalsets.pop(next(iter(self._evalsets)), None)
            self._evalsets[id] = selections.evalset(connection, id)
        return self._evalsets[id]
