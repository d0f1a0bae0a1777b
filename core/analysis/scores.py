"""What predictions score by themselves, without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import registry
from core.analysis.intervals import UNDEFINED, Interval, score
from core.metrics.base import resolve_options
from core.metrics.scoring import statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.records import EvalSet
    from core.tasks.base import Prediction, Task


def scores(
    task: Task, metrics: Sequence[str], options: Mapping[str, Any], evalset: EvalSet, predictions: Sequence[Prediction]
) -> dict[str, Interval]:
    """Each metric with its 95 % interval; NaN where the predictions lack what it reads.

    Args:
        task: Whose predictions they are.
        metrics: Names of its metrics.
        options: Flat options, as in a plan.
        evalset: The rows.
        predictions: One per row.

    Raises:
        UnknownName: A metric does not exist.
        PlanError: An option has a value that is not allowed.
    """
    rows = statistics(task, metrics, options, evalset.labels, predictions, evalset.references)
    found: dict[str, Interval] = dict.fromkeys(metrics, UNDEFINED)
    for name, counted in rows.items():
        metric = registry.metric(name, task)
        found[name] = score(metric, counted, evalset.labels, resolve_options(metric, options))
    return found
