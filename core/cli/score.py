"""`score`: metrics of predictions that were made elsewhere."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import registry
from core.analysis import wording
from core.cli.output import console, print_json, print_table, say
from core.errors import UnknownName, UserError
from core.metrics.module import module_name
from core.tasks.base import reference_column

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from core.data.predictions import Joined
    from core.records import EvalSet
    from core.tasks.base import Task

BOUNDS = ("value", "low", "high")


def score(options: Namespace) -> int:
    """Score predictions against references; a row without a prediction counts as wrong."""
    task = registry.task(options.task)
    metrics = _metrics(task, options.metrics)
    flat = {name: _plain(value) for name, value in _named(options.option, "--option").items()}
    _check_options(flat, task, metrics)
    evalset, joined, notes = _joined(task, options)
    document = {
        "task": task.name,
        "rows": len(evalset.ids),
        "missing": len(joined.missing),
        "unmatched": len(joined.unmatched),
        "notes": list(notes),
        "metrics": _scores(task, metrics, flat, evalset, joined),
    }
    for note in notes:
        say(f"note: {note}")
    if options.json:
        print_json(document)
    else:
        _print(document)
    return 0


def _metrics(task: Task, names: Sequence[str]) -> tuple[str, ...]:
    """The metrics by name, among them local `evaluate` modules by path; the task's own where none is named."""
    chosen = tuple(module_name(str(Path(name).absolute())) if os.sep in name else name for name in names)
    for name in chosen:
        registry.metric(name, task)
    return chosen or task.default_metrics


def _check_options(flat: Mapping[str, Any], task: Task, metrics: Sequence[str]) -> None:
    known = [f"{name}_{option}" for name in metrics for option in registry.metric(name, task).options]
    for name in flat:
        if name not in known:
            raise UnknownName("option", name, known)


def _named(texts: Sequence[str], flag: str) -> dict[str, str]:
    parted = {text: text.partition("=") for text in texts}
    for text, (left, equals, right) in parted.items():
        if not (left and equals and right):
            raise UserError(f"{flag} {text!r} is not NAME=VALUE.", f"Write it like {flag} label=gold.")
    return {left: right for left, _, right in parted.values()}


def _plain(text: str) -> Any:
    """A number in the plan file is a number here: 0.5, true, null; anything else is text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _joined(task: Task, options: Namespace) -> tuple[EvalSet, Joined, tuple[str, ...]]:
    """The references, a prediction for each, and what is to be told of them."""
    from core.data.predictions import WORDS, join, read_answers
    from core.data.references import load_references

    columns = _named(options.columns, "--columns")
    words = [column.name for column in task.columns]
    if unknown := next((name for name in columns if name not in (*WORDS, *words)), None):
        raise UnknownName("column", unknown, (*WORDS, *words))
    labels = _named(options.labels, "--labels")
    loaded = load_references(
        task,
        options.references,
        reader=options.reader,
        columns={word: column for word, column in columns.items() if word == "id" or word in words},
        labels=labels,
        group_by=options.group_by,
    )
    table = read_answers(options.predictions, task, options.predictions_reader)
    ours = {word: column for word, column in columns.items() if word in WORDS}
    if options.group_by and options.group_by.casefold() in (str(name).casefold() for name in table.frame.columns):
        ours["id"] = options.group_by
    evalset = loaded.evalset
    joined = join(task, table, evalset, labels, ours)
    if reference_column(task).kind == "label":
        # A class that is only predicted is a class all the same, as scikit-learn has it.
        names = {prediction["answer"] for prediction in joined.predictions} - {""}
        if not names <= set(evalset.labels):
            evalset = replace(evalset, labels=tuple(sorted({*evalset.labels, *names})))
            joined = join(task, table, evalset, labels, ours)
    return evalset, joined, (*loaded.notes, *joined.notes)


def _scores(
    task: Task, metrics: Sequence[str], flat: Mapping[str, Any], evalset: EvalSet, joined: Joined
) -> dict[str, Any]:
    """Metric → its value with interval, options and, where it has one, signature; null where it does not exist."""
    from core.analysis.scores import scores
    from core.metrics.base import resolve_options

    document: dict[str, dict[str, Any]] = {}
    for name, bounds in scores(task, metrics, flat, evalset, joined.predictions).items():
        metric = registry.metric(name, task)
        options = resolve_options(metric, flat)
        document[name] = {bound: _number(getattr(bounds, bound)) for bound in BOUNDS} | {"options": options}
        if signature := metric.signature(options, evalset.references):
            document[name]["signature"] = signature
    return document


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _print(document: Mapping[str, Any]) -> None:
    scores = document["metrics"]
    rows = [(name, *(_shown(one[bound]) for bound in BOUNDS)) for name, one in scores.items()]
    print_table(("metric", *BOUNDS), rows, right=(1, 2, 3))
    for name, one in scores.items():
        if "signature" in one:
            console.print(f"{name}: {one['signature']}", markup=False)
    missing = f", {document['missing']:,} without a prediction counted as wrong" if document["missing"] else ""
    console.print(f"{document['rows']:,} rows{missing}")


def _shown(value: float | None) -> str:
    return wording.NOTHING if value is None else wording.quality(value)
