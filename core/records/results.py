"""What came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.records.models import Candidate
from core.records.plans import Plan, TrialSpec
from core.records.rows import EvalSet

Status = Literal["queued", "running", "done", "failed", "cancelled"]
FailureKind = Literal["out_of_memory", "timeout", "load", "unsupported", "data", "crash"]


@dataclass(frozen=True)
class Failure:
    """Why a trial has no result."""

    kind: FailureKind
    message: str
    """What was wrong, in a sentence."""
    hint: str = ""
    """What to do."""
    log_tail: str = ""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a trial, as they were committed."""

    positions: tuple[int, ...]
    """Indices into the EvalSet."""
    predictions: tuple[Any, ...]
    """As the task's `postprocess` gives them; plain JSON values."""
    statistics: Mapping[str, Any]
    """Metric name → array (len(positions), k) of per-row sufficient statistics."""
    seconds: float
    """Wall time of the forward passes of these rows."""
    units: float
    """Tokens (or what the task counts) processed, padding not counted."""


@dataclass(frozen=True)
class FixedLengthSeries:
    """Calls in which each row was given as many tokens as the plan allows, no fewer and no more. Raw, in call order."""

    total_ns: tuple[int, ...]
    """Of each whole call, nanoseconds."""
    tokens: tuple[int, ...]
    """Written in each call, of all rows together: less where a model has no room for so many."""
    requests: tuple[int, ...]
    """As `LatencySeries.requests`, counted by themselves."""


@dataclass(frozen=True)
class LatencySeries:
    """Raw times of one batch size, in call order, nanoseconds."""

    batch_size: int
    preprocess_ns: tuple[int, ...]
    forward_ns: tuple[int, ...]
    postprocess_ns: tuple[int, ...]
    first_call_ns: int
    """The first call of all after loading, for the record; not part of the series."""
    warmup_calls: int
    requests: tuple[int, ...] = ()
    """Which request of the session each call was: calls of two series of one session with equal numbers had the same
    rows at the same time. Empty where every trial was timed by itself."""
    session: str = ""
    """The joint measurement that the series belongs to; only series of one session are compared call by call."""
    again_ns: tuple[int, ...] = ()
    """The same requests a second time (A/A), the whole of each; parallel to the calls, empty for all trials but one."""
    device_ns: tuple[int, ...] = ()
    """Of each call's forward pass, what the GPU's own clock counted from the model's first command to its last; empty
    where there is no such clock. Forward times end when the GPU has been waited for, and are what a user waits."""
    first_token_ns: tuple[int, ...] = ()
    """From the start of each call, preprocessing included, to its first token. Empty, like the next three, where no
    token is written."""
    decode_ns: tuple[int, ...] = ()
    """From the first token of each call to its last."""
    decode_steps: tuple[int, ...] = ()
    """Tokens after the first in that time; rows of a batch get theirs together, so each step counts once."""
    tokens: tuple[int, ...] = ()
    """Written for each row: `batch_size` numbers for each call, one call after the other."""
    fixed_length: FixedLengthSeries | None = None
    """What the same trial took for equal work; of the same session."""


@dataclass(frozen=True)
class ServerSeries:
    """One rate of the server scenario: requests that arrived by chance (a Poisson process), raw times in that order."""

    rate: float
    """Requests per second that were due, on average."""
    requests: int
    """So many were to be answered. There are fewer times where it was ended early: too many were late already."""
    latency_ns: tuple[int, ...]
    """Of each request from the moment it was due to its answer, nanoseconds: waiting for earlier ones is in it."""
    batch_sizes: tuple[int, ...]
    """Requests of each batch that ran."""
    session: str = ""
    """The joint measurement that it belongs to."""


@dataclass(frozen=True)
class Stopped:
    """Where a trial left the race: it was surely worse than another.

    Differences are its headline score less that of the leader, over the rows that both had answered.
    """

    rows: int
    leader: str
    """Id of the trial that led."""
    difference: float
    low: float
    """The interval holds at any row, and of all trials in the race together."""
    high: float


@dataclass(frozen=True)
class Outcome:
    """What came out of one trial, finished or not. Embeds its spec."""

    trial: str
    spec: TrialSpec
    status: Status
    stage: str = ""
    """While running: `fetch`, `load`, `quality`, `ready` (waits to be timed with the others), `latency`, `server`."""
    rows_done: int = 0
    rows_total: int = 0
    candidate: Candidate | None = None
    """The model's facts when the trial was planned."""
    failure: Failure | None = None
    chunks: tuple[Chunk, ...] = ()
    latency: tuple[LatencySeries, ...] = ()
    load_seconds: float | None = None
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    """MB of 10^6 bytes over the process's baseline: `model` after loading; most at once while it was `load`ed, in the
    `quality` pass, while `screening` with a copy, after `compiling` its layers, at `latency_b<size>`, as a `server`;
    `peak`: the most of these without the copy and the compiler."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Things a reader must know: batch size lowered, device busy, …"""
    stopped: Stopped | None = None
    """Set where a race ended the trial before the last row. Its status is `done`."""
    server: tuple[ServerSeries, ...] = ()
    """The rates of the server scenario, in the order they were tried."""
    started: str | None = None
    finished: str | None = None


@dataclass(frozen=True)
class RunResult:
    """A run with everything known of it so far."""

    id: str
    plan: Plan
    """Pinned: revisions, columns and labels complete."""
    plan_hash: str
    evalset: EvalSet
    outcomes: tuple[Outcome, ...]
    """In plan order: candidates first, variants within."""
    selection: str | None = None
    wish: Literal["run", "pause", "cancel"] = "run"
    created: str = ""

    @property
    def status(self) -> Literal["queued", "running", "paused", "done", "cancelled"]:
        """`done` once no trial is left to run, whether or not some failed."""
        states = {outcome.status for outcome in self.outcomes}
        if not states & {"queued", "running"}:
            return "cancelled" if states == {"cancelled"} else "done"
        if self.wish == "pause":
            return "paused"
        return "running" if "running" in states or "done" in states else "queued"
