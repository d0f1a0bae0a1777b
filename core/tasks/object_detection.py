"""Boxes around the things in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.options import Option
from core.tasks import media, shapes
from core.tasks.base import Answered, Column, Context, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import DECIMALS
from core.tasks.finite import check_outputs
from core.tasks.image import IMAGE, ImageTask

MOST_BOXES = 100
"""In one picture. COCO's mAP reads no more."""
PIXEL_DECIMALS = 2


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The boxes in one picture, the surest first."""
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
        outputs = model(**{name: tensor for name, tensor in inputs.items() if name in known})
    outputs.logits, outputs.pred_boxes = outputs.logits.float(), outputs.pred_boxes.float()
    sizes = torch.tensor([[image.height, image.width]], device=model.device)
    found = processor.post_process_object_detection(outputs, settings["score_threshold"], sizes)[0]
    best = found["scores"].argsort(descending=True, stable=True)[:100]
    names = [model.config.id2label[label] for label in found["labels"][best].tolist()]
    boxes = [
        {
            "label": settings["labels"].get(name, name),
            "box": [round(edge, 2) for edge in box],
            "score": round(score, 4),
        }
        for name, box, score in zip(names, found["boxes"][best].tolist(), found["scores"][best].tolist(), strict=True)
    ]
    return sorted(boxes, key=lambda one: (-one["score"], one["label"], one["box"]))


class ObjectDetection(ImageTask):
    """Detection by DETR and its kin: models whose image processor has `post_process_object_detection`."""

    name = "object-detection"
    title = "Object detection"
    tags = ("object-detection",)
    columns = (
        IMAGE,
        Column(
            "objects",
            "reference",
            "boxes",
            "Objects",
            guesses=("objects", "boxes", "annotations", "bboxes", "detections", "bbox", "target"),
        ),
    )
    default_metrics = ("map", "map_50")
    judged_by = None
    auto_classes = ("AutoModelForObjectDetection",)
    options: Mapping[str, Option] = {
        "score_threshold": Option(
            0.0,
            help="Boxes that are less sure are dropped. mAP weighs boxes by their scores: anything above 0 lowers it.",
            kind="number",
        )
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"image": media.sample("tile.png")}, {"image": media.sample("stripes.png")}),
            references=(
                [{"label": "tile", "box": [8.0, 6.0, 24.0, 18.0]}],
                [{"label": "stripe", "box": [left, 0.0, left + 6.0, 24.0]} for left in (0.0, 12.0, 24.0)],
            ),
        ),
    )

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Per picture scores (n,), model labels' ids (n,) and boxes (n, 4) in its own pixels, the surest first."""
        threshold = context.options["score_threshold"]

        def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
            outputs = model(**accepted_inputs(model, inputs))
            check_outputs(outputs)
            outputs.logits, outputs.pred_boxes = outputs.logits.float(), outputs.pred_boxes.float()
            found = processor.post_process_object_detection(outputs, threshold, inputs["target_sizes"])
            return [_surest(one) for one in found]

        return shapes.each_shape(batch, run)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": [{"label", "box", "score"}, …]}`, the surest box first."""
        names = [context.mapping.get(label, label) for label in context.model_labels]
        return [{"answer": _boxes(row.outputs[0], names)} for row in rows]

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """No boxes."""
        return {"answer": []}


def _surest(found: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    best = found["scores"].argsort(descending=True, stable=True)[:MOST_BOXES]
    scores, labels, boxes = (found[name][best].cpu().numpy() for name in ("scores", "labels", "boxes"))
    return scores, labels, boxes


def _boxes(found: tuple[Any, Any, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    rounded = [
        {"label": names[label], "box": [round(edge, PIXEL_DECIMALS) for edge in box], "score": round(score, DECIMALS)}
        for score, label, box in zip(*(part.tolist() for part in found), strict=True)
    ]
    # Boxes that are equally sure must come in the same order whatever they ran with.
    return sorted(rounded, key=lambda one: (-one["score"], one["label"], one["box"]))


TASK = ObjectDetection()
