"""One label for a text, or for a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.records import Protocol
from core.tasks.base import Column, DecodeContext, Encoding, Prediction, TaskSample, accepted_inputs, split_rows

DECIMALS = 4
"""Of probabilities. Padding moves the sixth decimal or so: with more of them, batch sizes would give different rows."""


def predict(model: Any, tokenizer: Any, text: str, settings: dict[str, Any]) -> str:
    """The label of one text."""
    from inspect import signature

    import torch

    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    inputs = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        best = int(model(**{name: tensor for name, tensor in inputs.items() if name in known}).logits[0].argmax())
    label = model.config.id2label[best]
    return str(settings["labels"].get(label, label))


class TextClassification:
    """Single-label classification by a model with a sequence classification head."""

    name = "text-classification"
    title = "Text classification"
    tags = ("text-classification",)
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
    metrics = ("accuracy", "f1", "precision", "recall")
    default_metrics = ("accuracy", "f1", "precision", "recall")
    auto_class = "AutoModelForSequenceClassification"
    labelled = True
    generates = False
    unit = "token"
    right_at = 1.0
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

    def encode(self, tokenizer: Any, inputs: Sequence[Mapping[str, Any]]) -> list[Encoding]:
        """Tokenise all rows in one call; of a pair, the longer text is shortened first.

        The tokenizer's `model_max_length` is the limit, so it must be one the model can take. A backend's `load` sees
        to that, because many checkpoints leave it at 10^30.
        """
        if not inputs:
            return []
        texts = [row["text"] for row in inputs]
        pairs = [row["text_pair"] for row in inputs] if "text_pair" in inputs[0] else None
        return split_rows(tokenizer(texts, pairs, truncation=True))

    def forward(self, model: Any, batch: Mapping[str, Any], protocol: Protocol) -> Any:
        """Logits, float32, shape (n, model labels)."""
        import torch

        with torch.inference_mode():
            return model(**accepted_inputs(model, batch)).logits.float().cpu().numpy()

    def decode(self, tokenizer: Any, outputs: Any, context: DecodeContext) -> list[Prediction]:
        """Softmax, then the likeliest model label under its data set name.

        Each prediction is `{"answer": label, "score": …, "probabilities": […]}`. `probabilities` run parallel to
        `context.labels`; they sum to less than 1 where the model knows labels that the data set does not. Model labels
        that stand for the same data set label add up, in `score` too.
        """
        import numpy as np

        answers = np.array([context.mapping.get(label, label) for label in context.model_labels], dtype=object)
        exponents = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
        shares = exponents / exponents.sum(axis=1, keepdims=True)
        best = shares.argmax(axis=1)
        probabilities = shares @ (answers[:, None] == np.array(context.labels, dtype=object)).astype(np.float64)
        scores = (shares @ (answers[:, None] == answers).astype(np.float64))[np.arange(len(best)), best]
        return [
            {"answer": answer, "score": score, "probabilities": row}
            for answer, score, row in zip(
                answers[best], scores.round(DECIMALS).tolist(), probabilities.round(DECIMALS).tolist(), strict=True
            )
        ]


TASK = TextClassification()
