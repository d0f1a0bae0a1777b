"""What a backend is: a runtime that loads a model and runs batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

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

    def forward(self, batch: Sequence[Piece], context: Context) -> Sequence[Any]:
        """Pad, move to the device, run. Returns what the task's `forward` returns; the device is synchronised.

        Raises TrialFailed (kind `out_of_memory`); a smaller batch may be tried after that.
        """
        ...

    def device_bytes(self) -> int | None:
        """Device memory allocated now; None where memory is the process's own."""
        ...

    def device_peak_bytes(self) -> int | None:
        """Most device memory allocated since loading began; None where memory is the process's own."""
        ...


class Backend(Protocol):
    """A runtime."""

    name: str
    title: str
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]

    def unsupported(self, variant: Variant) -> str | None:
        """Why this machine cannot run the variant, in a sentence; None where it can. Cheap: imports no runtime."""
        ...

    def start(self) -> None:
        """Import the runtime, so that neither its time nor its memory is charged to the model."""
        ...

    def load(self, folder: Path, task: Task, variant: Variant) -> Session:
        """Load a checkpoint from a local folder. Raises TrialFailed (kinds `load`, `unsupported`, `out_of_memory`)."""
        ...
