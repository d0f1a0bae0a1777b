"""How much memory a model takes: the process's own, over what it held before, or the device's."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

from core.engine.backends.base import Session

MB = 1_000_000
LOAD, QUALITY, SCREENING, LATENCY, SERVER = "load", "quality", "screening", "latency_b{}", "server"
"""Phases: reading the model and its first call, the quality pass, that pass with a copy at low precision beside the
model, requests of so many rows, and the server scenario."""
COMPILING = "compiling"
"""The quality pass from when its layers are compiled on, kept or not: a compiler leaves the heap in pieces."""
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class MemoryMeter:
    """Measures from the moment it is made.

    A worker shares some hundred MB of libraries with its fork server: only what comes on top is the model's. On a GPU
    the runtime's own counters are taken instead, because that is the memory that runs out.
    """

    def __init__(self) -> None:
        _return_freed()
        self._baseline = resident_bytes()
        self._before_copy = self._baseline
        self._peaks: dict[str, float] = {}
        self._phase = LOAD
        _reset_peak()

    @property
    def phase(self) -> str:
        """What is charged now."""
        return self._phase

    def begin(self, phase: str, session: Session) -> None:
        """Charge what comes now to another phase; again to an earlier one, or on with the present one, as it may be.

        Where the system cannot reset a peak, a phase has those before it, too.

        What screening leaves behind is not charged to what comes after it: kernels that were compiled for every shape
        at low precision, which oneDNN keeps (measured: 1.4 MB a shape). The model would not have them by itself.
        """
        if phase == self._phase:
            return
        self._close(session)
        left, self._phase = self._phase, phase
        _return_freed()
        if phase == SCREENING:
            self._before_copy = resident_bytes()
        elif left == SCREENING:
            self._baseline += max(0, resident_bytes() - self._before_copy)
        _reset_peak()
        session.reset_device_peak()

    def peaks_mb(self, session: Session) -> dict[str, float]:
        """Phase → most MB held at once, over the baseline; on a GPU the most allocated there.

        `peak` is the most of all of them but `screening` and `compiling`: what the model takes by itself.
        """
        self._close(session)
        alone = [mb for phase, mb in self._peaks.items() if phase not in (SCREENING, COMPILING)]
        return {"peak": max(alone), **self._peaks}

    @contextlib.contextmanager
    def apart(self, phase: str, session: Session) -> Iterator[None]:
        """Begin a phase. What is held at the end of this and was not at its beginning, or the other way round, is
        nobody's: the libraries of a compiler, which stay.
        """
        _return_freed()
        before = resident_bytes()
        self.begin(phase, session)
        try:
            yield
        finally:
            self._close(session)
            _return_freed()
            self._baseline += resident_bytes() - before

    def _close(self, session: Session) -> None:
        self._peaks[self._phase] = max(self._peaks.get(self._phase, 0.0), self.peak_mb(session))

    def held_mb(self, session: Session) -> float:
        """MB held now, over the baseline; on a GPU what is allocated there."""
        device = session.device_bytes()
        return round((resident_bytes() - self._baseline if device is None else device) / MB, 1)

    def peak_mb(self, session: Session) -> float:
        """Most MB held at once, over the baseline; on a GPU the most allocated there since loading began."""
        device = session.device_peak_bytes()
        return round((peak_resident_bytes() - self._baseline if device is None else device) / MB, 1)


def resident_bytes() -> int:
    """Physical memory of this process, now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Most physical memory this process had: since the last reset on Linux, in its whole life elsewhere."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kilobytes on the other Unix systems.
    return peak if sys.platform == "darwin" else peak * 1024


def _return_freed() -> None:
    """Give the system what is freed already: glibc keeps it, and it would look like memory of the next phase."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such function, and keeps less
            ctypes.CDLL(None).malloc_trim(0)


def _reset_peak() -> None:
    """Start the peak from here. Linux only, and not in every container: without it the peak is the whole life's."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")
