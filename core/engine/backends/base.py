"""What a backend is: a runtime that loads a model and runs batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from core.engine import environment
from core.records import Variant
from core.tasks.base import Context, Piece, Task


class Session(Protocol):
    """A loaded model, ready to run. Lives inside the worker process."""

    processor: Any
    """What the task turns rows into inputs with."""
    model_labels: tuple[str, ...]
    """The model's label names in order of id; empty where it has none."""
    environment: Mapping[str, Any]
    """What only the runtime knows: `threads`, `attention`, the GPU it took."""
    prepare_seconds: float
    """The part of loading that exported or compiled: an application pays it once, ahead of time."""
    device_ns: int | None
    """Of the last `forward`, what a GPU's own clock counted from the model's first command to its last: waiting for
    Python to give the next command is in it, padding and the copy to the GPU are not. None without such a clock."""

    def forward(self, batch: Sequence[Piece], context: Context, ahead: Sequence[Piece] = ()) -> Sequence[Any]:
        """Pad, move to the device, run. Returns what the task's `forward` returns; the device is synchronised.

        `ahead` is the batch that comes next, where that is known: on a GPU it is padded and copied while this one runs.

        Raises TrialFailed (kind `out_of_memory`); a smaller batch may be tried after that.
        """
        ...

    def device_bytes(self) -> int | None:
        """Device memory allocated now; None where memory is the process's own."""
        ...

    def device_peak_bytes(self) -> int | None:
        """Most device memory allocated since loading began or the reset; None where memory is the process's own."""
        ...

    def reset_device_peak(self) -> None:
        """Start the peak from what is allocated now."""
        ...


class Backend(Protocol):
    """A runtime."""

    name: str
    title: str
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    quantizations: tuple[str | None, ...]
    """What `Variant.quantization` may be; None among them where the runtime takes weights as they are."""
    packages: tuple[str, ...]
    """What it needs besides requirements.txt, as pip takes it: `onnxruntime==1.31.1`."""
    load_seconds: tuple[float, float]
    """Least and most seconds until a usual checkpoint is loaded, exported or compiled: for estimates."""

    def unsupported(self, variant: Variant) -> str | None:
        """Why this machine cannot run the variant, in a sentence; None where it can. Cheap: imports no runtime."""
        ...

    def start(self) -> None:
        """Import the runtime, so that neither its time nor its memory is charged to the model."""
        ...

    def load(self, folder: Path, task: Task, variant: Variant) -> Session:
        """Load a checkpoint from a local folder. Raises TrialFailed (kinds `load`, `unsupported`, `out_of_memory`)."""
        ...


def obstacle(backend: Backend, variant: Variant) -> str | None:
    """What every backend asks of a variant: that it knows its words, that the device and the packages are here."""
    name = backend.name
    if variant.device not in backend.devices:
        return f"The backend {name} knows no device {variant.device!r}, only {', '.join(backend.devices)}."
    if variant.dtype not in backend.dtypes:
        return f"The backend {name} knows no dtype {variant.dtype!r}, only {', '.join(backend.dtypes)}."
    if variant.quantization not in backend.quantizations:
        return _quantization_obstacle(backend, variant.quantization)
    found = environment.devices()
    if variant.device not in {one.name for one in found}:
        return f"This machine has no {variant.device} device; found {', '.join(one.title for one in found)}."
    missing = [pin for pin in backend.packages if environment.version(pin.partition("==")[0]) is None]
    return f"{backend.title} is not installed: pip install {' '.join(missing)}" if missing else None


def _quantization_obstacle(backend: Backend, quantization: str | None) -> str:
    known = ", ".join(filter(None, backend.quantizations))
    if not known:
        return f"The backend {backend.name} does not quantize; the variant asks for {quantization!r}."
    if quantization is None:
        return f"The backend {backend.name} only runs quantized: {known}."
    return f"The backend {backend.name} knows no quantization {quantization!r}, only {known}."
