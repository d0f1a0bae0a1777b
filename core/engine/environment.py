"""What this machine is: named in every result, and part of a trial's identity. Imports no runtime."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

MB = 1_000_000
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")
BUSY_PERCENT = 20.0
"""Above this, timings are not to be trusted without a look at their spread."""
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Device:
    """Something a model can run on."""

    name: str
    """As a variant says it: `cpu`, `cuda`, `mps`."""
    title: str
    memory_mb: int | None = None
    """Memory of its own, MB of 10^6 bytes; of the machine for `cpu`."""


@cache
def devices() -> tuple[Device, ...]:
    """What models can run on here, the CPU first. Found without loading a runtime."""
    found = [Device("cpu", cpu_name(), ram_mb())]
    found += [Device("cuda", name, memory) for name, memory in gpus()]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append(Device("mps", f"{cpu_name()} GPU", ram_mb()))
    return tuple(found)


@cache
def gpus() -> tuple[tuple[str, int], ...]:
    """Name and MB of each NVIDIA GPU, as the driver's tool reports them; empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(answer)


def parse_gpus(answer: str) -> tuple[tuple[str, int], ...]:
    """Lines `name, MiB` of nvidia-smi as (name, MB). A board that does not tell its memory counts 0."""
    found = []
    for line in answer.splitlines():
        name, _, memory = line.rpartition(",")
        if name:
            mib = memory.strip()
            found.append((name.strip(), int(mib) * 2**20 // MB if mib.isdecimal() else 0))
    return tuple(found)


@cache
def cpu_name() -> str:
    """The processor as its maker calls it."""
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    if platform.system() == "Darwin":
        query = ["sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            return subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine()


@cache
def cores() -> int:
    """Processor cores that this process may use: its affinity, and the quota of its container."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text().split()
    except (OSError, ValueError):
        return available
    return available if quota == "max" else max(1, min(available, round(int(quota) / int(period))))


@cache
def ram_mb() -> int:
    """Physical memory of the machine, MB of 10^6 bytes."""
    if hasattr(os, "sysconf"):  # bench.gpu runs without psutil
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MB
    import psutil

    return int(psutil.virtual_memory().total) // MB


def memory() -> dict[str, int | None]:
    """Device → its memory in MB, as `catalog.fit.fits` asks for it; a device that is not there is not named."""
    return {device.name: device.memory_mb for device in reversed(devices())}


def load_average() -> float | None:
    """Processes that wanted a core in the last minute; None where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def busy_percent(seconds: float = 0.25) -> float:
    """Share of the processor that is in use while this process does nothing, 0 to 100."""
    import psutil

    return float(psutil.cpu_percent(interval=seconds))


def busy_note(percent: float) -> str | None:
    """A warning where other work took that share of the processor (`busy_percent`), in a sentence; None below 20 %."""
    if percent <= BUSY_PERCENT:
        return None
    return f"The machine was busy when latency was measured: other work took {percent:.0f} % of the processor."


def describe() -> dict[str, Any]:
    """The machine and the versions, as plain values: `cpu`, `cores`, `ram_mb`, `gpu`, `platform`, `load`, packages."""
    names = [name for name, _ in gpus()]
    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "ram_mb": ram_mb(),
        "gpu": ", ".join(names) or None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load": load_average(),
        **{package: version(package) for package in PACKAGES},
    }


def fingerprint(device: str) -> str:
    """Names the hardware behind a device, e.g. `Xeon, 2 cores, 26 GB`: equal machines have equal fingerprints."""
    host = f"{cpu_name()}, {cores()} cores, {round(ram_mb() / 1000)} GB"
    names = [one.title for one in devices() if one.name == device and device != "cpu"]
    return f"{host}, {names[0]}" if names else host


def version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
