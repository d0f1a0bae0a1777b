"""PyTorch through transformers' Auto classes: CPU, CUDA and Apple GPUs; float32, bfloat16, float16; tf32 on CUDA."""

# ruff: noqa: D102 - Backend and Session in `base` say what the methods do

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.engine import environment
from core.engine.backends.base import Backend, obstacle
from core.engine.backends.torch_ahead import Ahead
from core.engine.backends.torch_devices import TorchDevice, open_device
from core.engine.backends.torch_loading import (
    is_out_of_memory,
    load_model,
    loading,
    model_labels,
    preflight,
    quiet,
)
from core.errors import TrialFailed
from core.records import Variant
from core.tasks.base import Context, Piece, Task

MODULES = (
    "torch",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.modeling_utils",
    "transformers.generation",
)
"""What every model needs; transformers imports lazily, so its name alone would leave most to the first load."""


class PyTorch:
    """The backend `torch`."""

    name = "torch"
    title = "PyTorch"
    devices: tuple[str, ...] = ("cpu", "cuda", "mps")
    dtypes: tuple[str, ...] = ("float32", "bfloat16", "float16", "tf32")
    quantizations: tuple[str | None, ...] = (None,)
    packages: tuple[str, ...] = ()
    load_seconds = (1.0, 10.0)

    def unsupported(self, variant: Variant) -> str | None:
        return torch_obstacle(self, variant)

    def start(self) -> None:
        import_all(MODULES)

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        return open_session(self, folder, task, variant)


class TorchSession:
    """A model in memory with its processor."""

    def __init__(
        self, model: Any, processor: Any, task: Task, device: TorchDevice, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Wrap a model.

        Args:
            model: As tasks call it.
            processor: Of the task.
            task: What it is for.
            device: Where it runs.
            facts: What stands in `environment` besides.
        """
        import torch

        self.model = model
        self.processor = processor
        self.model_labels = model_labels(model.config) if task.labelled else ()
        self.environment: Mapping[str, Any] = {
            "threads": torch.get_num_threads(),
            "attention": getattr(model.config, "_attn_implementation", None),
            **({"gpu": device.title()} if device.title() else {}),
            **(facts or {}),
        }
        self.prepare_seconds = 0.0
        self.device_ns: int | None = None
        self.task = task
        self.device = device
        self._ahead: Ahead | None = None

    def forward(self, batch: Sequence[Piece], context: Context, ahead: Sequence[Piece] = ()) -> Sequence[Any]:
        import torch

        try:
            tensors = self._copied(batch, ahead)
            began = self.device.mark()
            with torch.inference_mode():
                outputs = self.task.forward(self.model, self.processor, tensors, context)
            ended = self.device.mark()
            self.device.synchronize()
            self.device_ns = self.device.nanoseconds(began, ended)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = str(error).splitlines()[0]
        else:
            return outputs
        # Outside of the handler: the traceback would keep the tensors of the failed pass alive.
        if self._ahead is not None:
            self._ahead.drop()
        self.device.empty_cache()
        raise TrialFailed(
            "out_of_memory",
            f"{_in_words(batch)} not fit: {message}",
            "Use a smaller batch, a smaller model, or bfloat16.",
        )

    def _copied(self, batch: Sequence[Piece], ahead: Sequence[Piece]) -> Mapping[str, Any]:
        """The batch on the model's device; from here on the one after it is prepared, where that costs no time."""
        if self._ahead is None and ahead:
            self._ahead = self.device.ahead()
        tensors = self._ahead.take(batch) if self._ahead is not None else None
        if self._ahead is not None and ahead:
            self._ahead.begin(ahead, lambda: self._padded(ahead))
        if tensors is not None:
            return tensors
        return {
            name: value.to(self.device.name) if hasattr(value, "to") else value
            for name, value in self._padded(batch).items()
        }

    def _padded(self, batch: Sequence[Piece]) -> dict[str, Any]:
        """Tensors on the CPU; what is not a whole number takes the model's precision."""
        dtype = self.model.dtype
        return {
            name: value.to(dtype) if hasattr(value, "to") and value.is_floating_point() else value
            for name, value in self.task.collate(self.processor, batch).items()
        }

    def prepared(self, seconds: float) -> TorchSession:
        """The same session, after so many seconds of exporting or compiling."""
        self.prepare_seconds = seconds
        self.environment = {**self.environment, "prepare_seconds": round(seconds, 1)}
        return self

    def device_bytes(self) -> int | None:
        return self.device.allocated_bytes()

    def device_peak_bytes(self) -> int | None:
        return self.device.peak_bytes()

    def reset_device_peak(self) -> None:
        self.device.reset_peak()


def _in_words(batch: Sequence[Piece]) -> str:
    """What did not fit, with its verb."""
    longest = max(piece.length for piece in batch)
    if len(batch) == 1:
        return f"A single row of {longest:,} tokens does"
    return f"{len(batch)} rows of up to {longest:,} tokens do"


def import_all(modules: Sequence[str]) -> None:
    """Import modules by name, and let none of them log a warning about itself.

    transformers imports torchao wherever it is installed, which tells at length what it was not built for.
    """
    logging.disable(logging.WARNING)
    try:
        for module in modules:
            importlib.import_module(module)
    finally:
        logging.disable(logging.NOTSET)


def torch_obstacle(backend: Backend, variant: Variant) -> str | None:
    """Why a runtime on torch cannot run the variant here, in a sentence; None where it can."""
    build = environment.version("torch") or ""
    if found := obstacle(backend, variant):
        return found
    if variant.device == "cuda" and build.endswith("+cpu"):
        return f"This machine has a GPU, but the installed torch {build} is built for the CPU only."
    if variant.dtype == "tf32" and variant.device != "cuda":
        return f"tf32 is how NVIDIA's GPUs multiply float32 faster: it needs the device 'cuda', not {variant.device!r}."
    return None


def open_session(backend: Backend, folder: Path, task: Task, variant: Variant, **settings: Any) -> TorchSession:
    """A checkpoint loaded by transformers, ready to run.

    Args:
        backend: Whose variant it is.
        folder: The checkpoint.
        task: What it is for.
        variant: How it runs.
        settings: Further arguments of `from_pretrained`.

    Raises:
        TrialFailed: Kinds `load`, `unsupported`, `out_of_memory`.
    """
    device = prepare(backend, folder, variant)
    with loading(device):
        model = load_model(folder, task, variant.dtype, device, **settings)
        processor = task.load_processor(folder, model)
    return TorchSession(model, processor, task, device, versions(backend))


def prepare(backend: Backend, folder: Path, variant: Variant) -> TorchDevice:
    """Refuse what cannot run and what must not be loaded, set the threads, and open the device. Raises TrialFailed."""
    found = backend.unsupported(variant)
    if found:
        raise TrialFailed("unsupported", found)
    preflight(folder)
    import torch
    import transformers

    quiet(transformers)
    if variant.device != "cpu" and not getattr(torch, variant.device).is_available():
        raise TrialFailed("unsupported", f"torch {torch.__version__} cannot use the {variant.device} device here.")
    torch.set_num_threads(variant.threads or environment.cores())
    device = open_device(variant.device)
    device.use(variant.dtype)
    device.reset_peak()
    return device


def versions(backend: Backend) -> dict[str, str | None]:
    """The installed versions of what a runtime needs besides torch."""
    names = [pin.partition("==")[0] for pin in backend.packages]
    return {name: environment.version(name) for name in names}


BACKEND = PyTorch()
