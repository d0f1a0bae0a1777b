"""A text written from a text, by an encoder and a decoder: what summarization and text2text-generation share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.records import Protocol
from core.tasks.base import Column, DecodeContext, Encoding, Prediction, TaskSample, accepted_inputs, split_rows


def predict(model: Any, tokenizer: Any, text: str, settings: dict[str, Any]) -> str:
    """The text that the model writes for one text."""
    from inspect import signature

    import torch

    prefix = ((getattr(model.config, "task_specific_params", None) or {}).get(settings["task"]) or {}).get("prefix", "")
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    inputs = tokenizer(prefix + text, truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        tokens = model.generate(
            **{name: tensor for name, tensor in inputs.items() if name in known},
            max_new_tokens=settings["max_new_tokens"],
            num_beams=settings["num_beams"],
            do_sample=False,
        )[0]
    return str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()


@dataclass(frozen=True)
class SequenceToSequence:
    """Generation by an encoder-decoder model: greedy, or beam search where the protocol says so; never sampled.

    What a checkpoint's own generation settings say beyond length, beams and sampling (a repetition penalty, say) holds,
    as it does for everyone who uses the model.
    """

    name: str
    title: str
    tags: tuple[str, ...]
    columns: tuple[Column, ...]
    samples: tuple[TaskSample, ...]

    metrics = ("rougeL", "rouge1", "rouge2", "rougeLsum")
    default_metrics = ("rougeL", "rouge1", "rouge2", "rougeLsum")
    auto_class = "AutoModelForSeq2SeqLM"
    labelled = False
    generates = True
    unit = "token"
    right_at = 0.5
    script = staticmethod(predict)

    def encode(self, tokenizer: Any, inputs: Sequence[Mapping[str, Any]]) -> list[Encoding]:
        """Tokenise all rows in one call, each behind the prefix that the checkpoint wants for this task.

        The tokenizer's `model_max_length` is the limit, so it must be one the model can take. A backend's `load` sees
        to that, because many checkpoints leave it at 10^30.
        """
        if not inputs:
            return []
        before = prefix(str(tokenizer.name_or_path), self.name)
        return split_rows(tokenizer([before + row["text"] for row in inputs], truncation=True))

    def forward(self, model: Any, batch: Mapping[str, Any], protocol: Protocol) -> Any:
        """Generated token ids, shape (n, length), padded behind the end."""
        import torch

        with torch.inference_mode():
            tokens = model.generate(
                **accepted_inputs(model, batch),
                max_new_tokens=protocol.max_new_tokens,
                num_beams=protocol.num_beams,
                do_sample=False,
            )
        return tokens[:, 1:].cpu().numpy()

    def decode(self, tokenizer: Any, outputs: Any, context: DecodeContext) -> list[Prediction]:
        """Each prediction is `{"answer": text}`, without special tokens and surrounding white space."""
        return [{"answer": text.strip()} for text in tokenizer.batch_decode(outputs, skip_special_tokens=True)]


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
