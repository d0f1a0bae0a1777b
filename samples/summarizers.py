"""The sample summarizers: sequence-to-sequence models that put a ticket into one line.

The line is half copied (product, numbers, towns) and half understood (trouble, wish), so ROUGE has something to tell
apart: a model that has not learned to copy names the wrong product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

from samples import tickets, training
from samples.vocabulary import MAX_TOKENS, Style, train_tokenizer

TRAINING_SEED, VALIDATION_SEED = 9, 10
VALIDATION_ROWS = 100
MAX_NEW_TOKENS = 40
IGNORED = -100
"""Label of padding positions, left out of the loss."""


@dataclass(frozen=True)
class Summarizer:
    """One sample model: its shape, its schooling and the facts of its card."""

    id: str
    license: str
    about: str
    architecture: str
    shape: Mapping[str, Any]
    rows: int
    epochs: int
    peak_rate: float
    tokenizer: Style
    vocabulary: int


SUMMARIZERS = (
    Summarizer(
        id="helpdesk-lab/ticket-summary-t5-tiny",
        license="apache-2.0",
        about="The more careful of the two.",
        architecture="t5",
        shape={
            "d_model": 128,
            "d_kv": 32,
            "d_ff": 256,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 4,
            "dropout_rate": 0.0,
            "feed_forward_proj": "gated-gelu",
        },
        rows=3000,
        epochs=8,
        peak_rate=3e-3,
        tokenizer="byte-bpe-t5",
        vocabulary=900,
    ),
    Summarizer(
        id="quietmail/ticket-summary-bart-nano",
        license="mit",
        about="Half the size and quick, but it mixes up details.",
        architecture="bart",
        shape={
            "d_model": 64,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 256,
            "decoder_ffn_dim": 256,
            "max_position_embeddings": MAX_TOKENS,
            "dropout": 0.0,
        },
        rows=1600,
        epochs=10,
        peak_rate=3e-3,
        tokenizer="byte-bpe",
        vocabulary=900,
    ),
)


def train_summarizer(spec: Summarizer, models: Path) -> None:
    """Trains `spec` from scratch and saves a checkpoint with half-precision weights below `models`."""
    training.start(TRAINING_SEED)
    drawn = tickets.summarizable(spec.rows, TRAINING_SEED, "training")
    rows = [(ticket.text, ticket.summary) for ticket in drawn]
    tokenizer = train_tokenizer(spec.tokenizer, [text for row in rows for text in row], spec.vocabulary)
    model = AutoModelForSeq2SeqLM.from_config(_config(spec, tokenizer))

    def loss(batch: Sequence[tuple[str, str]]) -> torch.Tensor:
        texts, summaries = zip(*batch, strict=True)
        wanted = _encode(tokenizer, summaries)
        labels = wanted["input_ids"].masked_fill(wanted["attention_mask"] == 0, IGNORED)
        return model(**_encode(tokenizer, texts), labels=labels).loss

    training.fit(model, rows, loss, spec.epochs, spec.peak_rate, TRAINING_SEED)
    folder = models / spec.id
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.half().save_pretrained(folder)


def summarize(folder: Path, texts: Sequence[str]) -> list[str]:
    """What the checkpoint in `folder` makes of `texts`, by greedy decoding."""
    tokenizer, model = load(folder)
    written: list[str] = []
    with torch.inference_mode():
        for first in range(0, len(texts), 50):
            made = model.generate(**_encode(tokenizer, texts[first : first + 50]), max_new_tokens=MAX_NEW_TOKENS)
            written += tokenizer.batch_decode(made, skip_special_tokens=True)
    return [line.strip() for line in written]


def rouge_l(folder: Path, texts: Sequence[str], summaries: Sequence[str]) -> float:
    """Mean ROUGE-L F1 of the checkpoint in `folder`, 0 to 1."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    written = summarize(folder, texts)
    scores = [scorer.score(a, b)["rougeL"].fmeasure for a, b in zip(summaries, written, strict=True)]
    return float(sum(scores) / len(scores))


def load(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a saved checkpoint, in single precision."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSeq2SeqLM.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    return tokenizer, model.eval()


def validation_rows() -> tuple[list[str], list[str]]:
    """Texts and summaries that use no phrasing unknown from training: what the cards report on."""
    drawn = tickets.summarizable(VALIDATION_ROWS, VALIDATION_SEED, "training")
    return [ticket.text for ticket in drawn], [ticket.summary for ticket in drawn]


def _config(spec: Summarizer, tokenizer: Any) -> Any:
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.pad_token_id
    return AutoConfig.for_model(
        spec.architecture,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=start,
        forced_eos_token_id=None,
        **spec.shape,
    )


def _encode(tokenizer: Any, texts: Sequence[str]) -> Any:
    return tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
