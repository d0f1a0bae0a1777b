"""Predictions made elsewhere, in a file, as candidates beside models: there is nothing to fetch and nothing to run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.catalog.base import Progress
from core.errors import ModelNotFound
from core.records import Candidate, ModelQuery, Variant

SOURCE = "predictions"
"""Source of such candidates; their id is the path of the file."""
VARIANT = Variant(device="", dtype="", backend="predictions")
"""How they run: not at all, so they are one trial whatever the variants of the plan."""


class StoredPredictions:
    """Files of predictions, each by its path."""

    name = SOURCE
    title = "predictions made elsewhere"

    def search(self, query: ModelQuery) -> list[Candidate]:
        """None: nobody lists them, they are named."""
        return []

    def describe(self, id: str, revision: str | None = None) -> Candidate:
        """The file and the hash of its content. It has no parameters, no licence and no labels of its own.

        Raises:
            ModelNotFound: There is no such file, it cannot be read, or it has changed since `revision`.
        """
        try:
            with Path(id).open("rb") as file:
                current = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelNotFound(
                f"The predictions {id!r} cannot be read: {error.strerror}.", "Check the path of the file."
            ) from None
        if revision not in (None, current):
            raise ModelNotFound(
                f"The predictions {id!r} have changed: their sha256 is {current[:12]}…, not {str(revision)[:12]}….",
                "Leave `revision` out to use the file as it is, or bring the old one back.",
            )
        return Candidate(source=SOURCE, id=id, revision=current, origins={"revision": "computed"})

    def fetch(self, candidate: Candidate, on_progress: Progress | None = None) -> Path:
        """The file, used where it lies. Raises ModelNotFound."""
        return Path(self.describe(candidate.id, candidate.revision).id)
