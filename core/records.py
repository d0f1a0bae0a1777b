"""The plain facts that travel between the rooms. Standard library only; a record does nothing.

    ModelQuery → Candidate        what was asked of a catalogue, and one answer
    DatasetSpec → EvalSet         where the rows come from, and the rows
    Plan → TrialSpec → Outcome    what to measure, one measurement, what came out
    Review, Decision              what people said, and what they signed

Every record is frozen and holds only plain values, so it can be written as JSON and hashed
(`core.codec`). Units stand in the field names or in the comment under the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Sort = Literal["downloads", "likes", "trending", "updated", "size"]
Status = Literal["queued", "running", "done", "failed", "cancelled"]
FailureKind = Literal["out_of_memory", "timeout", "load", "unsupported", "data", "crash"]
LicenseClass = Literal["permissive", "copyleft", "restricted", "non-commercial", "unknown"]
Verdict = Literal["approve", "reject", "comment"]


@dataclass(frozen=True)
class ModelQuery:
    """What a person asks of a catalogue."""

    task: str | None = None
    """Name of a task, e.g. `text-classification`."""
    text: str = ""
    """Words that the model id must contain."""
    licenses: tuple[str, ...] = ()
    """Licence tags (`mit`) or classes (`permissive`); a model needs to match one of them."""
    min_params: int | None = None
    max_params: int | None = None
    languages: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    gated: bool | None = None
    """None: both, False: only open models, True: only gated ones."""
    exclude: tuple[str, ...] = ()
    """Words or tags that a model must not carry."""
    updated_after: str | None = None
    """ISO date."""
    updated_before: str | None = None
    sort: Sort = "downloads"
    limit: int = 50


@dataclass(frozen=True)
class ReportedScore:
    """A score that the model's card claims. Never measured here."""

    metric: str
    value: float
    dataset: str = ""


@dataclass(frozen=True)
class Candidate:
    """One model of a catalogue, with the facts that decide whether it is worth a trial."""

    source: str
    """`hub`, `samples` or the catalogue folder it was found in."""
    id: str
    """`org/name` on the Hub; a path below the catalogue folder otherwise."""
    revision: str | None = None
    """Commit sha on the Hub; for a local folder the hash of its files."""
    task: str | None = None
    license: str | None = None
    license_class: LicenseClass = "unknown"
    parameters: int | None = None
    embedding_parameters: int | None = None
    """Of these, in tables of words and positions."""
    active_parameters: int | None = None
    """Of these, used for any one token, where it is a mixture of experts."""
    download_bytes: int | None = None
    """Bytes of the files a trial would fetch."""
    disk_bytes: int | None = None
    """Bytes of all its files here; None where they are not."""
    formats: tuple[str, ...] = ()
    """Weight formats: `safetensors`, `pytorch`, `onnx`, `gguf`, `tensorflow`, `flax`."""
    gated: bool = False
    remote_code: bool = False
    languages: tuple[str, ...] = ()
    library: str | None = None
    architecture: str | None = None
    """`model_type` of the configuration, e.g. `distilbert`."""
    labels: tuple[str, ...] = ()
    """The names of `id2label` in order of id; empty where unknown."""
    base_model: str | None = None
    datasets: tuple[str, ...] = ()
    """Data sets the card says it was trained on."""
    downloads: int | None = None
    likes: int | None = None
    trending: float | None = None
    updated: str | None = None
    """ISO date and time, UTC."""
    reported: tuple[ReportedScore, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    """Field name → `reported` (card) or `computed` (weights header, file list)."""
    blocked: str | None = None
    """Why Shortlist refuses to run it, naming the rule; None where nothing stands against it."""


@dataclass(frozen=True)
class Sample:
    """A seeded draw from the usable rows."""

    size: int
    seed: int = 0
    stratify: bool = True


@dataclass(frozen=True)
class DatasetSpec:
    """Where the rows come from. Exactly one of `path` and `repo` is set."""

    path: str | None = None
    repo: str | None = None
    """`org/name` of a Hub data set."""
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    """Commit sha (Hub), or sha256 of the file or of a folder's names and contents (path)."""
    reader: str | None = None
    """Name of the file reader; by the file's ending when None."""
    columns: Mapping[str, str | int | None] = field(default_factory=dict)
    """Task's word → column name, or position where the file has no header; None: none, though one might be guessed.
    Guessed where left out."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Value in the file, as text → label name."""
    sample: Sample | None = None


@dataclass(frozen=True)
class SkippedRow:
    """A row that cannot be used, and why."""

    row: int
    """Zero-based position in the file, the header not counted."""
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalSet:
    """The rows of a trial, in file order. All sequences run parallel, `len(ids)` long."""

    id: str
    """Hash of the content below; equal rows have equal ids."""
    task: str
    ids: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    """Task's word → value, e.g. `{"text": "…"}`."""
    references: tuple[Any, ...]
    """A label name, a text, or a list of texts, as the task says."""
    labels: tuple[str, ...] = ()
    """Label names of the data set, sorted; empty where the task has no labels."""
    extras: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Further columns, for slices."""
    skipped: tuple[SkippedRow, ...] = ()
    positions: tuple[int, ...] = ()
    """Zero-based position of each row in the file, as in `SkippedRow`; empty where not known."""


@dataclass(frozen=True)
class Variant:
    """How a candidate runs."""

    device: str = "cpu"
    """`cpu`, `cuda` or `mps`."""
    dtype: str = "float32"
    """`float32`, `bfloat16` or `float16`."""
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
    race: bool = False
    """Whether a trial stops as soon as it is surely worse on the headline metric than the best of the run."""
    race_tolerance: float = 0.01
    """The difference of the headline metric that does not matter: a race ends when all that are left are this close."""
    race_alpha: float = 0.05
    """How often the best may be stopped."""


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
    """While running: `fetch`, `load`, `quality`, `ready` (waits to be timed with the others), `latency`."""
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
    `quality` pass, while `screening` with a copy, at `latency_b<size>`; `peak`: the most of these without the copy."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Things a reader must know: batch size lowered, device busy, …"""
    stopped: Stopped | None = None
    """Set where a race ended the trial before the last row. Its status is `done`."""
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


@dataclass(frozen=True)
class Review:
    """One person's word on a run, a trial or a row. Append only."""

    id: str
    selection: str
    author: str
    verdict: Verdict
    text: str
    created: str
    run: str | None = None
    trial: str | None = None
    row: str | None = None


@dataclass(frozen=True)
class Decision:
    """The signed choice. Changing anything later is a new version."""

    selection: str
    version: int
    run: str
    trial: str
    author: str
    reason: str
    evidence: Mapping[str, Any]
    """The report of the run, frozen when it was signed (`analysis.report`)."""
    created: str


@dataclass(frozen=True)
class Selection:
    """One choice of model in progress: it owns shortlist, data, runs, reviews and decision."""

    id: str
    name: str
    task: str | None = None
    example: bool = False
    """True for the bundled one, which pages present as an example."""
    dataset: DatasetSpec | None = None
    evalset: str | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Candidate id → (model label → data set label), as confirmed on the Data page."""
    limits: Limits = Limits()
    created: str = ""
