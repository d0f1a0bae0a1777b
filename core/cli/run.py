"""`run`: a plan from file to ranking."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from core import codec, settings
from core.analysis import wording
from core.cli.output import print_json, say
from core.cli.progress import shown
from core.cli.results import print_ranking
from core.errors import Interrupted

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from core.engine.prepare import Prepared
    from core.records import RunResult
    from core.store import Store


def run(options: Namespace) -> int:
    """Run a plan to its end and print what came out."""
    from core.analysis.report import report
    from core.store import Store

    with closing(Store()) as store:
        result = run_plan(store, options.plan, fresh=options.fresh)
    if options.json:
        print_json(report(result))
    else:
        print_ranking(result)
    if result.wish != "run":
        raise Interrupted
    return 1 if any(outcome.status == "failed" for outcome in result.outcomes) else 0


def run_plan(store: Store, path: Path, *, fresh: bool = False) -> RunResult:
    """Read, prepare and run a plan, with progress on stderr.

    Raises:
        UserError: The plan, its data or a candidate cannot be used as they are.
        Interrupted: Stopped by Ctrl-C; the same call goes on from there.
    """
    from core.engine import plan as plans
    from core.engine.prepare import prepare, repeated
    from core.jobs.runner import Runner

    prepared = prepare(plans.read(path), token=settings.hub_token())
    if fresh:
        repeat = _fresh_repeat(store, plans.plan_hash(prepared.plan))
        prepared = repeated(prepared, repeat)
    for note in prepared.notes:
        say(f"note: {note}")
    run_id = store.submit(prepared)
    _say_cost(store, run_id, prepared)
    with shown(store, run_id):
        Runner(store).work(run_id)
    return store.run(run_id)


def _say_cost(store: Store, run_id: str, prepared: Prepared) -> None:
    """What is still to be done, and how long that may take; nothing where all of it was measured before."""
    from core.engine.estimate import estimate

    run = store.progress(run_id)
    open_ones = {one.trial for one in run.outcomes if one.status == "queued"}
    left = replace(prepared, specs=tuple(spec for spec in prepared.specs if codec.identity(spec) in open_ones))
    if left.specs:
        before = (one.id for one in store.runs() if one.plan_hash == run.plan_hash and one.id != run_id)
        known = next((store.run(one).outcomes for one in before), ())
        cost = estimate(left, known)
        rows = len(prepared.evalset.ids)
        between = f"{wording.duration(cost.seconds_low)} to {wording.duration(cost.seconds_high)}"
        trials = f"{len(left.specs)} trial{'s' if len(left.specs) > 1 else ''}"
        say(" ".join(filter(None, (f"{trials} on {rows:,} rows: {between}.", cost.basis, cost.race))))


def _fresh_repeat(store: Store, plan_hash: str) -> int:
    """The repeat to measure: one that was begun and stopped, so that Ctrl-C loses nothing here either, or a new one."""
    for run in store.runs():
        if run.plan_hash == plan_hash and run.status not in ("done", "cancelled"):
            begun = min(outcome.spec.repeat for outcome in store.progress(run.id).outcomes)
            if begun > 0:
                return begun
    return max(1, store.next_repeat(plan_hash))
