"""Pictures and clips that rows name or carry: found, checked, and kept under the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import settings
from core.tasks.media import check_audio, check_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
SOUNDS = frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".sph"})
"""Endings, lower case, of files that a cell may name."""
MAX_BYTES = 200 * 10**6
"""Largest single picture or clip."""


def image(cell: Any, folder: Path | None) -> dict[str, str]:
    """The picture that a cell names or holds. Raises ValueError: it is not there, or broken."""
    return _checked(cell, folder, check_image)


def audio(cell: Any, folder: Path | None) -> dict[str, str]:
    """The clip that a cell names or holds. Raises ValueError: it is not there, or broken."""
    return _checked(cell, folder, check_audio)


def class_numbers(path: str) -> NDArray[np.int64]:
    """The pixels of a picture of class numbers, shape (height, width). Raises ValueError for one of colours."""
    import numpy as np
    import PIL.Image

    with PIL.Image.open(path) as picture:
        if picture.mode not in ("1", "L", "P", "I", "I;16"):
            raise ValueError(f"is a picture of colours (mode {picture.mode}), not of class numbers")
        return np.asarray(picture).astype(np.int64)


def _checked(cell: Any, folder: Path | None, check: Callable[[str], Any]) -> dict[str, str]:
    path = _kept(cell) if isinstance(cell, Mapping) and cell.get("bytes") else _found(cell, folder)
    stat = path.stat()
    if stat.st_size > MAX_BYTES:
        raise ValueError(f"names {path.name!r}, a file of {stat.st_size / 1e6:,.0f} MB")
    try:
        return {"file": str(path), "sha256": _sha256(path, stat.st_mtime_ns, check)}
    except ValueError as error:
        raise ValueError(f"names {path.name!r}, which cannot be read: {error}") from None


@lru_cache(maxsize=100_000)
def _sha256(path: Path, modified: int, check: Callable[[str], Any]) -> str:
    check(str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _found(cell: Any, folder: Path | None) -> Path:
    """The file that a cell names; of an upload only files that came with it, because the name may be anybody's."""
    name = cell.get("path") if isinstance(cell, Mapping) else cell
    if not isinstance(name, str):
        raise ValueError(f"is a {type(cell).__name__}, not a file's name")
    if folder is None:
        raise ValueError(f"names {name!r}, but these rows come without files")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) and folder.resolve().is_relative_to(settings.home().resolve()):
        raise ValueError(f"names {name!r}, a file outside of the upload")
    if not path.is_file():
        raise ValueError(f"names {name!r}, which is not there")
    return path


def _kept(cell: Mapping[str, Any]) -> Path:
    """Content that came inside the rows, as a file under its hash."""
    content = bytes(cell["bytes"])
    ending = Path(str(cell.get("path") or "")).suffix.lower()
    path = settings.home() / "media" / f"{hashlib.sha256(content).hexdigest()}{ending if ending.isascii() else ''}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path
