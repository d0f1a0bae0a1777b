"""bitsandbytes: linear layers in 8 bits (LLM.int8) or in 4 (NF4); the rest stays as it is."""

# ruff: noqa: D102 - Backend in `base` says what the methods do

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from core.engine.backends.pytorch import MODULES, TorchSession, import_all, open_session, torch_obstacle
from core.engine.backends.torch_devices import open_device
from core.engine.backends.torch_loading import loading, skeleton
from core.records import Variant
from core.tasks.base import Task

BLOCK = (64, 32)
"""On a CPU its 4-bit kernel takes so many inputs and outputs of a layer at once, and fails where some are left."""


class BitsAndBytes:
    """The backend `bitsandbytes`."""

    name = "bitsandbytes"
    title = "bitsandbytes"
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    quantizations: tuple[str | None, ...] = ("int8", "nf4")
    packages: tuple[str, ...] = ("bitsandbytes==0.50.2", "accelerate==1.15.0")
    load_seconds = (1.0, 15.0)

    def unsupported(self, variant: Variant) -> str | None:
        return torch_obstacle(self, variant)

    def start(self) -> None:
        import_all((*MODULES, "accelerate", "bitsandbytes"))
        # It warns at each layer of each call that its inputs are cast.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        import torch
        import transformers

        settings: dict[str, Any] = {"load_in_8bit": True}
        if variant.quantization == "nf4":
            compute = getattr(torch, variant.dtype)
            settings = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": compute}
            if variant.device == "cpu":
                with loading(open_device("cpu")):
                    settings["llm_int8_skip_modules"] = _kept(folder, task)
        config = transformers.BitsAndBytesConfig(**settings)
        return open_session(self, folder, task, variant, quantization_config=config, device_map=variant.device)


def _kept(folder: Path, task: Task) -> list[str]:
    """Layers that stay as they are on a CPU: those that transformers would keep, and those of an odd width."""
    import torch
    from transformers.quantizers.base import get_keys_to_not_convert

    model = skeleton(folder, task)
    layers = ((name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.Linear))
    odd = [name for name, one in layers if one.in_features % BLOCK[0] or one.out_features % BLOCK[1]]
    return [*get_keys_to_not_convert(model), *odd]


BACKEND = BitsAndBytes()
