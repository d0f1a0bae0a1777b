"""What most tasks have in common, whatever their rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.options import Option
from core.records import Protocol
from core.tasks.base import Answered


class TaskDefaults:
    """Labels are compared as they are, nothing is generated, and there is nothing to set."""

    optional_weights: tuple[str, ...] = ()
    labelled = False
    generates = False
    max_new_tokens = Protocol().max_new_tokens
    right_at = 1.0
    options: Mapping[str, Option] = {}

    def known_labels(self, model_labels: Sequence[str]) -> tuple[str, ...]:
        """The model's labels as they are."""
        return tuple(model_labels)

    def wanted_labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The data set's labels as they are."""
        return tuple(labels)

    def written(self, row: Answered) -> int:
        """None."""
        return 0
