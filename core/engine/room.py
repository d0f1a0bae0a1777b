"""Whether memory can hold a model's weights at all: asked before they are read, where the answer is cheap."""

from __future__ import annotations

from math import prod
from pathlib import Path

from core.catalog import parameters
from core.catalog.fit import BYTES_PER_PARAMETER
from core.engine import environment
from core.errors import RefusedModel, TrialFailed
from core.records import Variant

MB = 1_000_000
WHOLE, PARTS = "model.safetensors", "model-*-of-*.safetensors"


def check_room(folder: Path, variant: Variant, limit_mb: int | None = None) -> None:
    """Refuse weights that are larger than the memory they would go to. What comes on top, the trial finds out.

    Args:
        folder: The checkpoint. Weights of another name, or damaged ones, are left to the backend.
        variant: Where they would go, and at how many bytes each.
        limit_mb: Most memory of the process, where a plan limits it.

    Raises:
        TrialFailed: Kind `out_of_memory`.
    """
    files = [folder / WHOLE] if (folder / WHOLE).exists() else sorted(folder.glob(PARTS))
    try:
        count = sum(prod(shape) for _, shape in parameters.tensors(files))
    except RefusedModel:
        return
    kind = variant.quantization or variant.dtype
    needed = count * BYTES_PER_PARAMETER.get(kind, 4.0) / MB
    room, whose = _room_mb(variant.device, limit_mb)
    if room is not None and needed > room:
        raise TrialFailed(
            "out_of_memory",
            f"The weights alone take {needed:,.0f} MB at {kind}; {whose} {room:,.0f} MB.",
            "Choose a smaller model, a shorter dtype, or a machine with more memory.",
        )


def _room_mb(device: str, limit_mb: int | None) -> tuple[float | None, str]:
    """MB, and who gives them."""
    import psutil

    if device == "cuda":
        return environment.memory().get("cuda"), "the GPU has"
    free = psutil.virtual_memory().available / MB
    if limit_mb is not None and limit_mb < free:
        return limit_mb, "`max_memory_mb` allows"
    return free, "the machine has free"
