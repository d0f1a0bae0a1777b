"""Pictures or clips in a folder, with the table that says more about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from core.data.files import IMAGES, SOUNDS
from core.data.folder import files_below, folder_of
from core.data.line_formats import read_trn
from core.data.table import Content, Names, check_rows, read_bytes
from core.data.table_formats import read_csv, read_jsonl, read_tsv
from core.errors import UnreadableFile

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


def read_folder(path: Path, named: Names = ()) -> Content:
    """Pictures or clips below a folder, one per row.

    Columns: `file` (from the folder), `name` (without folder and ending), `folder` (the sub-folder, where there are
    several), and the parts of the name between `_` as `part 0`, `part 1`, …. The columns of a table of labels
    (`LABEL_FILES`, `TRANSCRIPTS`) come after them, and its rows first, in its order.
    """
    folder = folder_of(path)
    everything = files_below(folder)
    media = [file for file in everything if file.suffix.lower() in IMAGES | SOUNDS]
    if not media:
        raise UnreadableFile(
            "The folder holds no pictures or clips.", f"Known endings: {', '.join(sorted(IMAGES | SOUNDS))}."
        )
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
            columns[column if isinstance(column, str) else f"column {column}"] = [
                *table[column].tolist(),
                *[None] * len(left),
            ]
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
