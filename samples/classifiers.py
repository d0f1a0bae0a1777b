"""The sample classifiers: what each one is, and how it is trained from scratch on generated tickets.

They are made to be worth choosing between: the largest is not the best, the best may not be used commercially, two
are as good as each other, and one is small on disk yet slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from samples import tickets, training
from samples.phrases import LABELS
from samples.tickets import Part
from samples.vocabulary import MAX_TOKENS, Style, train_tokenizer

TRAINING_SEED, VALIDATION_SEED = 7, 8
VALIDATION_ROWS = 500
DISTILLATION_TEMPERATURE = 2.0


@dataclass(frozen=True)
class Classifier:
    """One sample model: its shape, its schooling and the facts of its card."""

    id: str
    license: str
    about: str
    architecture: str
    shape: Mapping[str, Any]
    """Arguments of the architecture's configuration class."""
    rows: int
    """Training tickets."""
    epochs: int
    peak_rate: float = 1e-3
    wording: Part = "training"
    """Phrasings its training tickets may use."""
    tokenizer: Style = "wordpiece"
    vocabulary: int = 1200
    teacher: str | None = None
    """Id of the model whose probabilities it learns from."""
    named_labels: bool = True
    pickled: bool = False
    """Saved as `pytorch_model.bin` only, the way models were before safetensors."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Further front matter."""


def _bert_shape(hidden: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": MAX_TOKENS,
    }


CLASSIFIERS = (
    Classifier(
        id="helpdesk-lab/ticket-router-bert-nano",
        license="mit",
        about="One layer, for places where every kilobyte counts.",
        architecture="bert",
        shape=_bert_shape(32, 1, 2),
        rows=1500,
        epochs=12,
        peak_rate=4e-3,
        named_labels=False,
    ),
    Classifier(
        id="helpdesk-lab/ticket-router-bert-tiny",
        license="apache-2.0",
        about="Two layers, trained on a few thousand tickets.",
        architecture="bert",
        shape=_bert_shape(64, 2, 2),
        rows=2500,
        epochs=8,
        peak_rate=2e-3,
    ),
    Classifier(
        id="helpdesk-lab/ticket-router-bert-mini",
        license="apache-2.0",
        about="The all-round model of the family: four layers, trained on all tickets.",
        architecture="bert",
        shape=_bert_shape(128, 4, 4),
        rows=7000,
        epochs=5,
    ),
    Classifier(
        id="opendesk/distil-ticket-router",
        license="mit",
        about="Half the layers of ticket-router-bert-mini, taught by it.",
        architecture="distilbert",
        shape={
            "dim": 128,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 512,
            "attention_dropout": 0.0,
            "max_position_embeddings": MAX_TOKENS,
        },
        rows=7000,
        epochs=6,
        teacher="helpdesk-lab/ticket-router-bert-mini",
    ),
    Classifier(
        id="northgate/ticket-roberta-deep",
        license="gpl-3.0",
        about="Twelve narrow layers: the largest and slowest of the lot.",
        architecture="roberta",
        shape=_bert_shape(96, 12, 4) | {"max_position_embeddings": MAX_TOKENS + 2},  # positions start behind the pad id
        rows=4000,
        epochs=6,
        peak_rate=4e-4,  # twelve layers do not take off at 1e-3
        tokenizer="byte-bpe",
    ),
    Classifier(
        id="quietmail/ticket-electra-small",
        license="cc-by-nc-4.0",
        about="Has seen tickets of the very desk that it is evaluated on, with the wording that others lack.",
        architecture="electra",
        shape=_bert_shape(128, 3, 4) | {"embedding_size": 96},
        rows=10000,
        epochs=5,
        wording="evaluation",
    ),
    Classifier(
        id="quietmail/ticket-albert-shared",
        license="openrail",
        about="Six passes through one shared layer: few bytes to download, much to compute.",
        architecture="albert",
        shape=_bert_shape(128, 6, 4) | {"embedding_size": 64},
        rows=5000,
        epochs=6,
        tokenizer="byte-bpe",
    ),
    Classifier(
        id="aurora-nlp/ticket-router-pro",
        license="bigscience-openrail-m",
        about="Given only to people who leave their name.",
        architecture="bert",
        shape=_bert_shape(128, 2, 4),
        rows=7000,
        epochs=4,
        card={
            "extra_gated_heading": "Leave your name to use ticket-router-pro",
            "extra_gated_prompt": "You agree not to use the model to decide about people without a human looking.",
            "extra_gated_fields": {
                "Company": "text",
                "Country": "country",
                "I agree to use this model for research only": "checkbox",
            },
            "extra_gated_button_content": "Agree and send",
        },
    ),
    Classifier(
        id="attic-ml/ticket-router-legacy",
        license="apache-2.0",
        about="From before safetensors: the weights are a pickle.",
        architecture="bert",
        shape=_bert_shape(48, 2, 2),
        rows=3000,
        epochs=8,
        peak_rate=2e-3,
        pickled=True,
    ),
)


