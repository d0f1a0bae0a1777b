"""All formats together: a zip in memory, or files in a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core import registry
from core.catalog import stored
from core.errors import UserError
from core.export.text import slug
from core.review import chosen

if TYPE_CHECKING:
    from core.export.base import Format
    from core.records import RunResult

# Zip entries carry a time; a constant one makes equal runs give equal bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def name(run: RunResult, trial: str) -> str:
    """The bundle's file name, made of the chosen model and how it runs."""
    spec = chosen(run, trial).spec
    how = (spec.variant.device, spec.variant.dtype)
    return slug("-".join(("shortlist", spec.model, *filter(None, how))), longest=76) + ".zip"


def bundle(run: RunResult, trial: str) -> bytes:
    """A zip with every format. Raises UnknownName where the run has no such trial."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for format, content in _everything(run, trial):
            entry = zipfile.ZipInfo(format.filename, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _everything(run: RunResult, trial: str) -> Iterator[tuple[Format, bytes]]:
    """Every format that can be written of the trial: of predictions made elsewhere there is no program."""
    source = chosen(run, trial).spec.source
    for format in registry.formats().values():
        try:
            yield format, format.render(run, trial)
        except UserError:
            if source != stored.SOURCE:
                raise


def left_behind(run: RunResult) -> dict[str, str]:
    """Models whose weights are only on this machine → the folder they lie in; no export holds weights."""
    specs = (outcome.spec for outcome in run.outcomes)
    return {
        spec.model: str(Path(spec.model).parent) if spec.source == stored.SOURCE else spec.source
        for spec in specs
        if spec.source not in ("hub", "samples")
    }


def write(run: RunResult, trial: str, out: Path, formats: Iterable[str] | None = None) -> list[Path]:
    """Writes the formats of those names, all when None, and whatever files they refer to, into the folder `out`.

    Returns:
        The files written, in the order of the registry.

    Raises:
        UnknownName: No such format, or no such trial in the run.
        UserError: The folder cannot be written.
    """
    if formats is None:
        contents = [(out / format.filename, content) for format, content in _everything(run, trial)]
    else:
        names = set(formats)
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
