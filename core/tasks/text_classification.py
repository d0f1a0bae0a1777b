"""One label for a text, or for a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.tasks.base import Column, Context, Piece, TaskSample, accepted_inputs
from core.tasks.classification import OneLabel
from core.tasks.text import TextTask, tokenised


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The label of one text, or of a pair."""
    from inspect import signature

    import torch

    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    texts = [row[word] for word in ("text", "text_pair") if row.get(word) is not None]
    inputs = processor(*texts, truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        best = int(model(**{name: tensor for name, tensor in inputs.items() if name in known}).logits[0].argmax())
    label = model.config.id2label[best]
    return str(settings["labels"].get(label, label))


class LabelledText(TextTask):
    """A text, or a pair of texts, and a model with a sequence classification head."""

    columns = (
        Column(
            "text",
            "input",
            "text",
            "Text",
            guesses=(
                *("text", "sentence", "content", "review", "comment", "message", "tweet", "utterance", "query"),
                *("body", "document", "headline", "title", "sentence1", "text1", "premise", "question1", "question"),
            ),
        ),
        Column(
            "text_pair",
            "input",
            "text",
            "Second text",
            guesses=("text_pair", "sentence2", "text2", "hypothesis", "question2"),
            required=False,
        ),
        Column(
            "label",
            "reference",
            "label",
            "Label",
            guesses=(
                *("label", "labels", "class", "category", "sentiment", "intent", "target", "label_text", "gold"),
                *("topic", "emotion", "stars", "rating", "score", "tag", "y"),
            ),
        ),
    )
    tags = ("text-classification",)
    judged_by = "accuracy"
    auto_classes = ("AutoModelForSequenceClassification",)
    labelled = True

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Tokenise all rows in one call; of a pair, the longer text is shortened first."""
        if not inputs:
            return []
        texts = [row["text"] for row in inputs]
        pairs = [row["text_pair"] for row in inputs] if "text_pair" in inputs[0] else None
        return [(piece,) for piece in tokenised(processor, texts, pairs)]

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits, float32, shape (n, model labels)."""
        logits: Sequence[Any] = model(**accepted_inputs(model, batch)).logits.float().cpu().numpy()
        return logits


class TextClassification(OneLabel, LabelledText):
    """Single-label classification by a model with a sequence classification head."""

    name = "text-classification"
    title = "Text classification"
    default_metrics = ("accuracy", "f1", "precision", "recall")
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"text": "The parcel came a day early and nothing was broken."},
                {"text": "Third time I ask: where is my refund?"},
                {"text": "Großartig! 👍"},
            ),
            references=("praise", "complaint", "praise"),
        ),
        TaskSample(
            inputs=(
                {"text": "A man plays the guitar.", "text_pair": "Someone makes music."},
                {"text": "A man plays the guitar.", "text_pair": "The room is silent."},
            ),
            references=("entailment", "contradiction"),
        ),
    )


TASK = TextClassification()
