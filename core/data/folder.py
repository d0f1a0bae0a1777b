"""What lies in a folder, and its revision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from core.errors import UnreadableFile


def folder_of(path: Path) -> Path:
    """The folder that is meant: itself, or the one that a file lies in. Raises UnreadableFile."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir() or not path.exists():
        raise UnreadableFile(
            f"There is no folder {str(path)!r}.", "Check the path; a plan's paths start at its folder."
        )
    return folder


def revision(folder: Path, files: Iterable[Path]) -> str:
    """sha256 of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every file below, in order of the names; hidden ones are none of the data."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
