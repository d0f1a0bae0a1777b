"""A text written from a text, by an encoder and a decoder: what summarization, translation and text2text share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from core.options import Option
from core.tasks import generation
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.text import TextTask, tokenised


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The text that the model writes for one text."""
    from inspect import signature

    import torch

    prefix = ((getattr(model.config, "task_specific_params", None) or {}).get(settings["task"]) or {}).get("prefix", "")
    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    inputs = processor(prefix + row["text"], truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        tokens = model.generate(
            **{name: tensor for name, tensor in inputs.items() if name in known},
            max_new_tokens=settings["max_new_tokens"],
            num_beams=settings["num_beams"],
            do_sample=False,
        )[0]
    return str(processor.decode(tokens, skip_special_tokens=True)).strip()


@dataclass(frozen=True)
class SequenceToSequence(TextTask):
    """Generation by an encoder-decoder model."""

    name: str
    title: str
    tags: tuple[str, ...]
    columns: tuple[Column, ...]
    samples: tuple[TaskSample, ...]

    default_metrics: tuple[str, ...] = ("rougeL", "rouge1", "rouge2", "rougeLsum")
    judged_by: str | None = "rougeL"
    right_at: float = 0.5
    options: Mapping[str, Option] = field(default_factory=dict)

    auto_classes = ("AutoModelForSeq2SeqLM",)
    generates = True
    script = staticmethod(predict)

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Tokenise all rows in one call, each behind what the checkpoint wants to read first."""
        if not inputs:
            return []
        before = self.before(processor, context)
        return [(piece,) for piece in tokenised(processor, [before + row["text"] for row in inputs])]

    def before(self, processor: Any, context: Context) -> str:
        """What stands before every text."""
        return prefix(str(processor.name_or_path), self.name)

    def settings(self, model: Any, processor: Any, context: Context) -> dict[str, Any]:
        """Arguments of `generate`."""
        return generation.settings(context)

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Generated token ids, one array per piece."""
        tokens = model.generate(**accepted_inputs(model, batch), **self.settings(model, processor, context))
        return generation.trimmed(tokens[:, 1:], model)

    def count(self, row: Answered) -> float:
        """Tokens written."""
        return self.written(row)

    def written(self, row: Answered) -> int:
        """With the one that ends the text."""
        return sum(len(tokens) for tokens in row.outputs)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": text}`, without special tokens and surrounding white space."""
        texts = processor.batch_decode([row.outputs[0] for row in rows], skip_special_tokens=True)
        return [{"answer": text.strip()} for text in texts]


def prefix(checkpoint: str, task: str) -> str:
    """What a model wants before every text of a task, `summarize: ` for T5; empty where it says nothing.

    Args:
        checkpoint: Folder that the tokenizer came from.
        task: A name under `task_specific_params`.
    """
    return str((task_parameters(checkpoint).get(task) or {}).get("prefix") or "")


@cache
def task_parameters(checkpoint: str) -> dict[str, Any]:
    """What a checkpoint's `config.json` says under `task_specific_params`; empty where it says nothing."""
    file = Path(checkpoint) / "config.json"
    if not file.is_file():
        return {}
    return json.loads(file.read_text(encoding="utf-8")).get("task_specific_params") or {}
