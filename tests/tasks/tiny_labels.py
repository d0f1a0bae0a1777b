"""Tiny models that give several labels, tags, entailment or embeddings."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from tests.tasks.tiny import Tiny, shaken, texts, tokenizer
from tests.tasks.tiny_text import CLASSIFIERS, bert_config, classifier, distilbert_config, t5_config

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
JUDGEMENTS = ("contradiction", "neutral", "entailment")
TOPICS = ("w1", "w2 w3", "w40 w50 w60")


@cache
def tagger(architecture: str, labels: tuple[str, ...] = TAGS) -> Tiny:
    """A token classifier that favours no label."""
    import torch
    import transformers

    kind, config = {"bert": ("Bert", bert_config), "distilbert": ("DistilBert", distilbert_config)}[architecture]
    model_class = getattr(transformers, f"{kind}ForTokenClassification")
    model = shaken(lambda: model_class(config(id2label=dict(enumerate(labels)))))
    batch = tokenizer()(texts(32), padding=True, return_token_type_ids=False, return_tensors="pt")
    with torch.no_grad():
        model.classifier.bias -= model(**batch).logits[batch["attention_mask"].bool()].mean(dim=0)
    return Tiny(model, tokenizer())


@cache
def judge(architecture: str) -> Tiny:
    """A model of natural language inference."""
    numbers = {label: number for number, label in enumerate(JUDGEMENTS)}
    return classifier(architecture, id2label=dict(enumerate(JUDGEMENTS)), label2id=numbers)


@cache
def encoder(architecture: str) -> Tiny:
    """A model without a head."""
    import transformers

    def build() -> Any:
        if architecture == "t5":
            return transformers.T5EncoderModel(t5_config())
        return transformers.BertModel(bert_config(), add_pooling_layer=False)

    return Tiny(shaken(build), tokenizer())


ENCODERS = {name: partial(encoder, name) for name in ("bert", "t5")}
ARCHITECTURES = {
    "multi-label-classification": CLASSIFIERS,
    "token-classification": {name: partial(tagger, name) for name in ("bert", "distilbert")},
    "zero-shot-classification": {name: partial(judge, name) for name in ("bert", "distilbert")},
    "sentence-similarity": ENCODERS,
    "feature-extraction": ENCODERS,
}
ROWS = {"words": lambda count, seed, folder: [text.split() for text in texts(count, seed)]}
CONTEXTS = {"zero-shot-classification": {"labels": TOPICS}}
