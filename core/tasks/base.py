"""What a task is: everything that depends on the kind of model, so that nowhere else asks which task it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from core.options import Option
from core.records import Protocol as MeasuringProtocol

InputKind = Literal["text", "words", "image", "audio"]
ReferenceKind = Literal[
    "label", "labels", "tags", "answers", "texts", "transcript", "number", "word", "continuation", "boxes", "mask"
]
Kind = InputKind | ReferenceKind
"""What a value is. `core.data.kinds` says how each is read; a metric says which reference kinds it scores.

In an `EvalSet`, and as the `answer` of a prediction:

    text          str
    words         list of str
    image, audio  {"file": absolute path, "sha256": …}
    label         str                               answer: str, and `probabilities` parallel to the labels
    labels        list of str, sorted, maybe empty  answer: the same, and `probabilities` parallel to the labels
    tags          list of str, one per word         answer: the same
    answers       list of str, empty: no answer     answer: str, empty: no answer
    texts         str, or list of str               answer: str
    transcript    str                               answer: str
    number        float                             answer: float
    word          str, or None                      answer: str, and `ranked`: the five likeliest
    continuation  str, list of str, or None         answer: str, and `nll` (nats), `tokens`, `bytes` of the likelihood
    boxes         list of {"label", "box": [left, top, right, bottom] in pixels}   answer: the same with "score"
    mask          {"size": [height, width], "runs": [[label or None, pixels], …] row by row}   answer: the same
"""

AUDIO_SECOND = "second of audio"
"""The unit of tasks that listen: their throughput is a multiple of real time."""

Prediction = dict[str, Any]
"""One row's result. `answer` is always there, of the task's reference kind. Plain JSON values only.

The engine adds `truncated`, True, where a piece of the row was.
"""


@dataclass(frozen=True)
class Column:
    """A column the task needs, in the task's own word."""

    name: str
    role: Literal["input", "reference"]
    kind: Kind
    title: str
    guesses: tuple[str, ...]
    """Usual column names, the likeliest first, lower case."""
    required: bool = True


@dataclass(frozen=True)
class Piece:
    """One thing that a model runs on: a text, a window of a long one, a picture, a clip. A row has one or several."""

    inputs: Mapping[str, Any]
    """What the model takes, not padded: `{"input_ids": […], "attention_mask": […]}`, `{"pixel_values": array}`."""
    length: int
    """What padding is measured in: tokens, or what costs about as much as a token. Pieces of like length run
    together."""
    units: float
    """What throughput counts (`Task.unit`)."""
    notes: Any = None
    """What `decode` must know of it and the model must not: offsets, words, the size of a picture."""
    truncated: bool = False
    """Whether the model sees only a part of what stands in the row, and no other piece shows it the rest."""


@dataclass(frozen=True)
class Answered:
    """A row after the model ran on all of it."""

    pieces: tuple[Piece, ...]
    outputs: tuple[Any, ...]
    """One per piece, as `forward` gave them."""


@dataclass(frozen=True)
class Context:
    """What a task needs to know besides rows and model."""

    labels: tuple[str, ...] = ()
    """Label names of the data set (`EvalSet.labels`)."""
    model_labels: tuple[str, ...] = ()
    """The model's label names in order of id."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Model label → data set label name. A model label without a partner keeps its own name, so it counts as wrong."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The task's options, complete."""
    needs: frozenset[str] = frozenset({"answer"})
    """Keys of a prediction that the chosen metrics read: what none of them reads need not be computed."""
    protocol: MeasuringProtocol = field(default_factory=MeasuringProtocol)
    on_token: Callable[[int], None] | None = None
    """Called with 1, 2, 3, … as soon as each row of a batch has so many new tokens, by tasks that write; from 1 again
    in the next batch. None: nobody times them."""
    fixed_length: bool = False
    """Whether each row is to get exactly `max_new_tokens` tokens, so that models are timed on equal work."""


@dataclass(frozen=True)
class TaskSample:
    """A few rows for the contract tests."""

    inputs: tuple[Mapping[str, Any], ...]
    references: tuple[Any, ...]


