"""Where rows come from, and the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
