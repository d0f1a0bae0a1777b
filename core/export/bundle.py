"""All formats together: a zip in memory, or files in a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from core import registry
from core.errors import UserError
from core.export.text import slug
from core.review import chosen

if TYPE_CHECKING:
    from core.records import RunResult

# Zip entries carry a time; a constant one makes equal runs give equal bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def name(run: RunResult, trial: str) -> str:
    """The bundle's file name, made of the chosen model and how it runs."""
    spec = chosen(run, trial).spec
    return slug(f"shortlist-{spec.model}-{spec.variant.device}-{spec.variant.dtype}", longest=76) + ".zip"


def bundle(run: RunResult, trial: str) -> bytes:
    """A zip with every format. Raises UnknownName where the run has no such trial."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for format in registry.formats().values():
            entry = zipfile.ZipInfo(format.filename, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, format.render(run, trial))
    return buffer.getvalue()


def left_behind(run: RunResult) -> dict[str, str]:
    """Models whose weights are only on this machine → the folder they lie in; no export holds weights."""
    specs = (outcome.spec for outcome in run.outcomes)
    return {spec.model: spec.source for spec in specs if spec.source not in ("hub", "samples")}


def write(run: RunResult, trial: str, out: Path, formats: Iterable[str] | None = None) -> list[Path]:
    """Writes the formats of those names, all when None, and whatever files they refer to, into the folder `out`.

    Returns:
        The files written, in the order of the registry.

    Raises:
        UnknownName: No such format, or no such trial in the run.
        UserError: The folder cannot be written.
    """
    names = set(registry.formats() if formats is None else formats)
    names |= {companion for format in names for companion in registry.format(format).companions}
    wanted = [format for format in registry.formats().values() if format.name in names]
    contents = [(out / format.filename, format.render(run, trial)) for format in wanted]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, content in contents:
            path.write_bytes(content)
    except OSError as error:
        raise UserError(f"Cannot write to {str(out)!r}: {error.strerror}.", "Name another folder.") from error
    return [path for path, _ in contents]
