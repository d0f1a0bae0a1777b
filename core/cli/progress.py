"""A run's progress on stderr, read from the store like every other watcher does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from core import registry
from core.analysis import wording
from core.cli.output import progress_console, say

if TYPE_CHECKING:
    from core.records import Outcome, RunResult
    from core.store import Store

SECONDS = 0.3


@contextmanager
def shown(store: Store, run_id: str) -> Iterator[None]:
    """Show the progress of a run while the body works on it."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(store, run_id, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(store: Store, run_id: str, stop: threading.Event) -> None:
    first = store.progress(run_id)
    names = dict(
        zip(
            (one.trial for one in first.outcomes),
            wording.trial_names([one.spec for one in first.outcomes]),
            strict=True,
        )
    )
    ended = {one.trial for one in first.outcomes if one.status not in ("queued", "running")}
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=progress_console,
        transient=True,
    )
    with bar:
        line = bar.add_task("waiting", total=sum(one.rows_total for one in first.outcomes))
        while True:
            last = stop.wait(SECONDS)
            run = store.progress(run_id)
            bar.update(line, completed=sum(_rows(one) for one in run.outcomes), description=_now(run, names))
            for one in run.outcomes:
                if one.status not in ("queued", "running") and one.trial not in ended:
                    ended.add(one.trial)
                    say(_ended(one, names[one.trial], len(ended), len(run.outcomes)))
            if last:
                return


def _rows(outcome: Outcome) -> int:
    return outcome.rows_total if outcome.status in ("done", "failed", "cancelled") else outcome.rows_done


def _now(run: RunResult, names: dict[str, str]) -> str:
    """What happens: one trial works while others wait for it, or several are timed together."""
    running = [one for one in run.outcomes if one.status == "running"]
    timed = sum(one.stage == "latency" for one in running)
    if timed > 1:
        return f"timing {timed} trials together"
    if (served := sum(one.stage == "server" for one in running)) > 1:
        return f"requests arrive at {served} trials by turns"
    at_work = next((one for one in running if one.stage != "ready"), None)
    left = sum(one.stopped is not None for one in run.outcomes)
    race = f"race, {left} of {len(run.outcomes)} have left · " if left else ""
    return f"{race}{names[at_work.trial]} · {at_work.stage}" if at_work else run.status


def _ended(outcome: Outcome, name: str, number: int, count: int) -> str:
    if outcome.failure:
        return f"[{number}/{count}] {name}: {outcome.status}, {outcome.failure.kind}: {outcome.failure.message}"
    if outcome.stopped:
        metric = registry.metric(outcome.spec.metrics[0], registry.task(outcome.spec.task))
        return f"[{number}/{count}] {name}: {wording.left_the_race(outcome.stopped, metric.percent)}"
    return f"[{number}/{count}] {name}: {outcome.status}, {outcome.rows_done:,} rows"
