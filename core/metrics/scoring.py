"""Several metrics at once, from a task's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core import registry
from core.metrics.base import Option, overall, resolve_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, Task


def statistics(
    task: Task,
    metrics: Sequence[str],
    options: Mapping[str, Any],
    labels: Sequence[str],
    predictions: Sequence[Prediction],
    references: Sequence[Any],
) -> dict[str, NDArray[Any]]:
    """Statistics of each row.

    Args:
        task: Whose predictions they are.
        metrics: Names of its metrics.
        options: Flat options of the plan, e.g. `{"f1_average": "micro"}`.
        labels: Label names of the data set; empty for tasks without labels.
        predictions: As a task's `decode` gives them: each has an `answer`.
        references: One per prediction.

    Returns:
        Metric name → array (n, k) of that metric's own number type, often of one byte. A metric that needs what not
        every prediction has (probabilities, say) is left out.

    Raises:
        UnknownName: a metric does not exist.
        PlanError: an option has a value that is not allowed, or that does not suit these labels.
    """
    found = {name: registry.metric(name, task) for name in metrics}
    known = frozenset.intersection(*map(frozenset, predictions)) if predictions else None
    return {
        name: one.rows(predictions, references, labels, resolve_options(one, options))
        for name, one in found.items()
        if known is None or known.issuperset(one.needs)
    }


def values(
    task: Task,
    metrics: Sequence[str],
    options: Mapping[str, Any],
    labels: Sequence[str],
    predictions: Sequence[Prediction],
    references: Sequence[Any],
) -> dict[str, float | None]:
    """Metric name → its value over all rows, None where it is undefined. Arguments and errors as in `statistics`."""
    scores: dict[str, float | None] = dict.fromkeys(metrics)
    for name, rows in statistics(task, metrics, options, labels, predictions, references).items():
        metric = registry.metric(name, task)
        value = overall(metric, rows, labels, resolve_options(metric, options))
        scores[name] = None if value != value else value
    return scores


def needs(task: Task, metrics: Sequence[str]) -> frozenset[str]:
    """Keys of a prediction that these metrics read. Raises UnknownName."""
    return frozenset(key for name in metrics for key in registry.metric(name, task).needs)


def shared_options(task: Task, metrics: Sequence[str]) -> list[tuple[str, Option, tuple[str, ...]]]:
    """The options of these metrics, each once: its name, the option, and the flat names that set it.

    Precision, recall and F1 ask for the same average, so a person is asked for it once.
    """
    shared: dict[tuple[str, int], tuple[Option, list[str]]] = {}
    for metric in (registry.metric(name, task) for name in metrics):
        for name, option in metric.options.items():
            shared.setdefault((name, id(option)), (option, []))[1].append(f"{metric.name}_{name}")
    return [(name, option, tuple(flat)) for (name, _), (option, flat) in shared.items()]
