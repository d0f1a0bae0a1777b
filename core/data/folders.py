"""Formats that are several files: texts side by side, pictures or clips with their labels, MNIST's idx pair."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from core.data.delimited import decode
from core.data.files import IMAGES, SOUNDS
from core.data.line_formats import read_trn, split_lines
from core.data.readers import read_csv, read_jsonl, read_tsv
from core.data.table import Content, Names, check_rows, read_bytes, unpack
from core.errors import UnreadableFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_FILES: Mapping[str, Callable[..., Content]] = {
    "metadata.csv": read_csv,
    "metadata.tsv": read_tsv,
    "metadata.jsonl": read_jsonl,
    "labels.csv": read_csv,
    "labels.tsv": read_tsv,
    "labels.jsonl": read_jsonl,
}
"""Tables that say more about the files of a folder; the first that is there is taken."""
TRANSCRIPTS = (".trn", ".transcription")
"""Endings of transcripts with the clips' names, without ending, as ids."""
FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "audio", "image_path", "audio_path")
"""Usual names of the column by which such a table names the files."""
MAX_PARTS = 8

_IDX_IMAGES, _IDX_LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def folder_of(path: Path) -> Path:
    """The folder that is meant: itself, or the one that a file lies in. Raises UnreadableFile."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir() or not path.exists():
        raise UnreadableFile(f"There is no folder {str(path)!r}.", "Check the path; a plan's paths start at its folder.")
    return folder


def revision(folder: Path, files: Iterable[Path]) -> str:
    """sha256 of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


# --- texts side by side --------------------------------------------------------------------------------------------


def read_parallel(path: Path, named: Names = ()) -> Content:
    """Files of equally many lines, one text or label per line: the columns are the files' names.

    Only files that the plan names are read; files ending in .gz are unpacked. A name with `*` or `?` stands for several
    files, which are several references of each row.
    """
    folder = folder_of(path)
    names = [str(name) for name in dict.fromkeys(named)]
    if not names:
        found = ", ".join(sorted(file.name for file in _files(folder))[:20]) or "none"
        raise UnreadableFile(
            f"Parallel files must be named. Files found: {found}.", "columns: {text: …, label: …} with a file's name each"
        )
    groups = {name: _matching(folder, name) for name in names}
    lines = {file: _lines(file) for files in groups.values() for file in files}
    counts = {file.name: len(texts) for file, texts in lines.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count:,}" for name, count in counts.items())
        raise UnreadableFile(f"The files do not have equally many lines ({listed}).", "Name files of the same rows.")
    check_rows(max(counts.values()))
    columns = {name: _together([lines[file] for file in files]) for name, files in groups.items()}
    return Content(pd.DataFrame(columns), files=tuple(lines))


def _matching(folder: Path, name: str) -> list[Path]:
    """The file of that name, or the files that the pattern fits."""
    files = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    if name in files:
        return [files[name]]
    found = [file for relative, file in files.items() if fnmatchcase(relative, name)] if set(name) & set("*?[") else []
    if not found:
        listed = ", ".join(list(files)[:20]) or "none"
        raise UnreadableFile(f"There is no file {name!r} in the folder. Found: {listed}.", "Name one of these.")
    return found


