"""A file, a folder or a Hub data set, read into a `Table`. The only importer of `datasets`."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.catalog import hub_status
from core.catalog.time_limit import within
from core.data.folder import folder_of
from core.data.folder import revision as folder_revision
from core.data.readers import ENDINGS, FOLDERS, READERS, ending, reader_of
from core.data.table import MAX_UNPACKED_BYTES, Names, Table, check_bytes, check_rows, read_bytes, unpack
from core.errors import DatasetMismatch, HubUnavailable, UnknownName, UnreadableFile, UserError
from core.records import DatasetSpec

__all__ = ["Table", "hub_layout", "load_table", "read_file", "save_upload"]

HUB_FORMATS = frozenset({"parquet", "csv", "json", "arrow", "text"})
"""Builders of `datasets` that read plain tables."""
DESCRIBE_SECONDS = 20
"""Longest wait for what a data set consists of; its rows may take longer."""

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}")


def read_file(path: Path, reader: str | None = None, named: Names = ()) -> Table:
    """Read a file or a folder on this machine.

    Args:
        path: The file, packed by gzip or not, or the folder.
        reader: Name of a reader; by the file's ending, or by what lies in the folder, when None.
        named: Columns that the plan names: they tell whether a CSV or TSV file has a header, and which parallel files
            are read.

    Raises:
        UnreadableFile: It is not there, empty, too large, or not what its ending claims.
        UnknownName: No such reader.
    """
    reader = reader or _reader_of(path)
    if reader not in (*READERS, *FOLDERS):
        raise UnknownName("reader", reader, (*READERS, *FOLDERS))
    if reader in FOLDERS:
        content = FOLDERS[reader](path, named)
        revision = folder_revision(folder_of(path), content.files)
    else:
        data = read_bytes(path)
        revision = hashlib.sha256(data).hexdigest()
        try:
            content = READERS[reader](unpack(data), named)
        except UnreadableFile as error:
            raise UnreadableFile(f"{path.name}: {error.message}", error.hint) from None
    return Table(
        frame=content.frame,
        header=content.header,
        revision=revision,
        notes=content.notes,
        dropped=content.dropped,
        reader=reader,
    )


def _reader_of(path: Path) -> str:
    if path.is_dir():
        return reader_of(path)
    reader = ENDINGS.get(ending(path))
    if reader is None:
        raise UnreadableFile(
            f"{path.name!r} has no ending that names its format.",
            f"Name it {', '.join(ENDINGS)}, or set `reader:` to one of {', '.join((*READERS, *FOLDERS))}.",
        )
    return reader


def load_table(spec: DatasetSpec, token: str | None = None) -> Table:
    """Read the rows that a plan names.

    Raises:
        DatasetMismatch: Neither or both of path and repo are set, a pinned file has changed, or the Hub has no
            such data set, configuration or split.
        UnreadableFile: The data cannot be read.
        HubUnavailable: The Hub does not answer.
    """
    if (spec.path is None) == (spec.repo is None):
        raise DatasetMismatch("A data set is either a file or a Hub data set.", "Set exactly one of `path` and `repo`.")
    if spec.repo is not None:
        return _load_hub(spec, token)
    assert spec.path is not None
    table = read_file(Path(spec.path), spec.reader, tuple(name for name in spec.columns.values() if name is not None))
    if spec.revision and spec.revision != table.revision:
        raise DatasetMismatch(
            f"{spec.path!r} has changed since the plan was pinned: its sha256 is {table.revision[:12]}…, "
            f"the plan has {spec.revision[:12]}….",
            "Restore the file, or remove `revision` from the plan to use it as it is now.",
        )
    return table


def save_upload(name: str, content: bytes, home: Path) -> Path:
    """Keep an uploaded file under its content's hash; the same file twice is kept once.

    Args:
        name: As the browser sent it; only a safe part of it is used.
        content: The file.
        home: Shortlist's folder (`core.settings.home`).

    Returns:
        `home/data/<hash>/<name>`.

    Raises:
        UnreadableFile: It is empty or too large.
    """
    if not content:
        raise UnreadableFile(f"{name!r} is empty.", "Choose a file with at least one row.")
    check_bytes(len(content), f"{name!r}")
    name = re.split(r"[/\\]", name)[-1]
    packed = ".gz" if name.lower().endswith(".gz") else ""
    stem, dot, ending = name[: len(name) - len(packed)].rpartition(".")
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", stem or ending).strip("-")[:80] or "upload"
    if dot and stem:
        slug += "." + re.sub(r"[^a-z0-9]", "", ending.lower())[:16]
    path = home / "data" / hashlib.sha256(content).hexdigest()[:16] / f"{slug}{packed}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def hub_layout(repo: str, token: str | None = None, revision: str | None = None) -> dict[str, list[str]]:
    """Configurations of a Hub data set, each with its splits.

    Raises:
        DatasetMismatch: `repo` is not `org/name`, or there is no such data set of plain tables.
        HubUnavailable: The Hub does not answer.
    """
    _check_repo(repo)
    import datasets

    with _hub_errors(repo):
        names = within(
            DESCRIBE_SECONDS, lambda: datasets.get_dataset_config_names(repo, revision=revision or "main", token=token)
        )
        builder = _builder(repo, names[0], revision, token)
        configs = builder.builder_configs or {names[0]: builder.config}
        return {name: _splits(config) for name, config in configs.items()}


def _check_repo(repo: str) -> None:
    """Only `org/name` of the Hub: anything else would let `datasets` read a file or an address of the user's choice."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo or repo.endswith(".git"):
        hint = "Paths go under `path`; addresses are refused." if "/" in repo else "Write it with its owner."
        raise DatasetMismatch(f"{repo!r} is not the id of a Hub data set, which has the form 'org/name'.", hint)
    if Path(repo).exists():
        raise DatasetMismatch(
            f"{repo!r} names a file or folder here, not only a Hub data set.", "Give the file as `path`."
        )


