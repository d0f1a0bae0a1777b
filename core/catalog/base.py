"""What a catalogue is: a place that models come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.records import Candidate, ModelQuery

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Catalog(Protocol):
    """Where models come from."""

    name: str
    """`hub`, `samples`, or the folder's path."""
    title: str
    """In words: "the Hub", "the bundled samples"."""

    def search(self, query: ModelQuery) -> list[Candidate]:
        """Models that answer the query, in its order, at most `query.limit`. Raises HubUnavailable."""
        ...

    def describe(self, id: str, revision: str | None = None) -> Candidate:
        """All facts of one model, its revision pinned. Raises ModelNotFound, GatedModel, HubUnavailable."""
        ...

    def fetch(self, candidate: Candidate, on_progress: Progress | None = None) -> Path:
        """A local folder with the files a trial needs, at the pinned revision.

        Raises RefusedModel, GatedModel, ModelNotFound, HubUnavailable, DiskFull.
        """
        ...
