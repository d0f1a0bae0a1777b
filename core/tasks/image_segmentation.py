"""A label for every pixel of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from core.errors import TrialFailed
from core.tasks import media, shapes
from core.tasks.base import Answered, Column, Context, Prediction, TaskSample, accepted_inputs
from core.tasks.finite import check_outputs
from core.tasks.image import IMAGE, ImageTask


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The labels of one picture's pixels, as runs from left to right and row by row."""
    from inspect import signature
    from itertools import groupby

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
    size = (image.height, image.width)
    mask = processor.post_process_semantic_segmentation(outputs, target_sizes=[size])[0]
    names = {index: settings["labels"].get(name, name) for index, name in model.config.id2label.items()}
    runs = groupby(names[index] for index in mask.flatten().tolist())
    return {"size": list(size), "runs": [[name, len(list(pixels))] for name, pixels in runs]}


class ImageSegmentation(ImageTask):
    """Semantic segmentation, by models with a label for each pixel and by those with a label for each of many masks."""

    name = "image-segmentation"
    title = "Image segmentation"
    tags = ("image-segmentation",)
    columns = (
        IMAGE,
        Column(
            "mask",
            "reference",
            "mask",
            "Mask",
            guesses=("mask", "mask_path", "segmentation", "annotation", "label", "labels", "semantic_map", "target"),
        ),
    )
    default_metrics = ("mean_iou", "pixel_accuracy")
    judged_by = "mean_iou"
    right_at = 0.5
    auto_classes = (
        "AutoModelForSemanticSegmentation",
        "AutoModelForUniversalSegmentation",
        "AutoModelForImageSegmentation",
    )
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"image": media.sample("stripes.png")}, {"image": media.sample("tile.png")}),
            references=(
                {"size": [24, 32], "runs": [*[["stripe", 6], ["ground", 6]] * 2, ["stripe", 6], ["ground", 2]] * 24},
                {
                    "size": [24, 32],
                    "runs": [[None, 32], ["ground", 168], *[["tile", 16], ["ground", 16]] * 12, ["ground", 184]],
                },
            ),
        ),
    )

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The image processor. Raises TrialFailed, for models that must be told the task in words, too."""
        if "task_inputs" in signature(model.forward).parameters:
            raise TrialFailed(
                "unsupported",
                f"{type(model).__name__} takes the task as a text, and its label table from another repository.",
                "Choose a Mask2Former or SegFormer checkpoint.",
            )
        return super().load_processor(folder, model)

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Per picture the model labels' ids in its own pixels, shape (height, width)."""

        def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
            outputs = model(**accepted_inputs(model, inputs))
            check_outputs(outputs)
            sizes = [tuple(size) for size in inputs["target_sizes"].tolist()]
            masks = processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)
            return [mask.cpu().numpy() for mask in masks]

        return shapes.each_shape(batch, run)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": {"size": [height, width], "runs": [[label, pixels], …]}}`."""
        names = [context.mapping.get(label, label) for label in context.model_labels]
        return [{"answer": run_lengths(row.outputs[0], names)} for row in rows]

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """A mask without pixels."""
        return {"answer": {"size": [0, 0], "runs": []}}


def run_lengths(mask: Any, names: Sequence[str]) -> dict[str, Any]:
    """A mask of ids (height, width) as runs of names, row by row."""
    import numpy as np

    # Labels that share a name are one: their runs join.
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    pixels = np.array([first[name] for name in names])[np.asarray(mask).ravel()]
    starts = np.flatnonzero(np.diff(pixels, prepend=-1))
    lengths = np.diff(starts, append=len(pixels))
    runs = [[names[index], length] for index, length in zip(pixels[starts].tolist(), lengths.tolist(), strict=True)]
    return {"size": list(mask.shape), "runs": runs}


TASK = ImageSegmentation()
