"""One label of several that the model was never trained on: it judges whether the text entails what a label says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import TrialFailed
from core.options import Option
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import classified
from core.tasks.text import TextTask, tokenised

ENTAILMENT = "entailment"


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The label of one text."""
    from inspect import signature

    import torch

    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    entailment = next(
        number
        for number, label in sorted(model.config.id2label.items())
        if settings["labels"].get(label, label) == "entailment"
    )
    known = signature(model.forward).parameters
    scores = []
    for label in settings["classes"]:
        hypothesis = settings["hypothesis_template"].format(label)
        inputs = processor(row["text"], hypothesis, truncation="only_first", max_length=limit, return_tensors="pt")
        tensors = {name: tensor.to(model.device) for name, tensor in inputs.items() if name in known}
        with torch.inference_mode():
            scores.append(float(model(**tensors).logits[0, entailment]))
    return str(settings["classes"][scores.index(max(scores))])


class ZeroShotClassification(TextTask):
    """Classification by a model of natural language inference: text and label are premise and hypothesis."""

    name = "zero-shot-classification"
    title = "Zero-shot classification"
    tags = ("zero-shot-classification", "text-classification")
    columns = (
        Column(
            "text",
            "input",
            "text",
            "Text",
            guesses=(
                *("text", "sentence", "content", "review", "comment", "message", "tweet", "utterance", "query"),
                *("body", "document", "headline", "title", "premise", "question"),
            ),
        ),
        Column(
            "label",
            "reference",
            "label",
            "Label",
            guesses=(
                *("label", "labels", "class", "category", "topic", "intent", "sentiment", "target", "label_text"),
                *("gold", "emotion", "tag"),
            ),
        ),
    )
    default_metrics = ("accuracy", "f1")
    judged_by = "accuracy"
    auto_classes = ("AutoModelForSequenceClassification",)
    labelled = True
    rows_at_once = 1_000
    options: Mapping[str, Option] = {
        "hypothesis_template": Option(
            "This example is {}.", help="The sentence that a label becomes; {} stands for the label's name."
        )
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"text": "The striker scored twice in the last minute."},
                {"text": "The central bank raised interest rates."},
                {"text": "Großartig! 👍"},
            ),
            references=("sport", "business", "praise"),
        ),
    )

    def wanted_labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """One of the model's labels has to mean entailment; the data set's labels are candidates, known by no model."""
        return (ENTAILMENT,)

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """One piece per label, in order of the data set's labels; of a pair that is too long the text is cut.

        Raises:
            TrialFailed: The template has no place for the label, or a hypothesis alone is too long (kind `data`).
        """
        if not inputs:
            return []
        hypotheses = [_hypothesis(context.options["hypothesis_template"], label) for label in context.labels]
        _check_length(processor, hypotheses)
        texts = [row["text"] for row in inputs for _ in hypotheses]
        pairs = tokenised(processor, texts, hypotheses * len(inputs), truncation="only_first")
        count = len(hypotheses)
        return [tuple(pairs[row * count : (row + 1) * count]) for row in range(len(inputs))]

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits, float32, shape (n, model labels)."""
        logits: Sequence[Any] = model(**accepted_inputs(model, batch)).logits.float().cpu().numpy()
        return logits

    def logits(self, row: Answered, context: Context) -> Any:
        """Those of entailment, one for each of the data set's labels: the largest one's is the answer."""
        import numpy as np

        entailment = _entailment(context)
        return np.array([output[entailment] for output in row.outputs])

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Softmax of the entailment logits over the labels, as transformers' zero-shot pipeline does it.

        Predictions are those of `classified`. A label that the data set does not have cannot be answered.
        """
        logits = [self.logits(row, context) for row in rows]
        return classified(logits, replace(context, model_labels=context.labels, mapping={}))


def _hypothesis(template: str, label: str) -> str:
    try:
        hypothesis = template.format(label)
    except (AttributeError, IndexError, KeyError, ValueError):
        hypothesis = template
    if hypothesis == template:
        raise TrialFailed(
            "data",
            f"hypothesis_template is {template!r}, which has no place for a label.",
            "Write {} where the label's name belongs: 'This text is about {}.'",
        )
    return hypothesis


def _check_length(processor: Any, hypotheses: Sequence[str]) -> None:
    """A text can be cut to one token, but not to none."""
    empty = processor([""] * len(hypotheses), list(hypotheses), verbose=False)["input_ids"]
    for hypothesis, tokens in zip(hypotheses, empty, strict=True):
        if len(tokens) >= processor.model_max_length:
            raise TrialFailed(
                "data",
                f"The hypothesis {hypothesis!r:.80} alone has {len(tokens):,} tokens, and the model takes "
                f"{processor.model_max_length:,}: no room is left for a text.",
                "Use shorter label names, or a shorter hypothesis_template.",
            )


def _entailment(context: Context) -> int:
    """Which of the model's labels means entailment."""
    for number, label in enumerate(context.model_labels):
        if context.mapping.get(label, label) == ENTAILMENT:
            return number
    raise TrialFailed(
        "data",
        f"None of the model's labels ({', '.join(map(repr, context.model_labels))}) is known to mean entailment.",
        "Say under the model which one does: `labels: {LABEL_2: entailment}`.",
    )


TASK = ZeroShotClassification()
