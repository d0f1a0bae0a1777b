"""What else works on the GPU: a shared board makes every time a guess, and nothing else shows it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.engine import nvml
from core.engine.environment import BUSY_PERCENT, MB, gpus

SETTLE_SECONDS = 1.0
"""The driver tells how busy the board was in the last second at most: what this program did must be older."""
MUCH_MEMORY = 0.05
"""Of the board's memory: below that a neighbour is a desktop or a program that has gone to sleep."""


@dataclass(frozen=True)
class Neighbours:
    """Other processes on the GPU. None: the driver does not tell."""

    count: int | None
    mb: int | None
    """MB of 10^6 bytes that they hold together."""
    busy_percent: float | None
    """Share of its time that the GPU worked while this program did nothing, 0 to 100."""

    def facts(self) -> dict[str, Any]:
        """For the record of a trial."""
        return {"gpu_processes": self.count, "gpu_processes_mb": self.mb, "gpu_busy_percent": self.busy_percent}

    def note(self) -> str | None:
        """A warning, in a sentence; None where there is nothing to warn of."""
        found = []
        if (self.busy_percent or 0) > BUSY_PERCENT:
            found.append(f"other work took {self.busy_percent:.0f} % of its time")
        if self.count and (self.mb or 0) > MUCH_MEMORY * _board_mb():
            processes = "another process holds" if self.count == 1 else f"{self.count} other processes hold"
            found.append(f"{processes} {self.mb:,} MB of its memory")
        return f"The GPU was shared when latency was measured: {', and '.join(found)}." if found else None


def neighbours() -> Neighbours | None:
    """Look for a second. None where there is no NVIDIA GPU to ask.

    To be called by the process that has started all of ours, while they have models on the GPU and do nothing.
    """
    board = nvml.board()
    if board is None:
        return None
    time.sleep(SETTLE_SECONDS)
    try:
        busy = board.busy_percent()
    except OSError:
        busy = None
    try:
        listed = board.processes()
    except OSError:
        listed = []
    ours = _family()
    if not any(one.pid in ours for one in listed):
        # A container numbers processes by itself: where ours are not among them, nobody can be told from us.
        return Neighbours(None, None, busy)
    others = [one for one in listed if one.pid not in ours]
    told = [one.bytes for one in others if one.bytes is not None]
    return Neighbours(len(others), sum(told) // MB if len(told) == len(others) else None, busy)


def worst(looks: Iterable[Neighbours | None]) -> Neighbours | None:
    """Of several looks, the most that was seen of each; None where there was none."""
    seen = [one for one in looks if one is not None]
    if not seen:
        return None
    columns = zip(*((one.count, one.mb, one.busy_percent) for one in seen), strict=True)
    count, mb, busy = (max((value for value in column if value is not None), default=None) for column in columns)
    return Neighbours(None if count is None else int(count), None if mb is None else int(mb), busy)


def _family() -> set[int]:
    """The present process and all that it has started: models that wait for their turn."""
    import psutil

    me = psutil.Process()
    return {me.pid, *(child.pid for child in me.children(recursive=True))}


def _board_mb() -> float:
    return min((mb for _, mb in gpus() if mb), default=0)