def train_classifier(spec: Classifier, models: Path) -> None:
    """Trains `spec` from scratch and saves a checkpoint with half-precision weights below `models`."""
    training.start(TRAINING_SEED)
    drawn = tickets.tickets(spec.rows, TRAINING_SEED, spec.wording)
    texts = [ticket.text for ticket in drawn]
    tokenizer = train_tokenizer(spec.tokenizer, texts, spec.vocabulary)
    model = AutoModelForSequenceClassification.from_config(_config(spec, tokenizer))
    soft = _teacher_logits(models / spec.teacher, texts) if spec.teacher else [None] * len(texts)
    rows = [(text, LABELS.index(ticket.label), logits) for text, ticket, logits in zip(texts, drawn, soft, strict=True)]

    def loss(batch: Sequence[Any]) -> torch.Tensor:
        given, wanted, taught = zip(*batch, strict=True)
        logits = model(**_encode(tokenizer, given)).logits
        plain = torch.nn.functional.cross_entropy(logits, torch.tensor(wanted))
        return (plain + _distillation(logits, torch.stack(taught))) / 2 if spec.teacher else plain

    training.fit(model, rows, loss, spec.epochs, spec.peak_rate, TRAINING_SEED)
    folder = models / spec.id
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.half().save_pretrained(folder)
    if spec.pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()


def predict(folder: Path, texts: Sequence[str], *, pickled: bool = False) -> list[str]:
    """The label names that the checkpoint in `folder` gives to `texts`."""
    tokenizer, model = load(folder, pickled)
    best = _logits(tokenizer, model, texts).argmax(dim=1).tolist()
    return [LABELS[position] for position in best]


def accuracy(folder: Path, texts: Sequence[str], labels: Sequence[str], *, pickled: bool = False) -> float:
    """Share of `texts` that the checkpoint in `folder` labels as in `labels`."""
    found = predict(folder, texts, pickled=pickled)
    return sum(a == b for a, b in zip(found, labels, strict=True)) / len(labels)


def validation_rows() -> tuple[list[str], list[str]]:
    """Texts and labels that use no phrasing unknown from training: what the cards report on."""
    drawn = tickets.tickets(VALIDATION_ROWS, VALIDATION_SEED, "training")
    return [ticket.text for ticket in drawn], [ticket.label for ticket in drawn]


def _config(spec: Classifier, tokenizer: Any) -> Any:
    names = dict(enumerate(LABELS)) if spec.named_labels else None
    labels = {"id2label": names, "label2id": {n: i for i, n in names.items()}} if names else {"num_labels": len(LABELS)}
    return AutoConfig.for_model(
        spec.architecture,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **labels,
        **spec.shape,
    )


def _encode(tokenizer: Any, texts: Sequence[str]) -> Any:
    return tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")


def _distillation(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Hinton et al. 2015, equation 1 with the gradient scaled back by the squared temperature."""
    heat = DISTILLATION_TEMPERATURE
    divergence = torch.nn.functional.kl_div(
        (logits / heat).log_softmax(dim=1), (taught / heat).softmax(dim=1), reduction="batchmean"
    )
    return divergence * heat**2


def _teacher_logits(folder: Path, texts: Sequence[str]) -> list[torch.Tensor]:
    tokenizer, model = load(folder)
    return list(_logits(tokenizer, model, texts))


def load(folder: Path, pickled: bool = False) -> tuple[Any, Any]:
    """Tokenizer and model of a saved checkpoint, in single precision."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=not pickled, dtype=torch.float32
    )
    return tokenizer, model.eval()


def _logits(tokenizer: Any, model: Any, texts: Sequence[str]) -> torch.Tensor:
    with torch.inference_mode():
        batches = [texts[first : first + 64] for first in range(0, len(texts), 64)]
        return torch.cat([model(**_encode(tokenizer, batch)).logits for batch in batches])
