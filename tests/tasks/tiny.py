"""Tiny models with random weights, at least two architectures for each task, and a stand-in for the engine.

Every module `tests/tasks/tiny_*.py` adds its family to one table: `ARCHITECTURES`, task name → name of an architecture
→ function that builds it. `ROWS` says how to make rows: kind of an input → function (count, seed, folder) → that many
values; or task name → the same for whole rows, where those are special. `CONTEXTS` says what a task's context has that
others have not: task name → fields of `Context`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from core import registry
from core.options import resolve
from core.records import Protocol
from core.tasks.base import Answered, Context, Piece, Prediction, Task

LENGTH = 48
"""Longest input of every tiny text model, in tokens."""
MODEL_LABELS = ("LABEL_0", "LABEL_1", "LABEL_2")
VOCABULARY = 120
STEP = 1e-4
"""Predictions hold numbers of four decimals: what lies on the edge of two may be either."""


@dataclass(frozen=True)
class Tiny:
    """What a session of the engine holds."""

    model: Any
    processor: Any

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's label names in order of id."""
        return tuple(name for _, name in sorted(self.model.config.id2label.items()))


Build = Callable[[], Tiny]
MakeRows = Callable[[int, int, Path], Sequence[Any]]


@cache
def architectures() -> dict[str, dict[str, Build]]:
    """The whole table: task name → architecture → what builds it."""
    found: dict[str, dict[str, Build]] = {}
    for family in _families():
        for task, builds in family.ARCHITECTURES.items():
            found.setdefault(task, {}).update(builds)
    return found


def rows(task: Task, count: int, folder: Path) -> list[dict[str, Any]]:
    """Rows of mixed length for a task, as an EvalSet holds them.

    Args:
        task: Whose rows; every one of its input columns is filled.
        count: How many.
        folder: Where pictures and clips are written.
    """
    makers: dict[str, MakeRows] = {}
    for family in _families():
        makers |= getattr(family, "ROWS", {})
    if task.name in makers:
        return [dict(row) for row in makers[task.name](count, 0, folder)]
    columns = [column for column in task.columns if column.role == "input"]
    values = {column.name: makers[column.kind](count, seed, folder) for seed, column in enumerate(columns)}
    return [{name: column[row] for name, column in values.items()} for row in range(count)]


def context(task: Task, model_labels: Sequence[str] = (), **changes: Any) -> Context:
    """The data set has the model's labels, unless the family says otherwise; every metric is read.

    Args:
        task: Whose context.
        model_labels: In order of id.
        changes: Fields of `Context`; of `options`, those that differ from the defaults.
    """
    for family in _families():
        changes = {**getattr(family, "CONTEXTS", {}).get(task.name, {}), **changes}
    known = task.known_labels(model_labels) if task.labelled else ()
    needs = frozenset({"answer"}.union(*(metric.needs for metric in registry.metrics_of(task).values())))
    options = resolve(task.options, changes.pop("options", {}))
    protocol = Protocol(max_new_tokens=8)
    given = {"labels": known, "model_labels": tuple(model_labels), "options": options, "needs": needs}
    return Context(**{**given, "protocol": protocol, **changes})


def predict(
    tiny: Tiny, task: Task, inputs: Sequence[Mapping[str, Any]], context: Context, batch_size: int
) -> list[Prediction]:
    """Predictions as the engine makes them: pieces of like length together; with batches of one, row by row."""
    groups = [[row] for row in inputs] if batch_size == 1 else [inputs]
    return [
        prediction
        for group in groups
        for prediction in task.decode(tiny.processor, answered(tiny, task, group, context, batch_size), context)
    ]


def answered(
    tiny: Tiny, task: Task, inputs: Sequence[Mapping[str, Any]], context: Context, batch_size: int
) -> list[Answered]:
    """Rows after the model ran on all of their pieces."""
    encoded = task.encode(tiny.processor, inputs, context)
    places = [(row, index) for row, pieces in enumerate(encoded) for index in range(len(pieces))]
    places.sort(key=lambda place: -encoded[place[0]][place[1]].length)
    outputs: dict[tuple[int, int], Any] = {}
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        found = forward(tiny, task, [encoded[row][index] for row, index in batch], context)
        outputs |= dict(zip(batch, found, strict=True))
    return [
        Answered(tuple(pieces), tuple(outputs[row, index] for index in range(len(pieces))))
        for row, pieces in enumerate(encoded)
    ]


def forward(tiny: Tiny, task: Task, pieces: Sequence[Piece], context: Context) -> Sequence[Any]:
    """One batch through the model."""
    import torch

    with torch.inference_mode():
        return task.forward(tiny.model, tiny.processor, task.collate(tiny.processor, pieces), context)


def script_settings(task: Task, context: Context) -> dict[str, Any]:
    """What an exported program passes to the task's function."""
    return {
        "task": task.name,
        "labels": dict(context.mapping),
        "classes": list(context.labels),
        "max_new_tokens": context.protocol.max_new_tokens,
        "num_beams": context.protocol.num_beams,
        **context.options,
    }


def same(one: Any, other: Any) -> bool:
    """Whether two predictions say the same: equal words, and numbers that are equal but for one step of rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1.5 * STEP * max(1.0, abs(one))
    return type(one) is type(other) and one == other


@cache
def _families() -> tuple[Any, ...]:
    here = Path(__file__).parent
    names = sorted(module.name for module in pkgutil.iter_modules([str(here)]) if module.name.startswith("tiny_"))
    return tuple(importlib.import_module(f"tests.tasks.{name}") for name in names)


@cache
def tokenizer() -> Any:
    """Words `w0` to `w…`; the ids of the special tokens are those that BERT, T5 and BART are built with."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ("[PAD]", "[BOS]", "[EOS]", "[UNK]")
    words = {word: index for index, word in enumerate((*special, *(f"w{number}" for number in range(VOCABULARY - 4))))}
    fast = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]",
        pair="[BOS] $A [EOS] $B:1 [EOS]:1",
        special_tokens=[("[BOS]", 1), ("[EOS]", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="[PAD]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        unk_token="[UNK]",
        model_max_length=LENGTH,
        # What a tokenizer of a generic class often gives, though only BERT among these models takes it.
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def shaken(build: Callable[[], Any], scale: float = 0.3) -> Any:
    """A model ready to run, the same weights every time: larger than fresh ones, to which all rows are alike."""
    import torch

    torch.manual_seed(7)
    model = build()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return model.eval()


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of one word to thirty."""
    generator = np.random.default_rng(seed)
    return [
        " ".join(f"w{number}" for number in generator.integers(0, VOCABULARY - 4, size=generator.integers(1, 31)))
        for _ in range(count)
    ]
