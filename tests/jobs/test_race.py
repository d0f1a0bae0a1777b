"""A race of real models: the worse ones stop early, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from core.catalog.fit import Fit
from core.engine import race
from core.engine.prepare import Prepared
from core.errors import Interrupted
from core.jobs import run as runs
from core.jobs import trial
from core.jobs.local import LocalWorker
from core.jobs.runner import Progress, Runner
from core.records import RunResult, Stopped
from core.store import Store
from tests.jobs import targets
from tests.jobs.test_runner import QUICK, planned, predictions

POOR, GOOD = "helpdesk-lab/ticket-router-bert-tiny", "quietmail/ticket-electra-small"
"""Right on 83 and 95 of 100 tickets."""
RACE = replace(QUICK, race=True, race_tolerance=0.01, latency_batch_sizes=())
ROWS = 400


def racing(*models: str, rows: int = ROWS, **changes: Any) -> Prepared:
    prepared: Prepared = planned(*models, rows=rows, protocol=replace(RACE, **changes))
    return prepared


def test_the_worse_stop_with_their_interval_and_the_others_go_on(store: Store) -> None:
    run = store.submit(racing(POOR, GOOD, latency_batch_sizes=(1,)))
    assert Runner(store).work(run) == 2
    result = store.run(run)
    poor, good = result.outcomes
    assert (poor.status, good.status, good.stopped) == ("done", "done", None)
    assert poor.stopped is not None
    assert poor.stopped.leader == good.trial
    assert poor.stopped.rows == poor.rows_done == good.rows_done < ROWS
    assert poor.stopped.low < poor.stopped.difference < poor.stopped.high < 0
    assert f"The race ended after {good.rows_done} of {ROWS} rows: all others were surely worse." in good.notes
    assert (len(poor.latency), len(good.latency)) == (0, 1)
    assert poor.memory_mb["peak"] > 0
    order = race.order(result.evalset.id, ROWS)
    assert set(predictions(poor)) == set(predictions(good)) == set(order[: good.rows_done])

    full = store.submit(planned(POOR, GOOD, rows=ROWS, protocol=replace(RACE, race=False)))
    Runner(store).work(full)
    for raced, whole in zip(result.outcomes, store.run(full).outcomes, strict=True):
        assert predictions(raced).items() <= predictions(whole).items()


def test_an_interrupted_race_ends_as_if_nothing_had_happened(store: Store) -> None:
    """The good one races against itself: the two are never parted, and the poor one leaves early."""
    prepared = racing(POOR, GOOD, GOOD, race_tolerance=0.0)
    anew = tuple(replace(spec, repeat=spec.repeat + 2) for spec in prepared.specs)
    whole, broken = store.submit(prepared), store.submit(replace(prepared, specs=anew))
    Runner(store).work(whole)
    for rows in (50, 256):
        with pytest.raises(Interrupted):
            Runner(store).work(broken, _interrupt_behind(rows))
        assert "queued" in {one.status for one in store.progress(broken).outcomes}
    Runner(store).work(broken)
    left = _told(store.run(whole))
    assert left == _told(store.run(broken))
    assert left[0][0] < ROWS
    assert left[1:] == [(ROWS, None, None), (ROWS, None, None)]


def _interrupt_behind(rows: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.spec.model == GOOD and progress.rows_done > rows:
            raise KeyboardInterrupt

    return on_progress


def _told(run: RunResult) -> list[tuple[int, Stopped | None, int | None]]:
    """Rows, the bounds, and the place of the leader in the plan, for each trial."""
    place = {one.trial: number for number, one in enumerate(run.outcomes)}
    return [
        (
            one.rows_done,
            one.stopped and replace(one.stopped, leader=""),
            place[one.stopped.leader] if one.stopped else None,
        )
        for one in run.outcomes
    ]


def test_what_does_not_fit_beside_the_others_races_against_their_scores(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "fits", lambda *_: Fit("tight", "", 1e6))
    run = store.submit(racing(GOOD, POOR))
    Runner(store).work(run)
    good, poor = store.run(run).outcomes
    assert (good.rows_done, good.stopped) == (ROWS, None)  # nobody was there to race with
    assert poor.stopped is not None
    assert poor.stopped.leader == good.trial
    assert poor.rows_done < ROWS


def test_a_trial_that_fails_leaves_the_race_to_the_others(store: Store, worker: Callable[[Any], None]) -> None:
    worker(targets.fail_the_tiny_one)
    run = store.submit(racing(POOR, GOOD, rows=4))
    Runner(store).work(run)
    failed, finished = store.run(run).outcomes
    assert (failed.status, finished.status) == ("failed", "done")


def test_a_worker_killed_in_mid_race_decides_nothing_and_a_second_try_stops_where_it_would_have(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = store.submit(racing(POOR, GOOD))
    Runner(store).work(undisturbed)
    prepared = racing(POOR, GOOD)
    run = store.submit(replace(prepared, specs=tuple(replace(one, repeat=9) for one in prepared.specs)))
    with monkeypatch.context() as patch:
        patch.setattr(trial, "LocalWorker", partial(LocalWorker, target=targets.kill_the_tiny_one_after_a_round))
        Runner(store).work(run)
    killed, alone = store.run(run).outcomes
    assert killed.failure is not None
    assert (killed.status, killed.failure.kind, killed.rows_done) == ("failed", "crash", race.FIRST_ROUND)
    assert (alone.status, alone.rows_done, alone.stopped) == ("done", ROWS, None)
    assert not any("surely worse" in note for note in alone.notes)

    store.retry_trial(killed.trial)
    Runner(store).work(run)
    assert _told(store.run(run))[0] == _told(store.run(undisturbed))[0]


def test_one_whom_nobody_races_answers_all_rows(store: Store) -> None:
    run = store.submit(racing(POOR, rows=300))
    Runner(store).work(run)
    [alone] = store.run(run).outcomes
    assert (alone.status, alone.rows_done, alone.stopped) == ("done", 300, None)
