"""Tiny models that classify a text, and tiny models that write one from another."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from tests.tasks.tiny import LENGTH, VOCABULARY, Tiny, shaken, texts, tokenizer


def bert_config(**more: Any) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=LENGTH, pad_token_id=0, **more,
    )  # fmt: skip


def distilbert_config(**more: Any) -> Any:
    from transformers import DistilBertConfig

    return DistilBertConfig(
        vocab_size=VOCABULARY, dim=32, n_layers=2, n_heads=2, hidden_dim=48,
        max_position_embeddings=LENGTH, pad_token_id=0, **more,
    )  # fmt: skip


def classifier(architecture: str, **more: Any) -> Tiny:
    """A sequence classifier of three labels that favours none of them."""
    import torch
    import transformers

    kind, config = {"bert": ("Bert", bert_config), "distilbert": ("DistilBert", distilbert_config)}[architecture]
    model_class = getattr(transformers, f"{kind}ForSequenceClassification")
    model = shaken(lambda: model_class(config(**{"num_labels": 3, **more})))
    batch = tokenizer()(texts(32), padding=True, return_token_type_ids=False, return_tensors="pt")
    with torch.no_grad():
        model.classifier.bias -= model(**batch).logits.mean(dim=0)
    return Tiny(model, tokenizer())


def t5_config() -> Any:
    from transformers import T5Config

    return T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2,
        pad_token_id=0, eos_token_id=2, decoder_start_token_id=0,
    )  # fmt: skip


def t5() -> Tiny:
    import transformers

    return Tiny(shaken(lambda: transformers.T5ForConditionalGeneration(t5_config())), tokenizer())


def bart() -> Tiny:
    import transformers

    config = transformers.BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=2 * LENGTH,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    return Tiny(shaken(lambda: transformers.BartForConditionalGeneration(config)), tokenizer())


CLASSIFIERS = {"bert": partial(classifier, "bert"), "distilbert": partial(classifier, "distilbert")}
WRITERS = {"t5": t5, "bart": bart}
ARCHITECTURES = {"text-classification": CLASSIFIERS, "summarization": WRITERS, "text2text-generation": WRITERS}
ROWS = {"text": lambda count, seed, folder: texts(count, seed)}


@cache
def tiny(architecture: str) -> Tiny:
    """A classifier (`bert`, `distilbert`) or a writer (`t5`, `bart`), made once."""
    return (CLASSIFIERS | WRITERS)[architecture]()
