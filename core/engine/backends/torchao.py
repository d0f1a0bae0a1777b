"""torchao: linear layers in int8, their inputs rounded too or not; the rest stays as it is."""

# ruff: noqa: D102 - Backend in `base` says what the methods do

from __future__ import annotations

from pathlib import Path

from core.engine.backends.pytorch import MODULES, TorchSession, import_all, open_session, torch_obstacle
from core.records import Variant
from core.tasks.base import Task

CONFIGS = {"int8": "Int8DynamicActivationInt8WeightConfig", "int8-weight-only": "Int8WeightOnlyConfig"}
"""Quantization → the class of `torchao.quantization` that does it."""


class TorchAO:
    """The backend `torchao`."""

    name = "torchao"
    title = "torchao"
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    quantizations: tuple[str | None, ...] = tuple(CONFIGS)
    packages: tuple[str, ...] = ("torchao==0.18.0",)
    load_seconds = (1.0, 15.0)

    def unsupported(self, variant: Variant) -> str | None:
        return torch_obstacle(self, variant)

    def start(self) -> None:
        import_all((*MODULES, "torchao.quantization", "transformers.quantizers.quantizer_torchao"))

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        import torchao.quantization
        import transformers

        config = getattr(torchao.quantization, CONFIGS[str(variant.quantization)])
        return open_session(self, folder, task, variant, quantization_config=transformers.TorchAoConfig(config()))


BACKEND = TorchAO()
