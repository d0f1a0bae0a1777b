"""Any number of labels for a text, none included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.options import Option
from core.tasks.base import Answered, Column, Context, Prediction, TaskSample
from core.tasks.classification import rounded
from core.tasks.text_classification import LabelledText


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> Any:
    """The labels of one text, or of a pair."""
    from inspect import signature

    import torch

    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    texts = [row[word] for word in ("text", "text_pair") if row.get(word) is not None]
    inputs = processor(*texts, truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        logits = model(**{name: tensor for name, tensor in inputs.items() if name in known}).logits[0]
    names = [settings["labels"].get(label, label) for _, label in sorted(model.config.id2label.items())]
    over = (logits.double().sigmoid() > settings["threshold"]).tolist()
    given = {name for name, is_over in zip(names, over, strict=True) if is_over}
    return sorted(given.intersection(settings["classes"]))


class MultiLabelClassification(LabelledText):
    """Classification by a model whose labels do not exclude each other: each has a probability of its own."""

    name = "multi-label-classification"
    title = "Multi-label text classification"
    columns = (
        *LabelledText.columns[:2],
        Column(
            "labels",
            "reference",
            "labels",
            "Labels",
            guesses=(
                *("labels", "label", "tags", "categories", "classes", "topics", "emotions", "genres", "targets"),
                *("category", "class", "target", "label_text", "gold", "tag"),
            ),
        ),
    )
    default_metrics = ("f1", "precision", "recall", "accuracy")
    options: Mapping[str, Option] = {
        "threshold": Option(0.5, kind="number", help="A label is given where its probability is over it.")
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"text": "The parcel came a day early, but the box was torn."},
                {"text": "Where is my refund?"},
                {"text": "Gruß aus Łódź 👋"},
            ),
            references=(["delivery", "packaging"], ["refund"], []),
        ),
        TaskSample(
            inputs=({"text": "A man plays the guitar.", "text_pair": "Someone makes music outside."},),
            references=(["music", "outdoors"],),
        ),
    )

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Sigmoid of each logit; the data set's labels over the threshold.

        Each prediction is `{"answer": labels, sorted, "probabilities": […]}`. `probabilities` run parallel to
        `context.labels`: of several model labels that stand for the same, the likeliest counts; what the model does
        not know has 0. What the model knows beyond the data set's labels is no answer: its rows do not say it is wrong.
        """
        import numpy as np

        if not rows:
            return []
        logits = np.asarray([row.outputs[0] for row in rows], dtype=np.float64)
        shares = np.exp(-np.logaddexp(0, -logits))
        answers = np.array([context.mapping.get(label, label) for label in context.model_labels], dtype=object)
        stands_for = np.array(context.labels, dtype=object)[:, None] == answers
        of_label = np.where(stands_for, shares[:, None, :], 0).max(axis=2)
        over = of_label > context.options["threshold"]
        return [
            {
                "answer": sorted(label for label, given in zip(context.labels, row, strict=True) if given),
                "probabilities": probabilities,
            }
            for row, probabilities in zip(over.tolist(), rounded(of_label), strict=True)
        ]

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """No label."""
        return {"answer": []}


TASK = MultiLabelClassification()
