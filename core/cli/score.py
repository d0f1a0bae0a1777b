"""`score`: metrics of predictions that were made elsewhere."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core import registry
from core.analysis import wording
from core.cli.output import console, print_json, print_table, say
from core.errors import DatasetMismatch, UnknownName, UserError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from core.tasks.base import Task

ANSWER_COLUMNS = ("prediction", "predicted", "answer", "output")
BOUNDS = ("value", "low", "high")


@dataclass(frozen=True)
class _Pairs:
    """Answers and references, row by row."""

    answers: list[str]
    """Empty where there is none."""
    references: list[Any]
    missing: int
    """References without an answer."""
    unusable: int
    """Rows left out, because they have no reference."""


def score(options: Namespace) -> int:
    """Score predictions against references; a row without a prediction counts as wrong."""
    task = registry.task(options.task)
    metrics = _metrics(task, options.metrics)
    columns = _named(options.columns, "--columns")
    # A number in the plan file is a number here: 0.5, true, null; anything else is text.
    flat = {name: _plain(value) for name, value in _named(options.option, "--option").items()}
    _check_options(flat, metrics)
    pairs = _paired(task, options.predictions, options.references, columns)
    if pairs.unusable:
        say(f"note: {pairs.unusable:,} rows have no reference and are not scored.")
    document = _scores(task, metrics, flat, pairs)
    if options.json:
        counts = {"rows": len(pairs.references), "missing": pairs.missing}
        print_json({"task": task.name, **counts, "metrics": document})
        return 0
    rows = [(name, *(_shown(one[bound]) for bound in BOUNDS)) for name, one in document.items()]
    print_table(("metric", *BOUNDS), rows, right=(1, 2, 3))
    missing = f", {pairs.missing:,} without a prediction counted as wrong" if pairs.missing else ""
    console.print(f"{len(pairs.references):,} rows{missing}")
    return 0


def _metrics(task: Task, names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in task.metrics:
            raise UnknownName(f"metric of {task.name}", name, task.metrics)
    return tuple(names) or task.default_metrics


def _check_options(flat: Mapping[str, Any], metrics: Sequence[str]) -> None:
    known = [f"{name}_{option}" for name in metrics for option in registry.metric(name).options]
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
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _paired(task: Task, predictions: Path, references: Path, columns: Mapping[str, str]) -> _Pairs:
    """Join by `id` where both files have it, else by position."""
    from core.data import read_file

    said, gold = read_file(predictions).frame, read_file(references).frame
    word = next(column for column in task.columns if column.role == "reference")
    if unknown := next((name for name in columns if name not in ("prediction", word.name)), None):
        raise UnknownName("column", unknown, ("prediction", word.name))
    answers = _texts(said[_column(said, columns.get("prediction"), (*ANSWER_COLUMNS, word.name), predictions)])
    wanted = _texts(gold[_column(gold, columns.get(word.name), (word.name, *word.guesses), references)])
    if "id" in said and "id" in gold:
        by_id = _by_id(_texts(said["id"]), answers, predictions)
        found = [by_id.get(id) for id in _texts(gold["id"])]
    elif len(answers) <= len(wanted):
        found = answers + [None] * (len(wanted) - len(answers))
    else:
        raise DatasetMismatch(
            f"{len(answers):,} predictions for {len(wanted):,} references, and no common column 'id'.",
            "Give both files an id column, or one prediction per reference in the same order.",
        )
    usable = [(answer, reference) for answer, reference in zip(found, wanted, strict=True) if reference is not None]
    if not usable:
        raise DatasetMismatch(f"{references.name} has no reference at all.", "Name its column with --columns.")
    return _Pairs(
        answers=[answer or "" for answer, _ in usable],
        references=[reference for _, reference in usable],
        missing=sum(answer is None for answer, _ in usable),
        unusable=len(wanted) - len(usable),
    )


def _by_id(ids: Iterable[Any], answers: Iterable[Any], path: Path) -> dict[Any, Any]:
    ids = list(ids)
    repeated = next((id for id, count in Counter(ids).items() if count > 1), None)
    if repeated is not None:
        raise DatasetMismatch(f"{path.name} has several predictions for the id {repeated!r}.", "Keep one of them.")
    return dict(zip(ids, answers, strict=True))


def _column(frame: pd.DataFrame, given: str | None, guesses: Sequence[str], path: Path) -> Any:
    names = {str(name): name for name in frame.columns}
    chosen = given or next((name for name in guesses if name in names), None)
    if chosen is None and len(names) == 1:
        chosen = next(iter(names))
    if chosen not in names:
        wanted = f"{given!r} is not among them" if given else f"none of them is called {' or '.join(guesses)}"
        raise DatasetMismatch(
            f"{path.name} has the columns {', '.join(map(repr, names))}; {wanted}.", "Name it with --columns."
        )
    return names[chosen]


def _texts(values: Iterable[Any]) -> list[Any]:
    """Each value as text, 1.0 as `1`; lists of texts stay lists, what is missing is None."""
    from core.data.table import is_missing

    return [None if is_missing(value) else _text(value) for value in values]


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [str(one) for one in value]
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _scores(task: Task, metrics: Sequence[str], flat: Mapping[str, Any], pairs: _Pairs) -> dict[str, Any]:
    from core.analysis.intervals import score as interval
    from core.metrics.base import resolve_options
    from core.metrics.scoring import statistics

    labels = tuple(sorted({*pairs.answers, *pairs.references} - {""})) if task.labelled else ()
    rows = statistics(metrics, flat, labels, [{"answer": answer} for answer in pairs.answers], pairs.references)
    document = {}
    for name in metrics:
        metric = registry.metric(name)
        options = resolve_options(metric, flat)
        bounds = interval(metric, rows[name], labels, options)
        document[name] = {bound: _number(getattr(bounds, bound)) for bound in BOUNDS} | {"options": options}
    return document


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _shown(value: float | None) -> str:
    return wording.NOTHING if value is None else wording.quality(value)