def _files(folder: Path) -> list[Path]:
    """Every file below, in order of the names; hidden ones are none of the data."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _lines(file: Path) -> list[str]:
    try:
        text, _ = decode(unpack(read_bytes(file)))
    except UnreadableFile as error:
        raise UnreadableFile(f"{file.name}: {error.message}", error.hint) from None
    return split_lines(text)


def _together(texts: Sequence[list[str]]) -> pd.Series:
    if len(texts) == 1:
        return pd.Series(texts[0], dtype="str")
    return pd.Series([list(row) for row in zip(*texts, strict=True)], dtype=object)


# --- pictures or clips ---------------------------------------------------------------------------------------------


def read_folder(path: Path, named: Names = ()) -> Content:
    """Pictures or clips below a folder, one per row.

    Columns: `file` (from the folder), `name` (without folder and ending), `folder` (the sub-folder, where there are
    several), and the parts of the name between `_` as `part 0`, `part 1`, …. The columns of a table of labels
    (`LABEL_FILES`, `TRANSCRIPTS`) come after them, and its rows first, in its order.
    """
    folder = folder_of(path)
    everything = _files(folder)
    media = [file for file in everything if file.suffix.lower() in IMAGES | SOUNDS]
    if not media:
        raise UnreadableFile("The folder holds no pictures or clips.", f"Known endings: {', '.join(sorted(IMAGES | SOUNDS))}.")
    check_rows(len(media))
    frame = _media_frame([file.relative_to(folder) for file in media])
    table = _label_file(folder, everything)
    if table is None:
        return Content(frame, files=tuple(media))
    content = _read_label_file(table)
    joined, notes = _joined(frame, content.frame, table.name)
    return Content(joined, notes=(*content.notes, *notes), dropped=content.dropped, files=(*media, table))


def _media_frame(files: Sequence[Path]) -> pd.DataFrame:
    columns: dict[str, list[str | None]] = {
        "file": [file.as_posix() for file in files],
        "name": [file.stem for file in files],
    }
    if len({file.parent for file in files}) > 1:
        columns["folder"] = [file.parent.name for file in files]
    parts = [file.stem.split("_") for file in files]
    most = max(map(len, parts))
    if 1 < most <= MAX_PARTS:
        for at in range(most):
            columns[f"part {at}"] = [found[at] if at < len(found) else None for found in parts]
    return pd.DataFrame(columns, dtype=object)


def _label_file(folder: Path, files: Sequence[Path]) -> Path | None:
    """The table that lies in the folder itself."""
    own = {file.name.lower(): file for file in files if file.parent == folder}
    named = next((own[name] for name in LABEL_FILES if name in own), None)
    transcripts = [file for name, file in own.items() if name.endswith(TRANSCRIPTS)]
    return named or (transcripts[0] if len(transcripts) == 1 else None)


def _read_label_file(table: Path) -> Content:
    reader = LABEL_FILES.get(table.name.lower(), read_trn)
    try:
        return reader(read_bytes(table))
    except UnreadableFile as error:
        raise UnreadableFile(f"{table.name}: {error.message}", error.hint) from None


def _joined(frame: pd.DataFrame, table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """The files with what the table says of them: its rows first, then the files that it does not name.

    What it names and is not there keeps its name, so that it is listed.
    """
    places = _places(frame["file"].tolist())
    by = _file_column(table, places, name)
    named = [str(cell) for cell in table[by].tolist()]
    found = [places.get(PurePosixPath(cell).as_posix()) for cell in named]
    left = sorted(set(range(len(frame))) - set(found))
    columns = {
        str(column): [None if place is None else cells[place] for place in (*found, *left)]
        for column, cells in ((column, frame[column].tolist()) for column in frame.columns)
    }
    columns["file"] = [file or cell for file, cell in zip(columns["file"], [*named, *[""] * len(left)], strict=True)]
    for column in table.columns:
        if column not in (by, "file") or column == "id":
            columns[str(column)] = [*table[column].tolist(), *[None] * len(left)]
    notes = [f"Files that {name} does not name: {len(left):,}."] if left else []
    return pd.DataFrame(columns, dtype=object), notes


def _file_column(table: pd.DataFrame, places: Mapping[str, int], name: str) -> str | int:
    """The column by which the table names files: one with a usual name, else the one with most files in it."""
    hits = {
        column: len({str(cell) for cell in table[column].tolist() if PurePosixPath(str(cell)).as_posix() in places})
        for column in table.columns
    }
    usual = [column for column in table.columns if str(column).strip().casefold() in FILE_COLUMNS and hits[column]]
    best: str | int = usual[0] if usual else max(hits, key=lambda column: hits[column])
    if not hits[best]:
        listed = ", ".join(map(repr, table.columns[:20]))
        raise UnreadableFile(
            f"{name} names none of the folder's files. Its columns: {listed}.", f"Call the column {FILE_COLUMNS[0]!r}."
        )
    return best


def _places(files: Sequence[str]) -> dict[str, int]:
    """Place of each file by every name that a table may use: with folders, without, and without ending."""
    ways: tuple[Callable[[PurePosixPath], str], ...] = (
        lambda file: file.stem,
        lambda file: file.name,
        lambda file: file.with_suffix("").as_posix(),
        lambda file: file.as_posix(),
    )
    places: dict[str, int] = {}
    for way in ways:  # fuller names overrule shorter ones
        names = [way(PurePosixPath(file)) for file in files]
        counted: dict[str, list[int]] = {}
        for place, found in enumerate(names):
            counted.setdefault(found, []).append(place)
        places |= {found: where[0] for found, where in counted.items() if len(where) == 1}
    return places


# --- MNIST's format ------------------------------------------------------------------------------------------------


def read_idx(path: Path, named: Names = ()) -> Content:
    """MNIST's format: a file of grey pictures and one of class numbers, packed or not. Columns `image` and `label`.

    `path` is a folder with one such pair, or the file of pictures.
    """
    folder = folder_of(path)
    images = path if path.is_file() else _only_images(folder)
    labels = images.with_name(images.name.replace(_IDX_IMAGES, _IDX_LABELS))
    if labels == images or not labels.is_file():
        raise UnreadableFile(
            f"{images.name!r} comes without its labels.", f"They belong beside it, as …{_IDX_LABELS} or …{_IDX_LABELS}.gz."
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
    found = sorted(file for file in folder.iterdir() if _IDX_IMAGES in file.name)
    if len(found) != 1:
        listed = ", ".join(file.name for file in found) or "none"
        raise UnreadableFile(f"The folder must hold one file …{_IDX_IMAGES}; found: {listed}.", "Give the file as `path`.")
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


FOLDERS: Mapping[str, Callable[[Path, Names], Content]] = {
    "parallel": read_parallel,
    "folder": read_folder,
    "idx": read_idx,
}
"""Readers of several files. They take a folder, or a file in it."""


def reader_of(folder: Path) -> str:
    """The reader that a folder's files speak for. Raises UnreadableFile."""
    files = _files(folder)
    if any(_IDX_IMAGES in file.name for file in files):
        return "idx"
    if any(file.suffix.lower() in IMAGES | SOUNDS for file in files):
        return "folder"
    found = ", ".join(file.relative_to(folder).as_posix() for file in files[:20]) or "none"
    raise UnreadableFile(
        f"{folder.name!r} is a folder without pictures or clips. Files found: {found}.",
        "Give one file, or set `reader: parallel` and name a file for each column.",
    )
