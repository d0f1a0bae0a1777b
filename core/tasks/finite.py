"""Outputs that are no numbers: an answer can be made of them, and it means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import TrialFailed


def not_finite() -> TrialFailed:
    """What a trial ends with whose model gives such outputs."""
    return TrialFailed(
        "unsupported",
        "The model gave outputs that are not finite numbers.",
        "Low precision can overflow: try bfloat16 or float32. At float32 the weights themselves are broken.",
    )


def check_outputs(outputs: Mapping[str, Any]) -> None:
    """Look at a model's outputs that a task makes ids or boxes of at once; the others the engine looks at.

    Raises:
        TrialFailed: One of the tensors holds a NaN (kind `unsupported`).
    """
    import torch

    for value in outputs.values():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.isnan().any():
            raise not_finite()


def check_scores(tokens: Any, scores: Any) -> Any:
    """A logits processor of `generate`, which would take the first of tokens whose scores are no numbers.

    Raises:
        TrialFailed: A score is a NaN (kind `unsupported`).
    """
    if scores.amax().isnan():  # the largest of numbers and NaN is NaN
        raise not_finite()
    return scores
