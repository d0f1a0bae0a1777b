"""Tiny models with random weights and a tokenizer made from scratch: two architectures for each task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

LENGTH = 48
"""Longest input of every tiny model, in tokens."""
MODEL_LABELS = ("LABEL_0", "LABEL_1", "LABEL_2")
VOCABULARY = 120


@dataclass(frozen=True)
class Tiny:
    """What a session holds."""

    model: Any
    tokenizer: Any


@cache
def tokenizer() -> Any:
    """Words `w0` to `w…`; the ids of the special tokens are those that BERT, T5 and BART are built with below."""
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


@cache
def tiny(architecture: str) -> Tiny:
    """A model of that architecture; the same weights every time."""
    import torch
    import transformers

    torch.manual_seed(7)
    model = {"bert": _bert, "distilbert": _distilbert, "t5": _t5, "bart": _bart}[architecture](transformers)
    with torch.no_grad():
        for parameter in model.parameters():
            # Fresh weights are so small that every row gets nearly the same answer.
            parameter.add_(0.3 * torch.randn_like(parameter))
        if hasattr(model, "classifier"):
            batch = tokenizer()(texts(32), padding=True, return_token_type_ids=False, return_tensors="pt")
            # No label is the answer to everything.
            model.classifier.bias -= model.eval()(**batch).logits.mean(dim=0)
    return Tiny(model.eval(), tokenizer())


def _bert(transformers: Any) -> Any:
    config = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=LENGTH, pad_token_id=0, num_labels=3,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def _distilbert(transformers: Any) -> Any:
    config = transformers.DistilBertConfig(
        vocab_size=VOCABULARY, dim=32, n_layers=2, n_heads=2, hidden_dim=48,
        max_position_embeddings=LENGTH, pad_token_id=0, num_labels=3,
    )  # fmt: skip
    return transformers.DistilBertForSequenceClassification(config)


def _t5(transformers: Any) -> Any:
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2,
        pad_token_id=0, eos_token_id=2, decoder_start_token_id=0,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config)


def _bart(transformers: Any) -> Any:
    config = transformers.BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=2 * LENGTH,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    return transformers.BartForConditionalGeneration(config)


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of one word to thirty."""
    generator = np.random.default_rng(seed)
    return [
        " ".join(f"w{number}" for number in generator.integers(0, VOCABULARY - 4, size=generator.integers(1, 31)))
        for _ in range(count)
    ]
