"""What to measure, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.records.rows import DatasetSpec


@dataclass(frozen=True)
class Variant:
    """How a candidate runs."""

    device: str = "cpu"
    """`cpu`, `cuda` or `mps`."""
    dtype: str = "float32"
    """`float32`, `bfloat16` or `float16`; on `cuda` also `tf32`: float32 that is multiplied at ten bits of mantissa."""
    backend: str = "torch"
    quantization: str | None = None
    threads: int | None = None
    """Intra-op threads; None: as many as the process may use."""


@dataclass(frozen=True)
class Protocol:
    """How the numbers are taken. Part of a trial's identity."""

    batch_size: int | None = None
    """Most rows in one batch of the quality pass; None: as many as its tokens allow."""
    batch_tokens: int | None = None
    """Most tokens, padding included, in one batch of the quality pass; None: what the device does best with. Speed
    depends on it, results do not."""
    latency_batch_sizes: tuple[int, ...] = (1, 8)
    min_calls: int = 100
    min_seconds: float = 2.0
    max_seconds: float = 30.0
    """Latency of one batch size stops here even if `min_calls` was not reached."""
    warmup: int = 10
    max_new_tokens: int = 64
    num_beams: int = 1
    timeout_seconds: float = 3600.0
    memory_mb: int | None = None
    """Limit on the worker's resident memory; None: most of what the machine has free."""
    screen: bool = True
    """Whether a copy at low precision may answer rows that cannot come out otherwise at float32."""
    compile: bool = True
    """Whether layers may be compiled in the quality pass, where the rows left pay for it."""
    race: bool = False
    """Whether a trial stops as soon as it is surely worse on the headline metric than the best of the run."""
    race_tolerance: float = 0.01
    """The difference of the headline metric that does not matter: a race ends when all that are left are this close."""
    race_alpha: float = 0.05
    """How often the best may be stopped."""
    server_p99_ms: float | None = None
    """The server scenario (`engine.serving`): the bound on the 99th percentile of its latencies; None: not measured."""
    server_max_batch: int = 8
    """Most requests that it answers together."""


@dataclass(frozen=True)
class PlanCandidate:
    """A line of the plan file under `candidates:`."""

    model: str
    """`org/name` on the Hub, or a path to a local checkpoint."""
    source: str | None = None
    """Catalogue it comes from: `hub`, `samples` or a folder. None: a local path if there is one, else the Hub."""
    revision: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """Model label → data set label name."""
    variants: tuple[Variant, ...] | None = None
    """Where it differs from the plan's variants."""


@dataclass(frozen=True)
class Limits:
    """What a winner must satisfy. None or empty: not limited."""

    latency_p95_ms: float | None = None
    """At the smallest measured batch size."""
    memory_mb: float | None = None
    params: int | None = None
    download_mb: float | None = None
    licenses: tuple[str, ...] = ()
    """Licence tags or classes."""
    min_metrics: Mapping[str, float] = field(default_factory=dict)
    """Metric name → least value, written `min_f1: 0.8` in the plan."""


@dataclass(frozen=True)
class Plan:
    """The plan file as a record: what to measure, on which rows, how, and what counts as good enough."""

    task: str
    dataset: DatasetSpec
    candidates: tuple[PlanCandidate, ...]
    variants: tuple[Variant, ...] = (Variant(),)
    metrics: tuple[str, ...] = ()
    """The task's defaults when empty; the first is the headline."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Flat metric options, e.g. `{"f1_average": "macro"}`."""
    protocol: Protocol = Protocol()
    limits: Limits = Limits()


@dataclass(frozen=True)
class TrialSpec:
    """One measurement, named completely: its hash (`core.codec.identity`) is the trial's id."""

    source: str
    model: str
    revision: str
    task: str
    evalset: str
    """`EvalSet.id`."""
    variant: Variant
    metrics: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Model label → data set label name, complete."""
    protocol: Protocol = Protocol()
    hardware: str = ""
    """Fingerprint of the machine (`engine.environment`): numbers of two machines are two trials."""
    repeat: int = 0
    """Raised by `--fresh`, so that a repeat never overwrites what it repeats."""
    race: str = ""
    """Names the trials that it races with: where it stopped says nothing beside others. Empty where it does not."""
