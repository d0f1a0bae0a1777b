"""MNIST's format: pictures and class numbers as arrays of bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from core.data.folder import folder_of
from core.data.table import Content, Names, check_rows, read_bytes, unpack
from core.errors import UnreadableFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
"""What the names of the two files end in, before `.gz`."""


def read_idx(path: Path, named: Names = ()) -> Content:
    """MNIST's format: a file of grey pictures and one of class numbers, packed or not. Columns `image` and `label`.

    `path` is a folder with one such pair, or the file of pictures.
    """
    folder = folder_of(path)
    images = path if path.is_file() else _only_images(folder)
    labels = images.with_name(images.name.replace(IMAGES, LABELS))
    if labels == images or not labels.is_file():
        raise UnreadableFile(
            f"{images.name!r} comes without its labels.",
            f"They belong beside it: …{LABELS} or …{LABELS}.gz.",
        )
    pictures, numbers = _idx(images, dimensions=3), _idx(labels, dimensions=1)
    if len(pictures) != len(numbers):
        raise UnreadableFile(
            f"There are {len(pictures):,} pictures and {len(numbers):,} labels.", "Use two files that belong together."
        )
    check_rows(len(pictures))
    cells = [{"bytes": _png(picture), "path": f"{place}.png"} for place, picture in enumerate(pictures)]
    frame = pd.DataFrame({"image": pd.Series(cells, dtype=object), "label": numbers.tolist()})
    return Content(frame, files=(images, labels))


def _only_images(folder: Path) -> Path:
    found = sorted(file for file in folder.iterdir() if IMAGES in file.name)
    if len(found) != 1:
        listed = ", ".join(file.name for file in found) or "none"
        raise UnreadableFile(f"The folder must hold one file …{IMAGES}; found: {listed}.", "Give the file as `path`.")
    return found[0]


def _idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in a file: two zero bytes, type 8 (bytes), dimensions, their sizes as big-endian numbers, the values.

    http://yann.lecun.com/exdb/mnist
    """
    import numpy as np

    data = unpack(read_bytes(file))
    head = 4 + 4 * dimensions
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) < head:
        raise UnreadableFile(f"{file.name}: the file is not idx of {dimensions} dimensions.", "Download it again.")
    shape = np.frombuffer(data, ">u4", dimensions, 4).tolist()
    if len(data) != head + int(np.prod(shape, dtype=np.int64)):
        raise UnreadableFile(f"{file.name}: the file is cut short, or has more than it says.", "Download it again.")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _png(picture: NDArray[np.uint8]) -> bytes:
    """A grey picture as a file; not packed, so that equal pixels are equal bytes whatever zlib is at hand."""
    import PIL.Image

    file = BytesIO()
    PIL.Image.fromarray(picture).save(file, "PNG", compress_level=0)
    return file.getvalue()