class Task(Protocol):
    """A kind of model, named by its pipeline tag.

    The methods that take a model import torch inside themselves; importing a task is cheap. `core.tasks.text`,
    `core.tasks.image` and `core.tasks.audio` hold what tasks of one kind of input share.
    """

    name: str
    """Pipeline tag on the Hub, or a name of our own where the Hub has none for it."""
    title: str
    """As a person says it: "Text classification"."""
    tags: tuple[str, ...]
    """Pipeline tags of models that can do it; the first is the one to search for."""
    columns: tuple[Column, ...]
    """One or several inputs and one reference. Which metrics fit follows from the reference's kind."""
    default_metrics: tuple[str, ...]
    """The first is the headline."""
    judged_by: str | None
    """Name of the metric that says whether a single row is right; None where no row can be right by itself."""
    right_at: float
    """A row is right when `judged_by` reaches this: at least, or at most where lower is better."""
    auto_classes: tuple[str, ...]
    """Names of transformers Auto classes; the first that knows the checkpoint's configuration loads it."""
    processor_class: str
    """Name of the transformers class that a program of one's own loads the processor with."""
    optional_weights: tuple[str, ...]
    """Beginnings of names of weights that a checkpoint may lack, because the task does not use them."""
    labelled: bool
    """Whether the model's labels must be reconciled with others."""
    generates: bool
    """Whether predictions are generated token by token."""
    max_new_tokens: int
    """How many of them at most, where the plan does not say."""
    unit: str
    """What throughput counts besides rows, singular: "token"."""
    rows_at_once: int
    """Rows that are encoded together: pictures of ten thousand rows would not fit in memory."""
    options: Mapping[str, Option]
    """The task's own settings, flat in the plan."""
    samples: tuple[TaskSample, ...]

    def known_labels(self, model_labels: Sequence[str]) -> tuple[str, ...]:
        """What is reconciled, from the model's label names in order of id: `B-LOC` and `I-LOC` are `LOC`."""
        ...

    def wanted_labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """What the model must know, from the label names of the data set."""
        ...

    def load_processor(self, folder: Path, model: Any) -> Any:
        """Load what turns rows into the model's inputs: tokenizer, image processor, feature extractor.

        Raises:
            TrialFailed: The checkpoint lacks it (kind `load`).
        """
        ...

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """The pieces of each row, in order. No text is longer than `tokenizer.model_max_length`."""
        ...

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Pad pieces into one batch of tensors on the CPU."""
        ...

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Run one batch of tensors, already on the model's device, in inference mode.

        Returns one output per piece, on the CPU: arrays, or plain values. Generated token ids come without the prompt,
        without the token that starts the decoder and without padding.
        """
        ...

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Predictions, one per row, in order."""
        ...

    def count(self, row: Answered) -> float:
        """The units (`unit`) of a row: tokens read, or tokens written where the task writes."""
        ...

    def written(self, row: Answered) -> int:
        """How many tokens the model wrote for a row; 0 where it wrote none."""
        ...

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """What stands for an answer that is missing, so that it counts as wrong."""
        ...

    @staticmethod
    def script(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> Any:
        """Answer one row without any of Shortlist.

        A module-level function named `predict`, which imports what it needs: its source goes into the exported program
        as it is. `row` holds texts or file names under the task's words; `settings` are `task`, `labels` (model label →
        data set label), `classes` (the data set's label names), `max_new_tokens`, `num_beams` and the task's options.
        """
        ...


@runtime_checkable
class Argmax(Protocol):
    """What a task has besides, if its answer is the label of the largest of some logits and depends on nothing else."""

    def logits(self, row: Answered, context: Context) -> Any:
        """Those logits: float array (labels,)."""
        ...


def reference_column(task: Task) -> Column:
    """The column that holds the right answers."""
    return next(column for column in task.columns if column.role == "reference")


def accepted_inputs(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that the model's `forward` knows by name.

    Tokenizers of a generic class give `token_type_ids` even to models without them, which then refuse the batch.
    """
    known = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in known}
