"""What PyTorch's devices do differently, behind one small seam: waiting for them, and asking for their memory."""

# ruff: noqa: D102 - TorchDevice says what the methods of its kinds do

from __future__ import annotations

from typing import Any, Protocol


class TorchDevice(Protocol):
    """Where a model runs."""

    name: str
    """As `torch.device` takes it."""

    def title(self) -> str | None:
        """The name of the board; None for the CPU, which the machine's description has already."""
        ...

    def synchronize(self) -> None:
        """Return when everything that was started has ended."""
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

    def synchronize(self) -> None: ...

    def reset_peak(self) -> None: ...

    def allocated_bytes(self) -> int | None:
        return None

    def peak_bytes(self) -> int | None:
        return None

    def empty_cache(self) -> None: ...


class Cuda:
    """The current NVIDIA GPU. `cuda` is the module `torch.cuda`."""

    name = "cuda"

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda

    def title(self) -> str | None:
        return str(self._cuda.get_device_name())

    def synchronize(self) -> None:
        self._cuda.synchronize()

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

    def synchronize(self) -> None:
        self._mps.synchronize()
        self._peak = max(self._peak, int(self._mps.current_allocated_memory()))

    def reset_peak(self) -> None:
        self._peak = 0

    def allocated_bytes(self) -> int | None:
        return int(self._mps.current_allocated_memory())

    def peak_bytes(self) -> int | None:
        return max(self._peak, int(self._mps.current_allocated_memory()))

    def empty_cache(self) -> None:
        self._mps.empty_cache()


def open_device(name: str) -> TorchDevice:
    """The device of a variant. The machine has it: the backend has asked."""
    import torch

    if name == "cuda":
        return Cuda(torch.cuda)
    if name == "mps":
        return Mps(torch.mps)
    return Cpu()
