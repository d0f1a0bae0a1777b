"""Energy in joules, where the machine counts it: RAPL for processors and their memory, NVML for NVIDIA's GPUs.

RAPL counts a whole socket and NVML a whole board: what else runs there is in the number. Most systems let only root
read RAPL (CVE-2020-8694); `chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj` opens it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_NVML = "libnvidia-ml.so.1"


@dataclass(frozen=True)
class Counter:
    """A count of joules that only rises, until it starts again from zero."""

    name: str
    read: Callable[[], float]
    """Joules. Raises OSError or ValueError where there is nothing to read."""
    turn: float | None = None
    """Joules at which it starts again; None: never."""

    def between(self, before: float, after: float) -> float:
        """Joules between two readings that are less than one turn apart."""
        return after - before + (self.turn if self.turn is not None and after < before else 0.0)


class EnergyMeter:
    """Joules that were spent while it ran: `start`, any number of `sample`, and so on with the next `start`."""

    def __init__(self, counters: Iterable[Counter]) -> None:
        """Measure with the counters that can be read now."""
        self._counters = [counter for counter in counters if _reading(counter) is not None]
        self._joules = 0.0
        self._last = self._readings()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the counters; empty where the machine does not tell."""
        return tuple(counter.name for counter in self._counters)

    @property
    def joules(self) -> float | None:
        """Spent so far; None where the machine does not tell."""
        return self._joules if self._counters else None

    def start(self) -> None:
        """Count from here: what was spent since the last reading was somebody else's."""
        self._last = self._readings()

    def sample(self) -> None:
        """Add what was spent since the last reading, which is less than a counter's turn ago: tens of minutes."""
        before, self._last = self._last, self._readings()
        self._joules += sum(map(Counter.between, self._counters, before, self._last))

    def _readings(self) -> list[float]:
        readings = [value for counter in self._counters if (value := _reading(counter)) is not None]
        if len(readings) < len(self._counters):
            # The sum of the others would pass for the whole.
            self._counters = []
            return []
        return readings


def counters(device: str) -> list[Counter]:
    """What can be counted for a model on this device: the processors always, and on `cuda` the GPU as well."""
    return [*rapl(), *(nvml() if device == "cuda" else [])]


def rapl(root: Path = POWERCAP) -> list[Counter]:
    """Every socket and its memory, as Linux' powercap driver lists them.

    Cores are part of their socket, and `psys` has the sockets in it: neither is counted a second time.
    """
    found = []
    for zone in sorted(root.glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            turn = _joules(zone / "max_energy_range_uj")
        except (OSError, ValueError):
            continue
        if name.startswith("package") or name == "dram":
            found.append(Counter(f"RAPL {name}", partial(_joules, zone / "energy_uj"), turn))
    return found


def _joules(file: Path) -> float:
    """What a file of microjoules holds."""
    return int(file.read_text()) / 1e6


def nvml() -> list[Counter]:
    """The GPU, where it is clear which one models run on: the only one, or the only one in CUDA_VISIBLE_DEVICES.

    The driver brings the library, so that nothing needs to be installed. Boards since Volta count their energy
    (`nvmlDeviceGetTotalEnergyConsumption`: millijoules since the driver was loaded).
    """
    try:
        library = ctypes.CDLL(_NVML)
    except OSError:
        return []
    handle = _gpu(library)
    if handle is None:
        return []

    def read() -> float:
        millijoules = ctypes.c_ulonglong()
        if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)):
            raise OSError("the GPU does not tell its energy")
        return millijoules.value / 1000

    return [Counter("NVML", read)]


def _gpu(library: ctypes.CDLL) -> ctypes.c_void_p | None:
    """NVML's handle of the one GPU; every function of the library returns 0 where it went well."""
    if library.nvmlInit_v2():
        return None
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    if visible.startswith("GPU-") and "," not in visible:
        failed = library.nvmlDeviceGetHandleByUUID(visible.encode(), ctypes.byref(handle))
    else:
        failed = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) or count.value != 1
        failed = failed or library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
    return None if failed else handle


def _reading(counter: Counter) -> float | None:
    try:
        return counter.read()
    except (OSError, ValueError):
        return None
