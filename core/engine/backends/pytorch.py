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
from core.records import Protocol, Variant
from core.tasks.base import Encoding, Task

MODULES = (
    "torch",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.modeling_utils",
    "transformers.generation",
)
"""What every model needs; transformers imports lazily, so its name alone would leave most to the first load."""

UNLIMITED = 1_000_000
"""A tokenizer without a limit of its own says 10^30."""
FALLBACK_LENGTH = 1024
"""Longest input of a model that knows no limit, neither in its tokenizer nor in its positions."""


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

    def load(self, folder: Path, task: Task, variant: Variant, protocol: Protocol) -> TorchSession:
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
            tokenizer = _load_tokenizer(folder, model)
        return TorchSession(model, tokenizer, task, protocol, device)


class TorchSession:
    """A model in memory with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, task: Task, protocol: Protocol, device: TorchDevice) -> None:
        import torch

        self.model = model
        self.tokenizer = tokenizer
        self.model_labels = model_labels(model.config) if task.labelled else ()
        self.environment: Mapping[str, Any] = {
            "threads": torch.get_num_threads(),
            "attention": getattr(model.config, "_attn_implementation", None),
            **({"gpu": device.title()} if device.title() else {}),
        }
        self._task = task
        self._protocol = protocol
        self._device = device

    def forward(self, batch: Sequence[Encoding]) -> Any:
        import torch

        try:
            tensors = self.tokenizer.pad(list(batch), padding=True, return_tensors="pt").to(self._device.name)
            with torch.inference_mode():
                outputs = self._task.forward(self.model, tensors, self._protocol)
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
            f"{len(batch)} rows of up to {max(len(row['input_ids']) for row in batch)} tokens do not fit: {message}",
            "Use a smaller batch, a smaller model, or bfloat16.",
        )

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
    import transformers

    model, report = getattr(transformers, task.auto_class).from_pretrained(
        folder,
        dtype=getattr(torch, variant.dtype),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    _check_head(model, report["missing_keys"], task)
    return model.to(device.name).eval()


def _check_head(model: Any, missing: set[str] | Sequence[str], task: Task) -> None:
    """Refuse a checkpoint of another task: transformers would fill in random weights and carry on."""
    wanted = type(model).__name__
    architectures = model.config.architectures or []
    # Some heads fit each other's weights, so what the checkpoint says of itself counts as well as what is missing.
    other_head = all(_head(name) and _head(name) != _head(wanted) for name in architectures) and bool(architectures)
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


def _load_tokenizer(folder: Path, model: Any) -> Any:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        # Without its files transformers makes one that knows no words, and says nothing.
        raise TrialFailed("load", "The checkpoint has no tokenizer files.", "Fetch tokenizer.json with the weights.")
    tokenizer.model_max_length = longest_input(tokenizer.model_max_length, model)
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise TrialFailed("load", "The tokenizer has neither a padding token nor an end-of-text token.")
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer


def longest_input(tokenizer_limit: int, model: Any) -> int:
    """Most tokens a model can take: the least of what its tokenizer, its configuration and its position table allow."""
    limits = [tokenizer_limit] if tokenizer_limit < UNLIMITED else []
    configured = getattr(model.config, "max_position_embeddings", None)
    if isinstance(configured, int) and configured > 0:
        limits.append(configured)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "num_embeddings"):
            # RoBERTa counts positions from behind its padding index: 514 rows hold 512 tokens.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - unused)
    return min(limits, default=FALLBACK_LENGTH)


BACKEND = PyTorch()
