"""Energy in joules, where the machine counts it: RAPL for processors and their memory, NVML for NVIDIA's GPUs.

RAPL counts a whole socket and NVML a whole board: what else runs there is in the number. Most systems let only root
read RAPL (CVE-2020-8694); `chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj` opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.engine import nvml

POWERCAP = Path("/sys/class/powercap")


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
    return [*rapl(), *(gpu() if device == "cuda" else [])]


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


def gpu() -> list[Counter]:
    """The GPU that models run on, where it is clear which one that is (`nvml.board`)."""
    board = nvml.board()
    return [] if board is None else [Counter("NVML", board.joules)]


def _reading(counter: Counter) -> float | None:
    try:
        return counter.read()
    except (OSError, ValueError):
        return None
