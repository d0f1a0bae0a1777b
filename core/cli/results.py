"""`report`, `export`: what came out of a run, and what to do with it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from core import registry
from core.analysis import wording
from core.cli.output import console, print_json, print_table
from core.errors import UnknownName, UserError

if TYPE_CHECKING:
    from argparse import Namespace

    from core.analysis.views import LeaderboardRow
    from core.metrics.base import Metric
    from core.records import RunResult


def report(options: Namespace) -> int:
    """The results of a run, on stdout."""
    from core.analysis.report import report

    run = find_run(options.run)
    if options.format == "json":
        print_json(report(run))
    else:
        sys.stdout.write(registry.format(options.format).render(run, _trial(run, options.trial)).decode())
    return 0


def export(options: Namespace) -> int:
    """The winner, or the trial asked for, as files in a folder."""
    from core.export.bundle import write

    run = find_run(options.run)
    for path in write(run, _trial(run, options.trial), options.out, options.format):
        console.print(str(path), markup=False)
    return 0


def find_run(name: str) -> RunResult:
    """The run of that id, of the only id that begins so, or the newest for `latest`. Raises UnknownName."""
    from core.store import Store

    with closing(Store()) as store:
        ids = [run.id for run in store.runs()]
        if not ids:
            raise UserError(f"There is no run {name!r}: nothing has been run yet.", "python -m core run PLAN.yaml")
        return store.run(ids[0] if name == "latest" else _only("run", name, ids, "latest"))


def print_ranking(run: RunResult) -> None:
    """The table of trials, best first, what keeps some from being chosen, and the choice in a sentence."""
    from core.analysis import raced, serving, writing
    from core.analysis.ranking import choose
    from core.analysis.summary import analyse
    from core.analysis.views import leaderboard

    analysis = analyse(run)
    ranking = choose(analysis)
    metrics = list(analysis.metrics)
    board = leaderboard(analysis, ranking)
    columns = ("", "trial", *metrics, "p50", "memory", "parameters", "")
    print_table(columns, [_cells(row, metrics) for row in board], right=range(2, len(columns) - 1))
    for row in board:
        for remark in _remarks(row, analysis.headline):
            console.print(f"{row.name}: {remark}", markup=False)
    for note, names in _notes(run, {row.trial: row.name for row in board}).items():
        whose = "" if len(names) == len(board) else f" ({', '.join(names)})"
        console.print(f"note: {note}{whose}", markup=False)
    console.print(f"\n{ranking.reason}", markup=False)
    for wrote in writing.smallest(analysis):
        console.print(f"{wrote.name}: {wrote.writing.in_words}", markup=False)
    for one in serving.scenarios(analysis):
        if one.server:
            console.print(f"{one.name}, server: {one.server.in_words}", markup=False)
    if race := raced.raced(run):
        console.print(f"race: {raced.in_words(race)}", markup=False)
    console.print(
        f"run {run.id} · {run.status} · {len(run.evalset.ids):,} rows · ★ choice, = tied with the best", markup=False
    )


def _cells(row: LeaderboardRow, metrics: Sequence[str]) -> tuple[str, ...]:
    mark = "★" if row.winner else "=" if row.tied else ""
    scores = [wording.quality_between(row.scores[name]) if row.rows else wording.NOTHING for name in metrics]
    costs = (wording.milliseconds(row.p50_ms.value), wording.megabytes(row.memory_mb), wording.count(row.parameters))
    verdict = "left the race" if row.stopped else "over a limit" if row.violations else ""
    return (mark, row.name, *scores, *costs, verdict if row.status == "done" else row.status)


def _remarks(row: LeaderboardRow, headline: Metric) -> list[str]:
    if row.failure:
        return [" ".join(filter(None, (f"{row.failure.kind}: {row.failure.message}", row.failure.hint)))]
    if row.stopped:
        return [wording.left_the_race(row.stopped, headline.percent)]
    return list(row.violations)


def _notes(run: RunResult, names: Mapping[str, str]) -> dict[str, list[str]]:
    """What a reader must know, once each → the trials that it is about."""
    from core.analysis.notes import notes

    found: dict[str, list[str]] = {}
    for outcome in run.outcomes:
        for note in notes(outcome, run.outcomes):
            found.setdefault(note, []).append(names[outcome.trial])
    return found


def _trial(run: RunResult, name: str | None) -> str:
    from core.analysis.ranking import rank

    if name:
        return _only("trial", name, [outcome.trial for outcome in run.outcomes])
    ranking = rank(run)
    if ranking.winner is None:
        raise UserError(
            f"Run {run.id!r} has no winner: {ranking.reason}", "Name a trial with --trial, or change the limits."
        )
    return ranking.winner


def _only(kind: str, name: str, ids: Sequence[str], *aliases: str) -> str:
    """The one id that begins with `name`."""
    matching = [id for id in ids if id.startswith(name)]
    if len(matching) != 1:
        raise UnknownName(kind, name, [*ids, *aliases])
    return matching[0]
