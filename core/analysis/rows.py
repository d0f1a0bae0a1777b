"""The row browser: every row with each model's answer, right or wrong, and the sets of rows worth reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.base import resolve_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from core.analysis.summary import Analysis, TrialSummary


@dataclass(frozen=True, eq=False)
class RowTable:
    """Rows of the evaluation set down, trials across."""

    trials: tuple[str, ...]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    references: tuple[Any, ...]
    answers: tuple[tuple[Any, ...], ...]
    """Per trial, one per row; None where the trial has not answered it."""
    scores: NDArray[np.float64]
    """Row score on the task's own headline metric, shape (trials, rows); NaN where not answered."""
    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]
    """Whether the score reaches the task's `right_at`; False where not answered."""
    compares_answers: bool
    """Whether two different answers are a disagreement.

    Generated texts nearly always differ, so trials only disagree there when some are right and some wrong.
    """

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class RowFilter:
    """A set of rows with a name a person can press."""

    key: str
    """Stable, for links: `disagree`, `all_wrong`, `only_right:<trial>` …"""
    title: str
    positions: NDArray[np.intp]
    """Rows, ascending."""

    def __len__(self) -> int:
        return len(self.positions)


def row_table(analysis: Analysis, trials: Sequence[str] | None = None) -> RowTable:
    """The rows with the answers of these trials (all that have answered a row when None)."""
    chosen = [t for t in analysis.trials if len(t.positions) and (trials is None or t.id in trials)]
    evalset, task = analysis.run.evalset, analysis.task
    scores = np.full((len(chosen), len(evalset.ids)), np.nan)
    answers = []
    for line, trial in zip(scores, chosen, strict=True):
        line[trial.positions] = _row_scores(analysis, trial)
        column: list[Any] = [None] * len(evalset.ids)
        for position, answer in zip(trial.positions.tolist(), trial.answers, strict=True):
            column[position] = answer
        answers.append(tuple(column))
    return RowTable(
        trials=tuple(trial.id for trial in chosen),
        names=tuple(trial.name for trial in chosen),
        ids=evalset.ids,
        inputs=evalset.inputs,
        references=evalset.references,
        answers=tuple(answers),
        scores=scores,
        answered=~np.isnan(scores),
        right=np.nan_to_num(scores, nan=-np.inf) >= task.right_at,
        compares_answers=task.labelled,
    )


def filters(table: RowTable) -> list[RowFilter]:
    """The sets worth reading, over the rows that every trial of the table has answered.

    Always `all`, `disagree`, `all_wrong` and `all_right`; with two trials or more also one `only_right` and one
    `only_wrong` per trial.
    """
    common = table.answered.all(axis=0) if table.trials else np.zeros(len(table), dtype=bool)
    rights = table.right.sum(axis=0)
    many = len(table.trials) > 1
    sets = [
        RowFilter("all", "all rows", np.arange(len(table))),
        _filter("disagree", "disagree", common & _disagree(table)),
        _filter("all_wrong", "all wrong", common & (rights == 0)),
        _filter("all_right", "all right", common & (rights == len(table.trials))),
    ]
    for trial, name, right in zip(table.trials, table.names, table.right, strict=True):
        if many:
            sets.append(_filter(f"only_right:{trial}", f"only {name} right", common & right & (rights == 1)))
            others = len(table.trials) - 1
            sets.append(_filter(f"only_wrong:{trial}", f"only {name} wrong", common & ~right & (rights == others)))
    return sets


def search(table: RowTable, words: str, positions: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
    """Rows (of these positions, or all) that hold every word in text, reference, id or an answer, in any case."""
    candidates = np.arange(len(table)) if positions is None else positions
    wanted = words.casefold().split()
    if not wanted:
        return candidates
    return np.array([row for row in candidates.tolist() if _holds(table, row, wanted)], dtype=np.intp)


def _row_scores(analysis: Analysis, trial: TrialSummary) -> NDArray[np.float64]:
    """Score of every answered row on the task's own headline metric: a single row has no macro F1 to rank by."""
    from core import registry

    name, labels = analysis.task.metrics[0], analysis.run.evalset.labels
    metric = registry.metric(name)
    options = analysis.options.get(name) or resolve_options(metric, analysis.run.plan.options)
    statistics = trial.statistics.get(name)
    if statistics is None:
        references = [analysis.run.evalset.references[row] for row in trial.positions.tolist()]
        statistics = metric.rows(trial.answers, references, labels, options)
    return np.asarray(metric.value(statistics, labels, options), dtype=np.float64)


def _disagree(table: RowTable) -> NDArray[np.bool_]:
    if len(table.trials) < 2:
        return np.zeros(len(table), dtype=bool)
    if not table.compares_answers:
        return np.asarray(table.right.any(axis=0) & ~table.right.all(axis=0))
    return np.array([len(set(answers)) > 1 for answers in zip(*table.answers, strict=True)], dtype=bool)


def _filter(key: str, title: str, rows: NDArray[np.bool_]) -> RowFilter:
    return RowFilter(key, title, np.flatnonzero(rows))


def _holds(table: RowTable, row: int, words: list[str]) -> bool:
    parts = (table.ids[row], table.references[row], *table.inputs[row].values(), *(one[row] for one in table.answers))
    text = " ".join(str(part) for part in parts).casefold()
    return all(word in text for word in words)
