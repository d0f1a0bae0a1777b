"""Tiny models that answer questions, fill gaps, go on with a text and translate."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.tasks.tiny import LENGTH, VOCABULARY, Tiny, shaken, texts, tokenizer
from tests.tasks.tiny_text import bert_config, distilbert_config, t5

MASK = "[MASK]"
CHAT = "{% for turn in messages %}w1 {{ turn.content }} w2{% endfor %}{% if add_generation_prompt %} w3{% endif %}"
"""A chat template in the words of the tiny vocabulary."""


def reader(kind: str, config: Callable[[], Any]) -> Tiny:
    """A model that finds answers."""
    import transformers

    model_class = getattr(transformers, f"{kind}ForQuestionAnswering")
    return Tiny(shaken(lambda: model_class(config())), tokenizer())


def filler(kind: str, positions: int) -> Tiny:
    """A masked language model, and a tokenizer with a mask."""
    import transformers

    with_mask = deepcopy(tokenizer())
    with_mask.add_special_tokens({"mask_token": MASK})
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=VOCABULARY + 1, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=positions, pad_token_id=0,
    )  # fmt: skip
    return Tiny(shaken(lambda: getattr(transformers, f"{kind}ForMaskedLM")(config)), with_mask)


def gpt2() -> Tiny:
    """Positions are learnt, texts begin with nothing, and padding is the end of text, as of the real one."""
    import transformers

    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, n_positions=LENGTH, bos_token_id=2, eos_token_id=2,
    )  # fmt: skip
    plain = _starting("$A")
    plain.pad_token = plain.eos_token
    return Tiny(shaken(lambda: transformers.GPT2LMHeadModel(config)), plain)


def llama() -> Tiny:
    """Positions are turned into the keys, texts begin with a token of their own, and there is a chat template."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=48, max_position_embeddings=LENGTH, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    chatting = _starting("[BOS] $A")
    chatting.chat_template = CHAT
    return Tiny(shaken(lambda: transformers.LlamaForCausalLM(config)), chatting)


def _starting(single: str) -> Any:
    """The tokenizer, putting this around a text."""
    from tokenizers.processors import TemplateProcessing

    copy = deepcopy(tokenizer())
    copy.backend_tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=[("[BOS]", 1)])
    return copy


def marian() -> Tiny:
    """One pair of languages: it need not be told which."""
    import transformers

    config = transformers.MarianConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=2 * LENGTH,
        pad_token_id=0, eos_token_id=2, decoder_start_token_id=0, forced_eos_token_id=None, num_beams=1,
    )  # fmt: skip
    return Tiny(shaken(lambda: transformers.MarianMTModel(config)), tokenizer())


def nllb(source: str | None = "eng_Latn", target: str | None = "deu_Latn") -> Tiny:
    """Hundreds of languages, told by tokens; its tokenizer may have a direction of its own."""
    from transformers import NllbTokenizer

    signs = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"w0123456789", *(f"▁{letter}" for letter in "w0123456789")]
    many = NllbTokenizer(
        vocab={sign: index for index, sign in enumerate(signs)}, src_lang=source, tgt_lang=target,
        model_max_length=LENGTH,
    )  # fmt: skip
    return Tiny(_m2m100(len(many), words=len(signs)), many)


def _m2m100(size: int, words: int) -> Any:
    import torch
    import transformers

    config = transformers.M2M100Config(
        vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=2 * LENGTH,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    model = shaken(lambda: transformers.M2M100ForConditionalGeneration(config))
    with torch.no_grad():
        model.lm_head.weight[words:] *= 0.1  # or else it would write nothing but tokens of languages
    return model


def questions(count: int, seed: int, folder: Path) -> list[dict[str, str]]:
    """Questions on contexts, of which some need several windows."""
    asked, told = texts(count, seed), texts(4 * count, seed + 1)
    return [
        {"question": " ".join(question.split()[:8]), "context": " ".join(told[row : row + 1 + row % 4])}
        for row, question in enumerate(asked)
    ]


def gaps(count: int, seed: int, folder: Path) -> list[dict[str, str]]:
    """Short texts with a gap, with two, and with none: each token is a run of its own."""
    generator, rows = np.random.default_rng(seed), []
    for row, text in enumerate(texts(count, seed)):
        words = text.split()[:6]
        for _ in range(row % 3):
            words[generator.integers(len(words))] = MASK
        rows.append({"text": " ".join(words)})
    return rows


@cache
def build(task: str, architecture: str) -> Tiny:
    """A tiny model of the table, made once."""
    return ARCHITECTURES[task][architecture]()


ARCHITECTURES = {
    "question-answering": {
        "bert": partial(reader, "Bert", bert_config),
        "distilbert": partial(reader, "DistilBert", distilbert_config),
    },
    "fill-mask": {"bert": partial(filler, "Bert", LENGTH), "roberta": partial(filler, "Roberta", LENGTH + 1)},
    "text-generation": {"gpt2": gpt2, "llama": llama},
    "translation": {"t5": t5, "marian": marian, "nllb": nllb},
}
ROWS = {"question-answering": questions, "fill-mask": gaps}
