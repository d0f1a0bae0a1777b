"""PyTorch through transformers' Auto classes: CPU, CUDA and Apple GPUs; float32, bfloat16 and float16."""

# ruff: noqa: D102 - Backend and Session in `base` say what the methods do

from __future__ import annotations

import importlib
import json
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.catalog.safety import check_config, check_files, is_config
from core.engine import environment
from core.engine.backends.torch_devices import TorchDevice, open_device
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
    devices = ("cpu", "cuda", "mps")
    dtypes = ("float32", "bfloat16", "float16")

    def unsupported(self, variant: Variant) -> str | None:
        if variant.device not in self.devices:
            return f"The backend torch knows no device {variant.device!r}, only {', '.join(self.devices)}."
        if variant.dtype not in self.dtypes:
            return f"The backend torch knows no dtype {variant.dtype!r}, only {', '.join(self.dtypes)}."
        if variant.quantization:
            return f"The backend torch does not quantize; the variant asks for {variant.quantization!r}."
        return self._device_missing(variant.device)

    def _device_missing(self, device: str) -> str | None:
        found = environment.devices()
        if device not in {one.name for one in found}:
            return f"This machine has no {device} device; found {', '.join(one.title for one in found)}."
        build = environment.version("torch") or ""
        if device == "cuda" and build.endswith("+cpu"):
            return f"This machine has a GPU, but the installed torch {build} is built for the CPU only."
        return None

    def start(self) -> None:
        for module in MODULES:
            importlib.import_module(module)

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        obstacle = self.unsupported(variant)
        if obstacle:
            raise TrialFailed("unsupported", obstacle)
        preflight(folder)
        import torch
        import transformers

        _quiet(transformers)
        if variant.device != "cpu" and not getattr(torch, variant.device).is_available():
            raise TrialFailed("unsupported", f"torch {torch.__version__} cannot use the {variant.device} device here.")
        torch.set_num_threads(variant.threads or environment.cores())
        device = open_device(variant.device)
        device.reset_peak()
        with _loading(device):
            model = _load_model(folder, task, variant, device)
            processor = task.load_processor(folder, model)
        return TorchSession(model, processor, task, device)


class TorchSession:
    """A model in memory with its processor."""

    def __init__(self, model: Any, processor: Any, task: Task, device: TorchDevice) -> None:
        import torch

        self.model = model
        self.processor = processor
        self.model_labels = model_labels(model.config) if task.labelled else ()
        self.environment: Mapping[str, Any] = {
            "threads": torch.get_num_threads(),
            "attention": getattr(model.config, "_attn_implementation", None),
            **({"gpu": device.title()} if device.title() else {}),
        }
        self._task = task
        self._device = device

    def forward(self, batch: Sequence[Piece], context: Context) -> Sequence[Any]:
        import torch

        try:
            tensors = self._on_device(self._task.collate(self.processor, batch))
            with torch.inference_mode():
                outputs = self._task.forward(self.model, self.processor, tensors, context)
            self._device.synchronize()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            message = str(error).splitlines()[0]
        else:
            return outputs
        # Outside of the handler: the traceback would keep the tensors of the failed pass alive.
        self._device.empty_cache()
        raise TrialFailed(
            "out_of_memory",
            f"{len(batch)} rows of up to {max(piece.length for piece in batch)} tokens do not fit: {message}",
            "Use a smaller batch, a smaller model, or bfloat16.",
        )

    def _on_device(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch on the model's device; what is not a whole number takes the model's precision."""
        dtype = self.model.dtype
        return {
            name: value.to(self._device.name, dtype if value.is_floating_point() else value.dtype)
            if hasattr(value, "to")
            else value
            for name, value in batch.items()
        }

    def device_bytes(self) -> int | None:
        return self._device.allocated_bytes()

    def device_peak_bytes(self) -> int | None:
        return self._device.peak_bytes()


def preflight(folder: Path) -> None:
    """Look at a checkpoint before any library does. Raises TrialFailed, naming the rule that it breaks."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    refusals = (check_config(_read_config(folder / name)) for name in names if is_config(name))
    refusal = next(filter(None, refusals), None) or check_files(names)
    if refusal:
        raise TrialFailed("unsupported", refusal)


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise TrialFailed("load", f"Its {file.name} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise TrialFailed("load", f"Its {file.name} holds a {type(config).__name__}, not an object.")
    return config


def model_labels(config: Any) -> tuple[str, ...]:
    """Label names in order of id."""
    names = config.id2label or {}
    return tuple(str(names[index]) for index in sorted(names))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on any device."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in text or "can't allocate memory" in text


def _quiet(transformers: Any) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@contextmanager
def _loading(device: TorchDevice) -> Iterator[None]:
    """Whatever a library throws at a broken checkpoint becomes a row: kinds `out_of_memory`, `unsupported`, `load`."""
    try:
        yield
    except TrialFailed:
        raise
    except Exception as error:
        tail = traceback.format_exc()[-4000:]
        if is_out_of_memory(error):
            device.empty_cache()
            raise TrialFailed("out_of_memory", "The weights do not fit in memory.", "Use bfloat16.", tail) from None
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        message = f"{type(error).__name__}: {first_line}"
        if "Unrecognized configuration class" in message or "does not recognize this architecture" in message:
            raise TrialFailed("unsupported", message, "", tail) from None
        hint = "The checkpoint may be damaged or incomplete: fetch it again."
        raise TrialFailed("load", f"The checkpoint cannot be loaded. {message}", hint, tail) from None


def _load_model(folder: Path, task: Task, variant: Variant, device: TorchDevice) -> Any:
    import torch

    model, report = _model_class(folder, task).from_pretrained(
        folder,
        dtype=getattr(torch, variant.dtype),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    _check_head(model, [name for name in report["missing_keys"] if not name.startswith(task.optional_weights)], task)
    return model.to(device.name).eval()


def _model_class(folder: Path, task: Task) -> Any:
    """The first of the task's Auto classes that knows the checkpoint's configuration; the first where none does."""
    import transformers

    classes = [getattr(transformers, name) for name in task.auto_classes]
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return next((one for one in classes if type(config) in one._model_mapping), classes[0])


def _check_head(model: Any, missing: Sequence[str], task: Task) -> None:
    """Refuse a checkpoint of another task: transformers would fill in random weights and carry on."""
    wanted = type(model).__name__
    architectures = model.config.architectures or []
    # Some heads fit each other's weights, so what the checkpoint says of itself counts as well as what is missing.
    other_head = bool(_head(wanted)) and bool(architectures)
    other_head &= all(_head(name) and _head(name) != _head(wanted) for name in architectures)
    if not missing and not other_head:
        return
    found = ", ".join(architectures) or "a model without a head"
    # Names with few dots are the head's own.
    nearest = sorted(missing, key=lambda name: (name.count("."), name))[:3]
    lacking = f" It lacks {', '.join(nearest)}." if missing else ""
    raise TrialFailed(
        "unsupported",
        f"The checkpoint is {found}; {task.name} needs {wanted}.{lacking}",
        f"Choose a model that was trained for {task.name}.",
    )


def _head(architecture: str) -> str:
    """`BertForSequenceClassification` → `ForSequenceClassification`; empty where the name has no such part."""
    body, separator, head = architecture.partition("For")
    return separator + head if body else ""


BACKEND = PyTorch()
