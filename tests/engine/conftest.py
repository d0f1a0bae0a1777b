"""Tiny models with random weights, made here; large enough weights that their answers differ from row to row."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.records import TrialSpec, Variant
from tests.engine.tiny import LABELS, QUICK, WORDS


def texts(count: int, longest: int = 60, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, longest))) for _ in range(count)]


@pytest.fixture(scope="session")
def rows():
    return tuple({"text": text} for text in texts(90))


@pytest.fixture(scope="session")
def save(tmp_path_factory):
    """Saves a randomly initialised model and a word tokenizer; returns the folder."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    def build(config_class: str, model_class: str, special: dict[str, str], **settings) -> Path:
        names = list(dict.fromkeys(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *special.values()]))
        vocabulary = {word: index for index, word in enumerate([*names, *WORDS])}
        engine = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        engine.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        begin, end = special.get("cls_token", "[CLS]"), special.get("sep_token", special.get("eos_token", "[SEP]"))
        engine.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A {end}", special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])]
        )
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=engine, unk_token="[UNK]", **special)
        torch.manual_seed(0)
        config = getattr(transformers, config_class)(vocab_size=len(vocabulary), initializer_range=1.0, **settings)
        folder = tmp_path_factory.mktemp(model_class)
        getattr(transformers, model_class)(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return build


BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BERT |= {"max_position_embeddings": 48, "pad_token_id": 0}
BERT_TOKENS = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


@pytest.fixture(scope="session")
def classifier(save):
    return save("BertConfig", "BertForSequenceClassification", BERT_TOKENS, **BERT, id2label=dict(enumerate(LABELS)))


@pytest.fixture(scope="session")
def masked_model(save):
    return save("BertConfig", "BertForMaskedLM", BERT_TOKENS, **BERT)


@pytest.fixture(scope="session")
def tagger(save):
    return save("BertConfig", "BertForTokenClassification", BERT_TOKENS, **BERT, id2label=dict(enumerate(LABELS)))


@pytest.fixture(scope="session")
def roberta(save):
    settings = BERT | {"max_position_embeddings": 50, "pad_token_id": 1}
    return save("RobertaConfig", "RobertaForSequenceClassification", BERT_TOKENS, **settings)


@pytest.fixture(scope="session")
def decoder_without_pad(save):
    settings = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 80, "id2label": dict(enumerate(LABELS))}
    special = {"eos_token": "<end>", "bos_token": "<end>", "cls_token": "<end>"}
    return save("GPT2Config", "GPT2ForSequenceClassification", special, **settings, bos_token_id=4, eos_token_id=4)


@pytest.fixture(scope="session")
def seq2seq(save):
    settings = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
    settings["initializer_factor"] = 10.0
    special = {"pad_token": "[PAD]", "eos_token": "[SEP]"}
    return save("T5Config", "T5ForConditionalGeneration", special, **settings, pad_token_id=0, eos_token_id=2)


@pytest.fixture
def spec():
    def make(**changes) -> TrialSpec:
        settings = {
            "source": "here",
            "model": "tiny",
            "revision": "0",
            "task": "text-classification",
            "evalset": "rows",
            "variant": Variant(threads=1),
            "metrics": ("accuracy",),
            "labels": {label: label for label in LABELS},
            "protocol": QUICK,
        }
        return TrialSpec(**{**settings, **changes})

    return make
