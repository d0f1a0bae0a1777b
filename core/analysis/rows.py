"""The row browser: every row with each model's answer, right or wrong, and the sets of rows worth reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis.wording import said
from core.metrics.base import per_row, resolve_options
from core.tasks.base import reference_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from core.analysis.summary import Analysis, TrialSummary
    from core.metrics.base import Metric


@dataclass(frozen=True, eq=False)
class RowTable:
    """Rows of the evaluation set down, trials across."""

    trials: tuple[str, ...]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    kinds: Mapping[str, str]
    """Word of an input → what its values are: `text`, `image`, `audio` …"""
    answer_kind: str
    """What references and answers are."""
    references: tuple[Any, ...]
    answers: tuple[tuple[Any, ...], ...]
    """Per trial, one per row; None where the trial has not answered it."""
    scores: NDArray[np.float64]
    """Row score on the metric that the task judges rows by, shape (trials, rows); NaN where not answered."""
    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]
    """Whether the score reaches the task's `right_at`; False where not answered."""
    judged: bool
    """Whether a single row of this task can be right at all."""
    compares_answers: bool
    """Whether two different answers are a disagreement.

    Generated texts nearly always differ, so trials only disagree there when some are right and some wrong.
    """

    def __len__(self) -> int:
        return len(self.ids)

    def asked(self, row: int) -> dict[str, str]:
        """The inputs of a row, in words."""
        inputs = self.inputs[row]
        return {word: said(self.kinds.get(word, "text"), value, inputs) for word, value in inputs.items()}

    def wanted(self, row: int) -> str:
        """The reference of a row, in words."""
        return said(self.answer_kind, self.references[row], self.inputs[row])

    def given(self, trial: int, row: int) -> str:
        """What a trial answered, in words."""
        return said(self.answer_kind, self.answers[trial][row], self.inputs[row])


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
    evalset, judge = analysis.run.evalset, _judge(analysis)
    scores = np.full((len(chosen), len(evalset.ids)), np.nan)
    answered = np.zeros(scores.shape, dtype=bool)
    answers = []
    for line, known, trial in zip(scores, answered, chosen, strict=True):
        known[trial.positions] = True
        line[trial.positions] = _row_scores(analysis, trial, judge) if judge else np.nan
        column: list[Any] = [None] * len(evalset.ids)
        for position, answer in zip(trial.positions.tolist(), trial.answers, strict=True):
            column[position] = answer
        answers.append(tuple(column))
    return RowTable(
        trials=tuple(trial.id for trial in chosen),
        names=tuple(trial.name for trial in chosen),
        ids=evalset.ids,
        inputs=evalset.inputs,
        kinds={column.name: column.kind for column in analysis.task.columns if column.role == "input"},
        answer_kind=reference_column(analysis.task).kind,
        references=evalset.references,
        answers=tuple(answers),
        scores=scores,
        answered=answered,
        right=_right(scores, judge, analysis.task.right_at) if judge else np.zeros(scores.shape, dtype=bool),
        judged=judge is not None,
        compares_answers=analysis.task.labelled,
    )


def filters(table: RowTable) -> list[RowFilter]:
    """The sets worth reading, over the rows that every trial of the table has answered.

    Always `all`; where rows can be right or wrong also `disagree`, `all_wrong` and `all_right`, and with two trials or
    more one `only_right` and one `only_wrong` per trial.
    """
    if not table.judged:
        return [RowFilter("all", "all rows", np.arange(len(table)))]
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


def _judge(analysis: Analysis) -> Metric | None:
    """What the task judges a single row by, which has no macro F1 and no rank correlation."""
    from core import registry

    return registry.metric(analysis.task.judged_by, analysis.task) if analysis.task.judged_by else None


def _row_scores(analysis: Analysis, trial: TrialSummary, judge: Metric) -> NDArray[np.float64]:
    evalset = analysis.run.evalset
    options = analysis.options.get(judge.name) or resolve_options(judge, analysis.run.plan.options)
    statistics = trial.statistics.get(judge.name)
    if statistics is None:
        references = [evalset.references[row] for row in trial.positions.tolist()]
        statistics = judge.rows(trial.predictions, references, evalset.labels, options)
    return per_row(judge, statistics, evalset.labels, options)


def _right(scores: NDArray[np.float64], judge: Metric, right_at: float) -> NDArray[np.bool_]:
    """Not answered is not right."""
    if judge.higher_is_better:
        return np.nan_to_num(scores, nan=-np.inf) >= right_at
    return np.nan_to_num(scores, nan=np.inf) <= right_at


def _disagree(table: RowTable) -> NDArray[np.bool_]:
    if len(table.trials) < 2:
        return np.zeros(len(table), dtype=bool)
    if not table.compares_answers:
        return np.asarray(table.right.any(axis=0) & ~table.right.all(axis=0))
    first, *others = table.answers
    return np.array([any(one[row] != said for one in others) for row, said in enumerate(first)], dtype=bool)


def _filter(key: str, title: str, rows: NDArray[np.bool_]) -> RowFilter:
    return RowFilter(key, title, np.flatnonzero(rows))


def _holds(table: RowTable, row: int, words: list[str]) -> bool:
    given = (table.given(trial, row) for trial in range(len(table.trials)))
    text = " ".join((table.ids[row], table.wanted(row), *table.asked(row).values(), *given)).casefold()
    return all(word in text for word in words)
