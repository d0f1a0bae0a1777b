"""What tasks on text share: a tokenizer, padding, and labels that are compared as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import TrialFailed
from core.tasks.base import Answered, Piece, Prediction
from core.tasks.defaults import TaskDefaults

UNLIMITED = 1_000_000
"""A tokenizer without a limit of its own says 10^30."""
FALLBACK_LENGTH = 1024
"""Longest input of a model that knows no limit, neither in its tokenizer nor in its positions."""


class TextTask(TaskDefaults):
    """Defaults of a task whose rows are tokenised."""

    processor_class = "AutoTokenizer"
    unit = "token"
    rows_at_once = 50_000

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The tokenizer, its `model_max_length` lowered to what the model can take. Raises TrialFailed."""
        return load_tokenizer(folder, model)

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Tensors padded to the longest piece, on the side that the tokenizer pads."""
        batch: Mapping[str, Any] = processor.pad([dict(piece.inputs) for piece in pieces], return_tensors="pt")
        return batch

    def count(self, row: Answered) -> float:
        """Tokens read, padding not counted."""
        return sum(piece.units for piece in row.pieces)

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """An empty text, which is nobody's label."""
        return {"answer": ""}


def tokenised(
    processor: Any, texts: Sequence[str], pairs: Sequence[str] | None = None, truncation: bool | str = True
) -> list[Piece]:
    """One piece for each text, or pair of texts, cut to what the model takes.

    Args:
        processor: The tokenizer.
        texts: All that are tokenised in one call; one at least.
        pairs: The second text of each.
        truncation: Which text of a pair is cut, as tokenizers take it: the longer one, or `only_first`.
    """
    encoded = processor(texts, pairs, truncation=truncation)
    rows = (dict(zip(encoded, values, strict=True)) for values in zip(*encoded.values(), strict=True))
    truncated = _truncated(processor, encoded, texts, pairs)
    return [token_piece(row, truncated=one) for row, one in zip(rows, truncated, strict=True)]


def token_piece(inputs: Mapping[str, list[int]], notes: Any = None, *, truncated: bool = False) -> Piece:
    """Tokens as a piece, as long as they are many."""
    length = len(inputs["input_ids"])
    return Piece(inputs, length, length, notes, truncated)


def _truncated(processor: Any, encoded: Any, texts: Sequence[str], pairs: Sequence[str] | None) -> list[bool]:
    """Which of the texts did not fit."""
    if processor.is_fast:
        return [bool(one.overflowing) for one in encoded.encodings]
    # A tokenizer written in Python does not say what it left out: those that fill the model are looked at again.
    limit, lengths = processor.model_max_length, list(map(len, encoded["input_ids"]))
    for place, length in enumerate(lengths):
        if length >= limit:
            second = None if pairs is None else pairs[place]
            lengths[place] = len(processor(texts[place], second, verbose=False)["input_ids"])
    return [length > limit for length in lengths]


def load_tokenizer(folder: Path, model: Any) -> Any:
    """The checkpoint's tokenizer, ready to pad, its `model_max_length` lowered to what the model can take.

    Raises:
        TrialFailed: It has none, or one that can neither pad nor end a text.
    """
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        # Without its files transformers makes one that knows no words, and says nothing.
        raise TrialFailed("load", "The checkpoint has no tokenizer files.", "Fetch tokenizer.json with the weights.")
    tokenizer.model_max_length = longest_input(tokenizer.model_max_length, model)
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise TrialFailed("load", "The tokenizer has neither a padding token nor an end-of-text token.")
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer


def longest_input(tokenizer_limit: int, model: Any) -> int:
    """Most tokens a model can take: the least of what its tokenizer, its configuration and its position table allow."""
    limits = [tokenizer_limit] if tokenizer_limit < UNLIMITED else []
    configured = getattr(model.config, "max_position_embeddings", None)
    if isinstance(configured, int) and configured > 0:
        limits.append(configured)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "num_embeddings"):
            # RoBERTa counts positions from behind its padding index: 514 rows hold 512 tokens.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - unused)
    return min(limits, default=FALLBACK_LENGTH)
