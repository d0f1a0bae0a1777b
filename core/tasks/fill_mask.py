"""The word that belongs where a text has a gap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import TrialFailed
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import DECIMALS
from core.tasks.text import TextTask, token_piece

MARKER = re.compile(r"\[MASK\]|<mask>|_{3,}")
"""What stands for a gap in data, besides the tokenizer's own mask."""
RANKED = 5
"""Words of a prediction."""


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The likeliest word for the first gap of a text."""
    import re
    from inspect import signature

    import torch

    text = re.sub(r"\[MASK\]|<mask>|_{3,}", lambda _: processor.mask_token, row["text"])
    tokens = processor(text, return_special_tokens_mask=True)
    special = tokens.pop("special_tokens_mask")
    if processor.mask_token_id not in tokens["input_ids"]:
        return ""
    gap = tokens["input_ids"].index(processor.mask_token_id)
    head, end = special.index(0), len(special) - special[::-1].index(0)
    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    width = min(limit - head - (len(special) - end), end - head)
    start = head + min(max(gap - head - width // 2, 0), end - head - width)
    known = signature(model.forward).parameters
    batch = {
        name: torch.tensor([values[:head] + values[start : start + width] + values[end:]]).to(model.device)
        for name, values in tokens.items()
        if name in known
    }
    with torch.inference_mode():
        best = model(**batch).logits[0, head + gap - start].argmax()
    return str(processor.decode([int(best)])).strip()


@dataclass(frozen=True)
class Hidden:
    """Which token of a piece the model does not see."""

    position: int
    token: int | None
    """The token that stands there, whose likelihood is wanted; None where the text has a gap to be filled."""


class FillMask(TextTask):
    """Words for gaps by a masked language model, and how likely it finds the words that are there.

    A gap is the tokenizer's mask, `[MASK]`, `<mask>`, or three underscores and more. Of several gaps the first is
    filled; the others stay gaps. An answer is one token of the vocabulary, so a word that the vocabulary splits is
    never found; words are compared without the blank that may belong to a token, upper and lower case as they are.

    The likelihood is that of every token given all others, one hidden at a time (Salazar et al. 2020, "Masked Language
    Model Scoring"). Gaps stay gaps and do not count, since the task does not know the right word: for the
    pseudo-perplexity of whole texts, give texts without gaps.
    """

    name = "fill-mask"
    title = "Fill mask"
    tags = ("fill-mask",)
    columns = (
        Column(
            "text",
            "input",
            "text",
            "Text",
            guesses=("text", "masked_text", "masked_sentence", "sentence", "prompt", "input", "cloze", "masked"),
        ),
        Column(
            "word",
            "reference",
            "word",
            "Word",
            guesses=("word", "target", "answer", "label", "obj_label", "token", "gold", "masked_word"),
            required=False,
        ),
    )
    default_metrics = ("accuracy", "accuracy_at_5")
    judged_by = "accuracy"
    auto_classes = ("AutoModelForMaskedLM",)
    rows_at_once = 1_000
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"text": "The capital of France is [MASK]."},
                {"text": "She opened the ___ and looked out over the <mask>."},
                {"text": "Ein <mask> fliegt über Łódź."},
            ),
            references=("Paris", "window", "Kranich"),
        ),
    )

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The tokenizer, which must have a mask. Raises TrialFailed."""
        tokenizer = super().load_processor(folder, model)
        if tokenizer.mask_token is None:
            raise TrialFailed(
                "unsupported",
                "The tokenizer has no mask token, so the model cannot be asked for what a gap hides.",
                "Choose a model that was trained to fill gaps.",
            )
        return tokenizer

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """One piece for the first gap; where the likelihood is wanted, one more for every token.

        A text without gaps has no piece of the first kind. Of a text that is longer than the model takes, each piece
        holds what stands around its token.
        """
        if not inputs:
            return []
        texts = [MARKER.sub(lambda _: processor.mask_token, row["text"]) for row in inputs]
        encoded = processor(texts, return_special_tokens_mask=True)
        names = [name for name in encoded if name != "special_tokens_mask"]
        rows = zip(encoded["special_tokens_mask"], *(encoded[name] for name in names), strict=True)
        return [
            tuple(_pieces(processor, special, dict(zip(names, values, strict=True)), "nll" in context.needs))
            for special, *values in rows
        ]

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Padded tensors with the hidden tokens masked; `hidden` are their positions, `tokens` what they are, or -1."""
        import torch

        batch = dict(super().collate(processor, pieces))
        width = batch["input_ids"].shape[1]
        left = processor.padding_side == "left"
        batch["hidden"] = torch.tensor([one.notes.position + (width - one.length) * left for one in pieces])
        batch["tokens"] = torch.tensor([-1 if one.notes.token is None else one.notes.token for one in pieces])
        batch["input_ids"][torch.arange(len(pieces)), batch["hidden"]] = processor.mask_token_id
        return batch

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Of a gap the likeliest tokens, best first: ids and probabilities, shape (2, 5). Of a token nats, a float."""
        import torch

        rows = torch.arange(len(batch["hidden"]), device=batch["hidden"].device)
        logits = model(**accepted_inputs(model, batch)).logits[rows, batch["hidden"]]
        likelihoods = logits.float().log_softmax(dim=-1)
        best = likelihoods.topk(min(RANKED, likelihoods.shape[1]))
        gaps = torch.stack((best.indices.double(), best.values.double().exp()), dim=1).cpu().numpy()
        nats = -likelihoods[rows, batch["tokens"].clamp(min=0)]
        is_gap = (batch["tokens"] < 0).tolist()
        return [gap if wanted else one for gap, one, wanted in zip(gaps, nats.tolist(), is_gap, strict=True)]

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": word, "score": …, "ranked": […]}`, empty for a text without gaps.

        Where the likelihood is wanted, `nll` (nats) and `tokens` say it.
        """
        return [_prediction(processor, row, "nll" in context.needs) for row in rows]


def _pieces(processor: Any, special: list[int], tokens: dict[str, list[int]], every: bool) -> Iterator[Piece]:
    """The pieces of a text.

    Args:
        processor: The tokenizer.
        special: 1 for each token that the tokenizer put around the text.
        tokens: What the tokenizer gave for it, not cut.
        every: Whether each token is wanted, or only the first gap.
    """
    if 0 not in special:
        return
    ids = tokens["input_ids"]
    head, end = special.index(0), len(special) - special[::-1].index(0)
    width = min(processor.model_max_length - head - (len(special) - end), end - head)
    gaps = [position for position in range(head, end) if ids[position] == processor.mask_token_id]
    wanted = [position for position in range(head, end) if ids[position] != processor.mask_token_id] if every else []
    windows: dict[int, Mapping[str, list[int]]] = {}
    for position in (*gaps[:1], *wanted):
        start = head + min(max(position - head - width // 2, 0), end - head - width)
        if start not in windows:
            windows[start] = {
                name: values[:head] + values[start : start + width] + values[end:] for name, values in tokens.items()
            }
        token = None if position in gaps else ids[position]
        # Likelihoods slide over the whole text, each token's read from what stands around it; a gap has one window.
        truncated = token is None and width < end - head
        yield token_piece(windows[start], Hidden(head + position - start, token), truncated=truncated)


def _prediction(processor: Any, row: Answered, every: bool) -> Prediction:
    gaps = [output for piece, output in zip(row.pieces, row.outputs, strict=True) if piece.notes.token is None]
    nats = [output for piece, output in zip(row.pieces, row.outputs, strict=True) if piece.notes.token is not None]
    words = [processor.decode([int(token)]).strip() for token in gaps[0][0]] if gaps else []
    prediction: Prediction = {
        "answer": words[0] if words else "",
        "score": round(float(gaps[0][1][0]), DECIMALS) if gaps else 0.0,
        "ranked": words,
    }
    if every:
        prediction |= {"nll": round(float(sum(nats)), DECIMALS), "tokens": len(nats)}
    return prediction


TASK = FillMask()
