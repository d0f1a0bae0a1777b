"""What a worker says while it measures, and how that travels: one JSON document per event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import codec
from core.records import Failure, LatencySeries, ServerSeries


@dataclass(frozen=True)
class Stage:
    """A new part of the trial begins: `load`, `quality` or `latency`; `ready` when a worker has predicted what it was
    told to, and waits.
    """

    name: str


@dataclass(frozen=True)
class Loaded:
    """The model is in memory and has answered once."""

    seconds: float
    """Reading the checkpoint; the first call not included."""
    model_mb: float
    """Memory over the baseline, MB of 10^6 bytes."""
    first_call_ns: int = 0
    """Nanoseconds of that first request."""


@dataclass(frozen=True)
class Rows:
    """Some rows of the quality pass, finished. Sequences run parallel."""

    positions: tuple[int, ...]
    """Indices into the EvalSet."""
    predictions: tuple[Any, ...]
    seconds: float
    units: float


@dataclass(frozen=True)
class Writing:
    """How the tokens of a request came, where it writes."""

    first_token_ns: int
    """From the start of the request, preprocessing included, until its first token was there."""
    decode_ns: int
    """From a batch's first token to its last, of all batches of the request: nearly always it is one."""
    steps: int
    """Tokens after the first in that time, one of each row of the batch counted once. A batch goes on until its longest
    row has ended."""
    tokens: tuple[int, ...]
    """Written for each row, the one that ends it included."""


@dataclass(frozen=True)
class Timed:
    """One timed request, nanoseconds."""

    preprocess_ns: int
    forward_ns: int
    postprocess_ns: int
    device_ns: int | None = None
    """As `Call.device`."""
    writing: Writing | None = None


@dataclass(frozen=True)
class Untimed:
    """A request that did not fit in memory; the worker goes on."""

    failure: Failure


@dataclass(frozen=True)
class Served:
    """One rate of the server scenario."""

    series: ServerSeries


@dataclass(frozen=True)
class Latency:
    """The raw times of one batch size."""

    series: LatencySeries


@dataclass(frozen=True)
class Memory:
    """As `Outcome.memory_mb`."""

    mb: Mapping[str, float]


@dataclass(frozen=True)
class Note:
    """Something a reader of the results must know."""

    text: str


@dataclass(frozen=True)
class Done:
    """The trial has ended well; nothing follows."""

    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The trial has no result; nothing follows."""

    failure: Failure


Event = Stage | Loaded | Rows | Timed | Untimed | Served | Latency | Memory | Note | Done | Failed

_KINDS: Mapping[str, type[Event]] = {
    kind.__name__.lower(): kind
    for kind in (Stage, Loaded, Rows, Timed, Untimed, Served, Latency, Memory, Note, Done, Failed)
}


def to_json(event: Event) -> bytes:
    """The event as one line of JSON, without the line end. Raises ValueError for a NaN, which JSON cannot say."""
    document = {"event": type(event).__name__.lower(), **codec.encode(event)}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def from_json(data: bytes) -> Event:
    """The event that `to_json` wrote. Raises ValueError for anything else."""
    document = json.loads(data)
    kind = _KINDS.get(document.pop("event", "")) if isinstance(document, dict) else None
    if kind is None:
        raise ValueError(f"not an event of a worker: {data[:80]!r}")
    return codec.decode(kind, document)
