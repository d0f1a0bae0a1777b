"""Several metrics at once, from a task's predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core import registry
from core.metrics.base import Option, resolve_options

if TYPE_CHECKING:
    from numpy.typing import NDArray


def statistics(
    metrics: Sequence[str],
    options: Mapping[str, Any],
    labels: Sequence[str],
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[Any],
) -> dict[str, NDArray[Any]]:
    """Per-row sufficient statistics.

    Args:
        metrics: Names of metrics.
        options: Flat options of the plan, e.g. `{"f1_average": "micro"}`.
        labels: Label names of the data set; empty for tasks without labels.
        predictions: As a task's `decode` gives them: each has an `answer`.
        references: One per prediction.

    Returns:
        Metric name → array (n, k) of that metric's own number type, often of one byte.

    Raises:
        UnknownName: a metric does not exist.
        PlanError: an option has a value that is not allowed, or that does not suit these labels.
    """
    answers = [prediction["answer"] for prediction in predictions]
    found = [registry.metric(name) for name in metrics]
    return {one.name: one.rows(answers, references, labels, resolve_options(one, options)) for one in found}


def values(
    metrics: Sequence[str],
    options: Mapping[str, Any],
    labels: Sequence[str],
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[Any],
) -> dict[str, float | None]:
    """Metric name → its value over all rows, None where it is undefined. Arguments and errors as in `statistics`."""
    scores = {}
    for name, rows in statistics(metrics, options, labels, predictions, references).items():
        metric = registry.metric(name)
        value = float(metric.value(rows.sum(axis=0), labels, resolve_options(metric, options)))
        scores[name] = None if value != value else value
    return scores


def shared_options(metrics: Sequence[str]) -> list[tuple[str, Option, tuple[str, ...]]]:
    """The options of these metrics, each once: its name, the option, and the flat names that set it.

    Precision, recall and F1 ask for the same average, so a person is asked for it once.
    """
    shared: dict[tuple[str, int], tuple[Option, list[str]]] = {}
    for metric in map(registry.metric, metrics):
        for name, option in metric.options.items():
            shared.setdefault((name, id(option)), (option, []))[1].append(f"{metric.name}_{name}")
    return [(name, option, tuple(flat)) for (name, _), (option, flat) in shared.items()]