def _load_hub(spec: DatasetSpec, token: str | None) -> Table:
    """Stream one split: nothing but that split's files is fetched, and reading ends at the limits."""
    assert spec.repo is not None
    _check_repo(spec.repo)
    import pyarrow as pa

    with _hub_errors(spec.repo):
        builder = _builder(spec.repo, spec.config, spec.revision, token)
        splits = _splits(builder.config)
        split = spec.split or (splits[0] if len(splits) == 1 else None)
        if split not in splits:
            wanted = f"has no split {split!r}" if split else "has several splits"
            raise DatasetMismatch(f"{spec.repo!r} {wanted}; found: {', '.join(splits)}.", "Set `split` to one of them.")
        stream = builder.as_streaming_dataset(split=split)
        tables, rows, size = [], 0, 0
        for batch in stream.with_format("arrow").iter(batch_size=1000):
            rows, size = rows + batch.num_rows, size + batch.nbytes
            check_rows(rows)
            check_bytes(size, f"{spec.repo!r}", MAX_UNPACKED_BYTES)
            tables.append(batch)
    if not rows:
        raise DatasetMismatch(f"{spec.repo!r} has no rows in its split {split!r}.", "Choose another split.")
    frame = pa.concat_tables(tables).to_pandas(ignore_metadata=True)
    return Table(
        frame, header=True, revision=builder.hash, label_names=_label_names(builder.info.features or stream.features)
    )


def _builder(repo: str, config: str | None, revision: str | None, token: str | None) -> Any:
    """The builder of one configuration; `datasets` itself refuses files outside the repository."""
    import datasets

    # A revision, even "main", keeps `datasets` from asking the dataset viewer, a second host.
    revision = revision or "main"
    builder = within(
        DESCRIBE_SECONDS, lambda: datasets.load_dataset_builder(repo, config, revision=revision, token=token)
    )
    kind = type(builder).__module__.rpartition(".")[2]
    if kind not in HUB_FORMATS:
        raise DatasetMismatch(
            f"{repo!r} is stored as {kind!r}; only tables are read ({', '.join(sorted(HUB_FORMATS))}).",
            "Choose a data set of text rows.",
        )
    if not _SHA.fullmatch(builder.hash or ""):
        raise HubUnavailable(f"The Hub did not say which commit of {repo!r} it gave.", "Try again later.")
    return builder


def _splits(config: Any) -> list[str]:
    return [str(name) for name in config.data_files or {}]


def _label_names(features: Mapping[str, Any] | None) -> dict[str | int, tuple[str, ...]]:
    return {column: names for column, feature in (features or {}).items() if (names := _class_names(feature))}


def _class_names(feature: Any) -> tuple[str, ...]:
    """The names of a `ClassLabel`, also of one in a list (tags) or in a structure (`objects`)."""
    if isinstance(feature, Mapping):
        return next((found for inner in feature.values() if (found := _class_names(inner))), ())
    if hasattr(feature, "feature"):
        return _class_names(feature.feature)
    names: Any = getattr(feature, "names", None)
    return tuple(names) if isinstance(names, list) else ()


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """What `datasets` raises, as errors that say what to do."""
    status = hub_status()
    if not status.reachable:  # `datasets` would try again and again for half a minute
        raise HubUnavailable(status.message, "Try again, or upload the rows as a file.")
    from datasets import config
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    config.STREAMING_READ_MAX_RETRIES = 1  # of 20, each of them tried six times by the layer below
    try:
        yield
    except UserError:
        raise
    except DatasetNotFoundError as error:
        gated = "gated" in str(error)
        hint = (
            f"Accept its terms at https://huggingface.co/datasets/{repo} and set HF_TOKEN."
            if gated
            else "Check the id."
        )
        raise DatasetMismatch(_words(error), hint) from None
    except TimeoutError:
        raise _unreachable(repo, f"it did not answer within {DESCRIBE_SECONDS} seconds.") from None
    except ConnectionError as error:
        raise _unreachable(repo, _words(error)) from None
    except (RuntimeError, ValueError, DatasetsError, FileNotFoundError) as error:
        text = _words(error)
        if "scripts are no longer supported" in text:
            raise DatasetMismatch(
                f"{repo!r} is made by a script, and code from the Hub is never run.",
                "Many have a converted copy: set `revision: refs/convert/parquet`.",
            ) from None
        if "LocalEntryNotFoundError" in text:  # how server errors come out of several layers
            raise _unreachable(repo, "it answered with an error.") from None
        raise DatasetMismatch(f"{repo!r} cannot be read: {text}", "Check its configuration and split.") from None
    except OSError as error:  # among them every HTTP error
        raise _unreachable(repo, _words(error)) from None


def _unreachable(repo: str, text: str) -> HubUnavailable:
    return HubUnavailable(
        f"The Hub did not give {repo!r}: {text.rstrip('.')}.", "Try again, or upload the rows as a file."
    )


def _words(error: Exception) -> str:
    return textwrap.shorten(str(error) or type(error).__name__, 400, placeholder=" …")
