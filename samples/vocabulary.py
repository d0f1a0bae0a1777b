"""Tokenizers trained on the generated text: WordPiece and byte-level BPE, the same in every process.

Unigram is missing on purpose: its trainer gives another vocabulary each time.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Style = Literal["wordpiece", "byte-bpe", "byte-bpe-t5"]
"""The last one marks the end of a text but not its start, as T5 does."""

MAX_TOKENS = 128


def train_tokenizer(style: Style, texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A fast tokenizer of about `size` entries; digits stand alone so that numbers can be copied."""
    from transformers import PreTrainedTokenizerFast

    build = {"wordpiece": _wordpiece, "byte-bpe": _byte_bpe, "byte-bpe-t5": _byte_bpe_t5}[style]
    tokenizer, special = build(texts, size)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **special,
    )


def _wordpiece(texts: Iterable[str], size: int) -> tuple[Tokenizer, dict[str, str]]:
    special = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.WordPiece()
    # The trainer numbers continued letters in the order of a hash table, which differs from process to process, and
    # breaks ties by number. Named beforehand they keep their numbers; only the vocabulary is taken over.
    continued = [f"##{letter}" for letter in string.ascii_lowercase]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=[*special.values(), *continued],
        initial_alphabet=list(string.ascii_lowercase),
        min_frequency=3,
        show_progress=False,
    )
    learner = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    learner.normalizer, learner.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    learner.train_from_iterator(texts, trainer)
    tokenizer.model = models.WordPiece(learner.get_vocab(), unk_token=special["unk_token"])
    tokenizer.post_processor = _around(tokenizer, "[CLS]", "[SEP]")
    return tokenizer, special


def _byte_bpe(texts: Iterable[str], size: int) -> tuple[Tokenizer, dict[str, str]]:
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=3,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _around(tokenizer, "<s>", "</s>")
    return tokenizer, special | {"cls_token": "<s>", "sep_token": "</s>"}


def _byte_bpe_t5(texts: Iterable[str], size: int) -> tuple[Tokenizer, dict[str, str]]:
    tokenizer, special = _byte_bpe(texts, size)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer, {name: special[name] for name in ("pad_token", "eos_token", "unk_token")}


def _around(tokenizer: Tokenizer, first: str, last: str) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B {last}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )
