"""A task's own example rows through a model: what a runtime needs that exports or compiles before the first request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core import options, registry
from core.engine.backends.torch_loading import model_labels
from core.tasks.base import Context, Piece, Task


def example(task: Task, model: Any, processor: Any) -> tuple[list[Piece], Context]:
    """The pieces of the task's first example, each twice (a batch of one would be taken for a constant).

    The context asks for everything that a metric could read.
    """
    sample = task.samples[0]
    context = Context(
        labels=tuple(sorted({one for one in sample.references if isinstance(one, str)})),
        model_labels=model_labels(model.config) if task.labelled else (),
        options=options.resolve(task.options, {}),
        needs=frozenset({"answer"}.union(*(metric.needs for metric in registry.metrics_of(task).values()))),
    )
    rows = task.encode(processor, sample.inputs, context)
    return [piece for pieces in rows for piece in pieces for _ in range(2)], context


def largest_call(task: Task, model: Any, processor: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the task hands to the model for its example, and what comes back: tensors by name, of the largest batch.

    Raises:
        ValueError: The model was not called, or with tensors that have no name.
    """
    import torch

    calls: list[tuple[Sequence[Any], dict[str, Any], Any]] = []
    hook = model.register_forward_hook(lambda _, *call: calls.append(call), with_kwargs=True)
    pieces, context = example(task, model, processor)
    try:
        with torch.no_grad():
            task.forward(model, processor, task.collate(processor, pieces), context)
    finally:
        hook.remove()
    if not calls or any(unnamed for unnamed, _, _ in calls):
        raise ValueError("The task does not call the model with named tensors.")
    _, inputs, outputs = max(calls, key=lambda call: max(len(value) for value in _tensors(call[1]).values()))
    return _tensors(inputs), _tensors(outputs)


def _tensors(values: Any) -> dict[str, Any]:
    import torch

    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
