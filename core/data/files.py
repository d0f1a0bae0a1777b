"""Pictures and clips that rows name or carry: found, checked, and kept under the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
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
    try:
        path = (folder / name).resolve()
        is_there = path.is_file()
    except OSError:  # a whole text where a name should be is too long for one
        raise ValueError(f"names {name[:80]!r}, which is not there") from None
    if not path.is_relative_to(folder.resolve()) and folder.resolve().is_relative_to(settings.home().resolve()):
        raise ValueError(f"names {name!r}, a file outside of the upload")
    if not is_there:
        raise ValueError(f"names {name!r}, which is not there")
    return path


def _kept(cell: Mapping[str, Any]) -> Path:
    """Content that came inside the rows, as a file under its hash."""
    content = cell["bytes"]
    if not isinstance(content, bytes | bytearray):  # of a number, `bytes` would make as many zeros
        raise ValueError(f"holds a {type(content).__name__}, not the bytes of a file")
    if len(content) > MAX_BYTES:
        raise ValueError(f"holds a file of {len(content) / 1e6:,.0f} MB")
    ending = Path(str(cell.get("path") or "")).suffix.lower()
    name = hashlib.sha256(content).hexdigest() + (ending if ending in IMAGES | SOUNDS else "")
    path = settings.home() / "media" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever is killed while writing must not leave half a file under the name of the whole.
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    return path
