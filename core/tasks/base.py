"""What a task is: everything that depends on the kind of model, so that nowhere else asks which task it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Literal, Protocol

from core.records import Protocol as MeasuringProtocol

Encoding = dict[str, list[int]]
"""One tokenised row as the tokenizer gives it, not padded: `{"input_ids": […], "attention_mask": […], …}`."""

Prediction = dict[str, Any]
"""One row's result. `answer` is always there: a data set label name or a text. Plain JSON values only."""


@dataclass(frozen=True)
class Column:
    """A column the task needs, in the task's own word."""

    name: str
    role: Literal["input", "reference"]
    kind: Literal["text", "label"]
    title: str
    guesses: tuple[str, ...]
    """Usual column names, the likeliest first, lower case."""
    required: bool = True


@dataclass(frozen=True)
class DecodeContext:
    """What turning raw outputs into predictions needs to know."""

    labels: tuple[str, ...] = ()
    """Label names of the data set (`EvalSet.labels`)."""
    model_labels: tuple[str, ...] = ()
    """The model's label names in order of id."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Model label → data set label name. A model label without a partner keeps its own name, so it counts as wrong."""


@dataclass(frozen=True)
class TaskSample:
    """A few rows for the contract tests."""

    inputs: tuple[Mapping[str, Any], ...]
    references: tuple[Any, ...]


class Task(Protocol):
    """A kind of model, named by its pipeline tag.

    The methods that take a model import torch inside themselves; importing a task is cheap.
    """

    name: str
    """Pipeline tag on the Hub."""
    title: str
    """As a person says it: "Text classification"."""
    tags: tuple[str, ...]
    """Pipeline tags of models that can do it, the own one first."""
    columns: tuple[Column, ...]
    metrics: tuple[str, ...]
    """Every metric that fits; the first is the headline."""
    default_metrics: tuple[str, ...]
    auto_class: str
    """Name of the transformers Auto class."""
    labelled: bool
    """Whether references are labels that must be reconciled with the model's."""
    generates: bool
    """Whether predictions are generated token by token."""
    unit: str
    """What throughput counts besides rows: "token"."""
    right_at: float
    """A row is right when its headline score reaches this."""
    samples: tuple[TaskSample, ...]

    def encode(self, tokenizer: Any, inputs: Sequence[Mapping[str, Any]]) -> list[Encoding]:
        """Tokenise rows, truncated to `tokenizer.model_max_length`; one encoding per row, in order.

        Every backend lowers that length to what the model can take before it hands the tokenizer on.
        """
        ...

    def forward(self, model: Any, batch: Mapping[str, Any], protocol: MeasuringProtocol) -> Any:
        """Run one padded batch of tensors, already on the model's device.

        Returns an array on the CPU, one row per input: float logits (n, classes), or generated token ids (n, length)
        without the token that starts the decoder.
        """
        ...

    def decode(self, tokenizer: Any, outputs: Any, context: DecodeContext) -> list[Prediction]:
        """Turn what `forward` returned into predictions, one per row, in order."""
        ...

    @staticmethod
    def script(model: Any, tokenizer: Any, text: str, settings: dict[str, Any]) -> str:
        """Answer one text without any of Shortlist.

        A module-level function named `predict`, which imports what it needs: its source goes into the exported program
        as it is. `settings` are `task`, `labels` (model label → data set label), `max_new_tokens` and `num_beams`.
        """
        ...


def split_rows(encoded: Mapping[str, Sequence[list[int]]]) -> list[Encoding]:
    """What a tokenizer gives for a list of texts (key → rows), row by row."""
    return [dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True)]


def accepted_inputs(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that the model's `forward` knows by name.

    Tokenizers of a generic class give `token_type_ids` even to models without them, which then refuse the batch.
    """
    known = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in known}
