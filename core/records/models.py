"""What is asked of a catalogue, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Sort = Literal["downloads", "likes", "trending", "updated", "size"]
LicenseClass = Literal["permissive", "copyleft", "restricted", "non-commercial", "unknown"]


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
