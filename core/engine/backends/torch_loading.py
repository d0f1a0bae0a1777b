"""Checkpoints into memory by transformers' Auto classes, and what becomes of those that do not load."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.catalog.safety import check_config, check_files, is_config
from core.engine.backends.torch_devices import TorchDevice
from core.engine.backends.torch_faults import gpu_fault
from core.errors import TrialFailed
from core.tasks.base import Task

STORED_AS = {"tf32": "float32"}
"""A way to multiply is no way to store: dtype of a variant → dtype of its weights."""


def preflight(folder: Path) -> None:
    """Look at a checkpoint before any library does. Raises TrialFailed, naming the rule that it breaks."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    refusals = (check_config(_read_config(folder / name)) for name in names if is_config(name))
    refusal = next(filter(None, refusals), None) or check_files(names)
    if refusal:
        raise TrialFailed("unsupported", refusal)


def _read_config(file: Path) -> Any:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise TrialFailed("load", f"Its {file.name} cannot be read: {error}") from None
    # Other files of such a name may hold anything: sentence-transformers lists its training data in data_config.json.
    if file.name == "config.json" and not isinstance(config, dict):
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
    # The libraries on a GPU have words of their own: CUBLAS_STATUS_ALLOC_FAILED.
    words = ("out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED")
    return type(error).__name__ == "OutOfMemoryError" or any(one in text for one in words)


def quiet(transformers: Any) -> None:
    """Warnings and progress bars of transformers off: the log of a trial is for what went wrong."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@contextmanager
def loading(device: TorchDevice) -> Iterator[None]:
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
        if fault := gpu_fault(error):
            raise TrialFailed(fault.kind, fault.message, fault.hint, tail) from None
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else ""
        message = f"{type(error).__name__}: {first_line}"
        if "Unrecognized configuration class" in message or "does not recognize this architecture" in message:
            raise TrialFailed("unsupported", message, "", tail) from None
        hint = "The checkpoint may be damaged or incomplete: fetch it again."
        raise TrialFailed("load", f"The checkpoint cannot be loaded. {message}", hint, tail) from None


def load_model(folder: Path, task: Task, dtype: str, device: TorchDevice, **settings: Any) -> Any:
    """The checkpoint's model on a device, ready to run.

    Args:
        folder: The checkpoint.
        task: Decides the class.
        dtype: Name of a torch dtype, or `tf32`.
        device: Where it goes.
        settings: Further arguments of `from_pretrained`.

    Raises:
        TrialFailed: Kinds `load`, `unsupported` (a checkpoint of another task), `out_of_memory`.
    """
    import torch

    model, report = _model_class(folder, task).from_pretrained(
        folder,
        dtype=getattr(torch, STORED_AS.get(dtype, dtype)),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        **settings,
    )
    _check_head(model, [name for name in report["missing_keys"] if not name.startswith(task.optional_weights)], task)
    # accelerate has put it there already where it was asked to (`device_map`), and forbids to move quantized weights.
    return (model if "device_map" in settings else model.to(device.name)).eval()


def skeleton(folder: Path, task: Task) -> Any:
    """The model without its weights: configuration, labels and the names of its modules. Takes no memory.

    Raises:
        TrialFailed: The checkpoint is of another task.
    """
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    model_class = _model_class(folder, task)
    with torch.device("meta"):
        model = model_class.from_config(config, dtype=torch.float32)
    _check_head(model, (), task)
    return model.eval()


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
