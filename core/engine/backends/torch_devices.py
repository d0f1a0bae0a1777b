"""What PyTorch's devices do differently, behind one small seam: waiting for them, their clocks and their memory."""

# ruff: noqa: D102 - TorchDevice says what the methods of its kinds do

from __future__ import annotations

from typing import Any, Protocol

from core.engine.backends.torch_ahead import Ahead
from core.errors import TrialFailed


class TorchDevice(Protocol):
    """Where a model runs."""

    name: str
    """As `torch.device` takes it."""

    def title(self) -> str | None:
        """The name of the board; None for the CPU, which the machine's description has already."""
        ...

    def use(self, dtype: str) -> None:
        """Multiply float32 exactly, or for the dtype `tf32` in that format. Raises TrialFailed where it cannot."""
        ...

    def ahead(self) -> Ahead | None:
        """What prepares a batch while another one runs; None where the processor would do both."""
        ...

    def synchronize(self) -> None:
        """Return when everything that was started has ended."""
        ...

    def mark(self) -> Any:
        """A point among the commands that the device is given; None where it keeps no clock."""
        ...

    def nanoseconds(self, began: Any, ended: Any) -> int | None:
        """Between two points, by the device's own clock, once both have been reached (`synchronize`)."""
        ...

    def reset_peak(self) -> None: ...

    def allocated_bytes(self) -> int | None:
        """Memory of the device in use; None where it is the process's own."""
        ...

    def peak_bytes(self) -> int | None:
        """Most of it since the reset."""
        ...

    def empty_cache(self) -> None:
        """Give back what is kept for reuse."""
        ...


class Cpu:
    """The processor: nothing to wait for, and its memory is the process's."""

    name = "cpu"

    def title(self) -> str | None:
        return None

    def use(self, dtype: str) -> None: ...

    def ahead(self) -> Ahead | None:
        return None

    def synchronize(self) -> None: ...

    def mark(self) -> Any:
        return None

    def nanoseconds(self, began: Any, ended: Any) -> int | None:
        return None

    def reset_peak(self) -> None: ...

    def allocated_bytes(self) -> int | None:
        return None

    def peak_bytes(self) -> int | None:
        return None

    def empty_cache(self) -> None: ...


class Cuda:
    """The current NVIDIA GPU. `cuda` and `backends` are the modules `torch.cuda` and `torch.backends`."""

    name = "cuda"

    def __init__(self, cuda: Any, backends: Any = None) -> None:
        self._cuda, self._backends = cuda, backends

    def title(self) -> str | None:
        return str(self._cuda.get_device_name())

    def use(self, dtype: str) -> None:
        if dtype == "tf32" and not self._cuda.is_tf32_supported():
            raise TrialFailed(
                "unsupported",
                f"The {self.title()} has no units for tf32.",
                "NVIDIA's boards have them since Ampere; float16 is fast on older ones.",
            )
        precision = "tf32" if dtype == "tf32" else "ieee"
        # Left alone, torch convolves float32 at tf32: models on pictures and sound would not be what the plan says.
        for kind in (self._backends.cuda.matmul, self._backends.cudnn.conv, self._backends.cudnn.rnn):
            kind.fp32_precision = precision

    def ahead(self) -> Ahead | None:
        return Ahead(self._cuda)

    def synchronize(self) -> None:
        self._cuda.synchronize()

    def mark(self) -> Any:
        return _recorded(self._cuda)

    def nanoseconds(self, began: Any, ended: Any) -> int | None:
        return _between(began, ended)

    def reset_peak(self) -> None:
        self._cuda.reset_peak_memory_stats()

    def allocated_bytes(self) -> int | None:
        return int(self._cuda.memory_allocated())

    def peak_bytes(self) -> int | None:
        return int(self._cuda.max_memory_allocated())

    def empty_cache(self) -> None:
        self._cuda.empty_cache()


class Mps:
    """An Apple GPU. `mps` is the module `torch.mps`, which keeps no peak: it is sampled at each synchronisation."""

    name = "mps"

    def __init__(self, mps: Any) -> None:
        self._mps = mps
        self._peak = 0

    def title(self) -> str | None:
        return "Apple GPU"

    def use(self, dtype: str) -> None: ...

    def ahead(self) -> Ahead | None:
        # It shares the processor's memory: there is little to copy, and no pinned memory to copy it from.
        return None

    def synchronize(self) -> None:
        self._mps.synchronize()
        self._peak = max(self._peak, int(self._mps.current_allocated_memory()))

    def mark(self) -> Any:
        return _recorded(self._mps)

    def nanoseconds(self, began: Any, ended: Any) -> int | None:
        return _between(began, ended)

    def reset_peak(self) -> None:
        self._peak = 0

    def allocated_bytes(self) -> int | None:
        return int(self._mps.current_allocated_memory())

    def peak_bytes(self) -> int | None:
        return max(self._peak, int(self._mps.current_allocated_memory()))

    def empty_cache(self) -> None:
        self._mps.empty_cache()


def _recorded(module: Any) -> Any:
    """An event among the commands of the current stream."""
    event = module.Event(enable_timing=True)
    event.record()
    return event


def _between(began: Any, ended: Any) -> int:
    """`elapsed_time` gives milliseconds, to half a microsecond or so."""
    milliseconds: float = began.elapsed_time(ended)
    return round(milliseconds * 1e6)


def open_device(name: str) -> TorchDevice:
    """The device of a variant. The machine has it: the backend has asked."""
    import torch

    if name == "cuda":
        return Cuda(torch.cuda, torch.backends)
    if name == "mps":
        return Mps(torch.mps)
    return Cpu()
