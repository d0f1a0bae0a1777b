"""What a benchmark has measured, as JSON: with date, machine, versions, and the command that measures it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.engine import environment

CPU_INFO = Path("/proc/cpuinfo")
EXTENSIONS = ("avx2", "avx512f", "amx_bf16", "amx_int8")
"""Instruction sets that decide how fast a precision is."""
HIDDEN = {"--json"}
PATHS = {"--data": "FILE", "--models": "FOLDER"}
"""Options whose values are places of one machine, and what stands for them."""


def document(bench: str, arguments: Sequence[str] | None, load: float | None, **found: Any) -> str:
    """One JSON document.

    Args:
        bench: Name of the module, without `bench.`.
        arguments: Of its command line; the process's own when None.
        load: Load average before it began.
        found: What it has measured.
    """
    described = {
        "bench": bench,
        "command": " ".join(["python -m", f"bench.{bench}", *shown(sys.argv[1:] if arguments is None else arguments)]),
        "date": datetime.now(UTC).date().isoformat(),
        "load": [load, environment.load_average()],
        "environment": {**environment.describe(), "extensions": extensions()},
    }
    return json.dumps({**described, **found}, indent=1)


def shown(arguments: Sequence[str]) -> list[str]:
    """A command line without what only says how to print, and without the places of one machine."""
    words: list[str] = []
    for word in arguments:
        place = PATHS.get(words[-1]) if words else None
        if word not in HIDDEN:
            words.append(place or word)
    return words


def extensions() -> list[str]:
    """Of `EXTENSIONS`, those that the processor has; empty where the system does not say."""
    if not CPU_INFO.exists():
        return []
    flags = next((line for line in CPU_INFO.read_text().splitlines() if line.startswith("flags")), "").split()
    return [name for name in EXTENSIONS if name in flags]
