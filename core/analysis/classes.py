"""Where a model goes wrong: scores per label (class, entity type, topic), and the confusion matrix of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core import registry
from core.metrics import tuned_f1
from core.metrics.base import resolve_options
from core.metrics.precision_recall_f1 import OTHER, ClassScore
from core.metrics.tuned_f1 import TunedF1
from core.tasks.base import reference_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.analysis.summary import Analysis


@dataclass(frozen=True)
class Confusion:
    """How often each reference got each answer."""

    trial: str
    name: str
    labels: tuple[str, ...]
    """References, down."""
    answers: tuple[str, ...]
    """Answers, across: the labels, and `OTHER` where some answer is none of them."""
    counts: NDArray[np.int64]
    """Shape (labels, answers)."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Rows normalised to 1; NaN for a label that no reference has."""
        totals = self.counts.sum(axis=1, keepdims=True)
        shares = np.full(self.counts.shape, np.nan)
        np.divide(self.counts, totals, out=shares, where=totals > 0)
        return shares


@dataclass(frozen=True)
class ClassRow:
    """One label; NaN where a share of nothing was asked for."""

    label: str
    support: int
    """References with this label."""
    predicted: int
    """Answers with this label."""
    precision: float
    recall: float
    f1: float


def confusion(analysis: Analysis, trial: str) -> Confusion | None:
    """The confusion matrix of a trial; None where a row has not exactly one label, or for a trial without rows."""
    summary, evalset = analysis.trial(trial), analysis.run.evalset
    if reference_column(analysis.task).kind != "label" or not len(summary.positions):
        return None
    place = {label: index for index, label in enumerate(evalset.labels)}
    wanted = np.array([place[evalset.references[row]] for row in summary.positions.tolist()])
    answered = np.array([place.get(answer, len(place)) for answer in summary.answers])
    width = len(place) + 1
    counts = np.bincount(wanted * width + answered, minlength=len(place) * width).reshape(len(place), width)
    if counts[:, -1].any():
        return Confusion(trial, summary.name, evalset.labels, (*evalset.labels, OTHER), counts)
    return Confusion(trial, summary.name, evalset.labels, evalset.labels, counts[:, :-1])


def per_class(analysis: Analysis, trial: str) -> list[ClassRow]:
    """Precision, recall and F1 of every label, in label order; empty for a task whose labels are not counted so."""
    summary, evalset = analysis.trial(trial), analysis.run.evalset
    found: list[Any] = list(registry.metrics_of(analysis.task).values())
    metric: Any = next((one for one in found if isinstance(one, ClassScore)), None)
    if metric is None or not len(summary.positions):
        return []
    statistics = summary.statistics.get(metric.name)
    if statistics is None or statistics.shape[1] != 3 * (len(evalset.labels) + 1):  # some averages count no labels
        references = [evalset.references[row] for row in summary.positions.tolist()]
        statistics = metric.rows(summary.predictions, references, evalset.labels, resolve_options(metric, {}))
    tp, fp, fn = np.asarray(statistics.sum(axis=0), dtype=np.int64).reshape(-1, 3)[: len(evalset.labels)].T
    precision, recall, f1 = _share(tp, tp + fp), _share(tp, tp + fn), _share(2 * tp, 2 * tp + fp + fn)
    return [
        ClassRow(label, int(tp[i] + fn[i]), int(tp[i] + fp[i]), float(precision[i]), float(recall[i]), float(f1[i]))
        for i, label in enumerate(evalset.labels)
    ]


def best_threshold(analysis: Analysis, trial: str) -> float | None:
    """The threshold that suits these rows best, to write into a plan; None where the run does not tune one."""
    statistics, metrics = analysis.trial(trial).statistics, dict[str, Any](analysis.metrics)
    tuned = [name for name, metric in metrics.items() if isinstance(metric, TunedF1) and name in statistics]
    if not tuned or not len(statistics[tuned[0]]):
        return None
    return tuned_f1.best_threshold(statistics[tuned[0]], analysis.run.evalset.labels, analysis.options[tuned[0]])


def most_confused(matrix: Confusion, count: int = 5) -> list[tuple[str, str, int]]:
    """The commonest mistakes: reference, answer, rows; most first."""
    mistakes = matrix.counts.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    cells = [divmod(int(index), mistakes.shape[1]) for index in order]
    return [(matrix.labels[i], matrix.answers[j], int(mistakes[i, j])) for i, j in cells if mistakes[i, j]]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
