"""What tasks on pictures share: reading them, an image processor, and batches of like size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import TrialFailed
from core.tasks import media, shapes
from core.tasks.base import Answered, Column, Context, Piece
from core.tasks.defaults import TaskDefaults

PIXELS_PER_TOKEN = 256
"""A vision transformer makes one token of a patch of 16 × 16."""

IMAGE = Column(
    "image",
    "input",
    "image",
    "Image",
    guesses=("image", "image_path", "image_file", "img", "picture", "photo", "file_name", "filename", "file", "path"),
)


class ImageTask(TaskDefaults):
    """Defaults of a task whose rows are pictures."""

    processor_class = "AutoImageProcessor"
    labelled = True
    unit = "image"
    rows_at_once = 64

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The image processor: on torchvision where it is installed, else on Pillow. Raises TrialFailed."""
        import transformers

        try:
            return transformers.AutoImageProcessor.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError, ImportError) as error:
            # A few families have no image processor but torchvision's; the message of transformers says so.
            hint = "pip install torchvision" if "torchvision" in str(error) else "Fetch preprocessor_config.json too."
            raise TrialFailed("load", f"The checkpoint has no usable image processor. {error}", hint) from None

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Each picture by itself, as large as the processor makes it. Raises TrialFailed where one cannot be read."""
        return [(self._piece(processor, row["image"]["file"]),) for row in inputs]

    def _piece(self, processor: Any, file: str) -> Piece:
        """A picture with its own height and width, which answers in pixels need."""
        import numpy as np

        try:
            image = media.read_image(file)
        except ValueError as error:
            raise TrialFailed("data", f"{file} cannot be read: {error}.", "Repair it, or leave the row out.") from None
        features = processor(images=image, return_tensors="np")
        if "patch_offsets" in features or len(features["pixel_values"]) != 1:
            raise TrialFailed("unsupported", "Its image processor cuts pictures into parts that are answered together.")
        arrays = {name: np.asarray(features[name])[0] for name in features}
        size = (image.height, image.width)
        height, width = arrays["pixel_values"].shape[-2:]
        length = max(1, height * width // PIXELS_PER_TOKEN)
        return Piece({**arrays, "target_sizes": np.array(size)}, length, 1, size)

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Tensors of pictures of the same size: none is padded."""
        return shapes.stacked(pieces)

    def count(self, row: Answered) -> float:
        """One image."""
        return 1
