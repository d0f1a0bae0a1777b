"""`report`, `export`, `score`: what came out, and what to do with it."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from core import registry
from core.analysis import wording
from core.cli.output import console, print_json, print_table
from core.errors import DatasetMismatch, UnknownName, UserError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from core.records import RunResult
    from core.store import Store
    from core.tasks.base import Task


def report(options: Namespace) -> int:
    """The results of a run, on stdout."""
    from core.analysis.report import report

    run = find_run(options.run)
    if options.format == "json":
        print_json(report(run))
        return 0
    sys.stdout.write(registry.format(options.format).render(run, _trial(run, None)).decode())
    return 0


def export(options: Namespace) -> int:
    """The winner, or the trial asked for, as files in a folder."""
    from core.export.bundle import write

    run = find_run(options.run)
    for path in write(run, _trial(run, options.trial), options.out, options.format):
        console.print(str(path))
    return 0


def find_run(name: str, store: Store | None = None) -> RunResult:
    """The run of that id, of the only id that begins so, or the newest for `latest`. Raises UnknownName."""
    from core.store import Store

    store = store or Store()
    ids = [run.id for run in store.runs()]
    if not ids:
        raise UserError(f"There is no run {name!r}: nothing has been run yet.", "python -m core run PLAN.yaml")
    matching = ids[:1] if name == "latest" else [id for id in ids if id.startswith(name)]
    if len(matching) != 1:
        raise UnknownName("run", name, [*ids, "latest"])
    return store.run(matching[0])


def print_ranking(run: RunResult) -> None:
    """The table of trials, best first, and the choice in a sentence."""
    from core.analysis.ranking import choose
    from core.analysis.summary import analyse
    from core.analysis.views import leaderboard

    analysis = analyse(run)
    ranking = choose(analysis)
    metrics = list(analysis.metrics)
    rows = []
    for row in leaderboard(analysis, ranking):
        mark = "★" if row.winner else "=" if row.tied else " "
        remark = f"{row.failure.kind}: {row.failure.message}" if row.failure else "; ".join(row.violations)
        scores = [wording.quality_between(row.scores[name]) if row.rows else wording.NOTHING for name in metrics]
        costs = (
            wording.milliseconds(row.p50_ms.value),
            wording.megabytes(row.memory_mb),
            wording.count(row.parameters),
        )
        rows.append((mark, row.name, *scores, *costs, remark or ("" if row.status == "done" else row.status)))
    numbers = range(2, 5 + len(metrics))
    print_table(("", "trial", *metrics, "p50", "memory", "parameters", ""), rows, right=tuple(numbers))
    console.print(f"\n{ranking.reason}", markup=False)
    console.print(
        f"run {run.id} · {run.status} · {len(run.evalset.ids):,} rows · ★ choice, = tied with the best", markup=False
    )


def score(options: Namespace) -> int:
    """Metrics of predictions that were made elsewhere."""
    task = registry.task(options.task)
    columns = _pairs(options.columns, "--columns")
    answers, references, missing = _aligned(task, options.predictions, options.references, columns)
    # A number in the plan file is a number here: 0.5, true, null; anything else is text.
    document = _scores(
        task,
        options.metrics,
        {name: _plain(value) for name, value in _pairs(options.option, "--option").items()},
        answers,
        references,
    )
    if options.json:
        print_json({"task": task.name, "rows": len(references), "missing": missing, "metrics": document})
        return 0
    shown = [
        (
            name,
            *(
                wording.quality(one[key]) if one[key] is not None else wording.NOTHING
                for key in ("value", "low", "high")
            ),
        )
        for name, one in document.items()
    ]
    print_table(("metric", "value", "low", "high"), shown, right=(1, 2, 3))
    console.print(
        f"{len(references):,} rows" + (f", {missing:,} without a prediction counted as wrong" if missing else "")
    )
    return 0


def _trial(run: RunResult, trial: str | None) -> str:
    from core.analysis.ranking import rank

    if trial:
        return trial
    winner = rank(run).winner
    if winner is None:
        raise UserError(
            f"Run {run.id!r} has no winner: {rank(run).reason}", "Name a trial with --trial, or change the limits."
        )
    return winner


def _pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for (left, equals, right), text in zip(pairs, texts, strict=True):
        if not (left and equals and right):
            raise UserError(f"{flag} {text!r} is not NAME=VALUE.", f"Write it like {flag} label=gold.")
    return {left: right for left, _, right in pairs}


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _aligned(
    task: Task, predictions: Path, references: Path, columns: dict[str, str]
) -> tuple[list[str], list[str], int]:
    """Answers and references row by row: by `id` where both files have it, else by position. What is missing is ""."""
    from core.data import read_file

    said, gold = read_file(predictions).frame, read_file(references).frame
    word = next(column for column in task.columns if column.role == "reference")
    answer = _column(
        said, columns.get("prediction"), ("prediction", "predicted", "answer", "output", word.name), predictions
    )
    truth = _column(gold, columns.get(word.name), (word.name, *word.guesses), references)
    wanted = gold[truth].astype(str).tolist()
    if "id" in said and "id" in gold:
        by_id = dict(zip(said["id"].astype(str), said[answer].astype(str), strict=True))
        found = [by_id.get(id) for id in gold["id"].astype(str)]
    elif len(said) <= len(gold):
        found = said[answer].astype(str).tolist() + [None] * (len(gold) - len(said))
    else:
        raise DatasetMismatch(
            f"{len(said):,} predictions for {len(gold):,} references, and no common column 'id'.",
            "Give both files an id column, or one prediction per reference in the same order.",
        )
    return [one or "" for one in found], wanted, sum(one is None for one in found)


def _column(frame: Any, given: str | None, guesses: Sequence[str], path: Path) -> Any:
    names = {str(name): name for name in frame.columns}
    chosen = given or next((name for name in guesses if name in names), None)
    if chosen is None and len(names) == 1:
        chosen = next(iter(names))
    if chosen not in names:
        wanted = repr(given) if given else f"none of {', '.join(guesses)}"
        raise DatasetMismatch(
            f"{path.name} has the columns {', '.join(names)}; {wanted} is there.", "Name it with --columns."
        )
    return names[chosen]


def _scores(
    task: Task, names: Sequence[str], flat: dict[str, Any], answers: list[str], references: list[str]
) -> dict[str, Any]:
    from core.analysis.intervals import score as interval
    from core.metrics.base import resolve_options
    from core.metrics.scoring import statistics

    metrics = tuple(names) or task.default_metrics
    labels = tuple(sorted({*answers, *references} - {""})) if task.labelled else ()
    rows = statistics(metrics, flat, labels, [{"answer": answer} for answer in answers], references)
    document = {}
    for name in metrics:
        metric = registry.metric(name)
        options = resolve_options(metric, flat)
        bounds = interval(metric, rows[name], labels, options)
        numbers = {"value": bounds.value, "low": bounds.low, "high": bounds.high}
        document[name] = {key: None if math.isnan(one) else one for key, one in numbers.items()} | {"options": options}
    return document
