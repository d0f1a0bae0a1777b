"""NVIDIA's driver asked about a GPU (NVML): the energy it has spent, how busy it is, and who else works on it.

The driver brings the library, so that nothing needs to be installed. Functions and structures are those of `nvml.h`.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_LIBRARY = "libnvidia-ml.so.1"
_TOO_SHORT = 7
"""NVML_ERROR_INSUFFICIENT_SIZE: there are more processes than were asked for."""
ATTEMPTS, MORE = 4, 8
"""The list is asked for again with room for all that there were, and for some that began meanwhile."""
_NOT_TOLD = 2**64 - 1
"""Where the system keeps a process's memory to itself: Windows, some containers."""


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


@dataclass(frozen=True)
class Process:
    """A process with a context on the GPU."""

    pid: int
    """As the machine numbers it: inside a container the same process may have another."""
    bytes: int | None
    """Of the GPU's memory; None where the system does not tell."""


class Board:
    """One GPU. Methods raise OSError where it does not tell."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        """Wrap NVML's handle; `board` finds it."""
        self._library, self._handle = library, handle

    def joules(self) -> float:
        """Spent since the driver was loaded. Boards since Volta count it."""
        millijoules = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.byref(millijoules))
        return millijoules.value / 1000

    def busy_percent(self) -> float:
        """Share of the last second or less in which something ran on it, 0 to 100."""
        shares = _Utilization()
        self._ask("nvmlDeviceGetUtilizationRates", ctypes.byref(shares))
        return float(shares.gpu)

    def processes(self) -> list[Process]:
        """Those that compute on it, this one included where it does."""
        count = ctypes.c_uint()
        for _ in range(ATTEMPTS):
            found = (_Process * count.value)()
            failed = self._call("nvmlDeviceGetComputeRunningProcesses_v3", ctypes.byref(count), found)
            if failed != _TOO_SHORT:
                break
            count.value += MORE
        if failed:
            raise OSError(f"NVML does not list processes (error {failed})")
        listed = found[: count.value]
        return [Process(one.pid, None if one.bytes == _NOT_TOLD else int(one.bytes)) for one in listed]

    def _ask(self, function: str, answer: object) -> None:
        failed = self._call(function, answer)
        if failed:
            raise OSError(f"{function}: error {failed}")

    def _call(self, function: str, *arguments: object) -> int:
        try:
            return int(getattr(self._library, function)(self._handle, *arguments))
        except AttributeError:
            raise OSError(f"the driver is too old for {function}") from None


def board() -> Board | None:
    """The GPU, where it is clear which one models run on: the only one, or the only one in CUDA_VISIBLE_DEVICES."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    # Every function of the library returns 0 where it went well.
    if library.nvmlInit_v2():
        return None
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    if visible.startswith("GPU-") and "," not in visible:
        failed = library.nvmlDeviceGetHandleByUUID(visible.encode(), ctypes.byref(handle))
    else:
        failed = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) or count.value != 1
        failed = failed or library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
    return None if failed else Board(library, handle)
