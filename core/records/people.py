"""What people said, signed, and are choosing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.records.plans import Limits
from core.records.rows import DatasetSpec

Verdict = Literal["approve", "reject", "comment"]


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
    limits: Limits = field(default_factory=Limits)
    created: str = ""
