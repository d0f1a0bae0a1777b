"""One label for a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.tasks import media, shapes
from core.tasks.base import Column, Context, Prediction, TaskSample
from core.tasks.classification import OneLabel
from core.tasks.image import IMAGE, ImageTask


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The label of one picture."""
    from inspect import signature

    import numpy as np
    import torch
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(row["image"]))
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
    inputs = processor(images=image.convert("RGB"), return_tensors="pt").to(model.device, model.dtype)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        best = int(model(**{name: tensor for name, tensor in inputs.items() if name in known}).logits[0].argmax())
    label = model.config.id2label[best]
    return str(settings["labels"].get(label, label))


class ImageClassification(OneLabel, ImageTask):
    """Single-label classification of pictures."""

    name = "image-classification"
    title = "Image classification"
    tags = ("image-classification",)
    columns = (
        IMAGE,
        Column(
            "label",
            "reference",
            "label",
            "Label",
            guesses=("label", "labels", "class", "category", "fine_label", "target", "tag", "y"),
        ),
    )
    default_metrics = ("accuracy", "f1")
    judged_by = "accuracy"
    auto_classes = ("AutoModelForImageClassification",)
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"image": media.sample("stripes.png")}, {"image": media.sample("tile.png")}),
            references=("stripes", "tile"),
        ),
    )

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits, float32, one array (model labels,) per picture."""
        return shapes.logits(model, batch)

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """An empty text, which is nobody's label."""
        return {"answer": ""}


TASK = ImageClassification()
