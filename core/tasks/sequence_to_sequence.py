"""A text written from a text, by an encoder and a decoder: what summarization and text2text-generation share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.tasks import generation
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.text import TextTask, pieces


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

    default_metrics = ("rougeL", "rouge1", "rouge2", "rougeLsum")
    judged_by = "rougeL"
    right_at = 0.5
    auto_classes = ("AutoModelForSeq2SeqLM",)
    generates = True
    script = staticmethod(predict)

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Tokenise all rows in one call, each behind the prefix that the checkpoint wants for this task."""
        if not inputs:
            return []
        before = prefix(str(processor.name_or_path), self.name)
        return pieces(processor([before + row["text"] for row in inputs], truncation=True))

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Generated token ids, one array per piece."""
        tokens = model.generate(**accepted_inputs(model, batch), **generation.settings(context.protocol))
        return generation.trimmed(tokens[:, 1:], model)

    def count(self, row: Answered) -> float:
        """Tokens written."""
        return sum(len(tokens) for tokens in row.outputs)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": text}`, without special tokens and surrounding white space."""
        texts = processor.batch_decode([row.outputs[0] for row in rows], skip_special_tokens=True)
        return [{"answer": text.strip()} for text in texts]


@cache
def prefix(checkpoint: str, task: str) -> str:
    """What a model wants before every text of a task, `summarize: ` for T5; empty where it says nothing.

    Args:
        checkpoint: Folder that the tokenizer came from. Its `config.json` names prefixes under `task_specific_params`.
        task: The task's name.
    """
    file = Path(checkpoint) / "config.json"
    if not file.is_file():
        return ""
    tasks = json.loads(file.read_text(encoding="utf-8")).get("task_specific_params") or {}
    return str((tasks.get(task) or {}).get("prefix") or "")
