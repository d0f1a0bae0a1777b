"""Checkpoints on this machine: your own fine-tunes, and the bundled samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core.catalog import checkpoint
from core.catalog.base import Progress
from core.catalog.license import classify
from core.catalog.query import matches, ordered
from core.errors import GatedModel, ModelNotFound, RefusedModel, UserError
from core.records import Candidate, ModelQuery

MAX_DEPTH = 3
"""Levels below the root that are looked through for checkpoints."""


class FolderCatalog:
    """Every checkpoint below a folder: each folder with a config.json, named by its path below the root."""

    def __init__(self, root: Path, name: str | None = None, title: str | None = None, token: str | None = None) -> None:
        """Look at `root`.

        Args:
            root: Folder of checkpoints.
            name: What candidates carry as their source; the folder's path by default.
            title: The catalogue in words.
            token: Hub token; any token opens checkpoints whose card asks for terms to be accepted.

        Raises:
            UserError: There is no such folder.
        """
        self.root = root.expanduser().absolute()
        if not self.root.is_dir():
            raise UserError(f"There is no folder {str(root)!r}.", "Give a folder that holds checkpoints.")
        self.name = name or str(self.root)
        self.title = title or f"the folder {self.root}"
        self._token = token

    def search(self, query: ModelQuery) -> list[Candidate]:
        """Checkpoints that answer the query, in its order, at most `query.limit`; their revisions are left open."""
        found = (self._candidate(path) for path in _checkpoints(self.root, MAX_DEPTH))
        return ordered((candidate for candidate in found if matches(candidate, query)), query)[: query.limit]

    def describe(self, id: str, revision: str | None = None) -> Candidate:
        """All facts of one checkpoint; its revision is the hash of its files.

        Raises:
            ModelNotFound: No such checkpoint, or its files have changed since `revision`.
            GatedModel: Its card asks for terms to be accepted, and no token was given.
        """
        path = self._path(id)
        candidate = self._candidate(path)
        self._check_gate(candidate)
        current = checkpoint.fingerprint(path)
        if revision not in (None, current):
            raise ModelNotFound(
                f"Checkpoint {id!r} has no revision {revision!r}: its files have changed, they are now {current!r}.",
                "Leave `revision` out to use the files as they are, or bring the old files back.",
            )
        return replace(candidate, revision=current, origins={**candidate.origins, "revision": "computed"})

    def fetch(self, candidate: Candidate, on_progress: Progress | None = None) -> Path:
        """The checkpoint's folder, used where it lies.

        Raises:
            ModelNotFound: It is gone, or not what it was at `candidate.revision`.
            GatedModel: Its card asks for terms to be accepted, and no token was given.
            RefusedModel: It breaks a safety rule.
        """
        facts = self.describe(candidate.id, candidate.revision)
        if facts.blocked:
            raise RefusedModel(f"{candidate.id!r} is refused. {facts.blocked}", "Choose another model.")
        if on_progress and facts.download_bytes is not None:
            on_progress(facts.download_bytes, facts.download_bytes)
        return self._path(candidate.id)

    def _path(self, id: str) -> Path:
        # Looked up among the checkpoints found, never joined to the root: an id cannot lead out of it.
        for path in _checkpoints(self.root, MAX_DEPTH):
            if self._id(path) == id:
                return path
        raise ModelNotFound(
            f"No checkpoint {id!r} in {self.title}.",
            f"A checkpoint is a folder with a config.json, at most {MAX_DEPTH} levels below {self.root}.",
        )

    def _id(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _candidate(self, path: Path) -> Candidate:
        facts = checkpoint.describe(path)
        license_class = classify(facts.get("license")).license_class
        return Candidate(source=self.name, id=self._id(path), license_class=license_class, **facts)

    def _check_gate(self, candidate: Candidate) -> None:
        if candidate.gated and not self._token:
            raise GatedModel(
                f"{candidate.id!r} is gated: its owner wants terms accepted first (README.md in {self.title}).",
                "Accept them as its README.md says, then set HF_TOKEN to your Hub token.",
            )


def _checkpoints(folder: Path, depth: int) -> Iterator[Path]:
    """Folders with a config.json, at most `depth` levels below, by name; unreadable folders are passed over."""
    if depth == 0 or not os.access(folder, os.R_OK | os.X_OK):
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_dir():
            continue
        if (path / "config.json").is_file():
            yield path
        else:
            yield from _checkpoints(path, depth - 1)
