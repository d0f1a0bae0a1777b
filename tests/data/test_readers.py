"""Every format gives the same rows, and refuses what it is not."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import table, table_formats
from core.data.readers import READERS
from core.data.source import load_table, read_file, save_upload
from core.errors import DatasetMismatch, UnknownName, UnreadableFile
from core.records import DatasetSpec

ROWS = list[dict[str, str]]


def parquet(rows: ROWS) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[ROWS], bytes]] = {
    "csv": lambda rows: pd.DataFrame(rows).to_csv(index=False).encode(),
    "tsv": lambda rows: pd.DataFrame(rows).to_csv(index=False, sep="\t").encode(),
    "json": lambda rows: json.dumps(rows).encode(),
    "jsonl": lambda rows: "\n".join(map(json.dumps, rows)).encode(),
    "parquet": parquet,
}
# pandas writes a carriage return unquoted, where it cannot be told from a line end.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\t\r"), min_size=1, max_size=15).filter(str.strip)
ROW = st.fixed_dictionaries({"text": TEXT, "label": st.sampled_from(["alpha", "beta"])})


@given(st.lists(ROW, min_size=1, max_size=6))
def test_the_same_rows_come_back_from_every_format(rows: ROWS) -> None:
    for name, write in WRITERS.items():
        frame = READERS[name](write(rows), ()).frame
        assert frame.to_dict("records") == rows, name


RECORDS = [{"text": "a", "label": 1}, {"text": "b", "label": None}]


@pytest.mark.parametrize(
    "content",
    [
        RECORDS,
        {"text": ["a", "b"], "label": [1, None]},
        {"version": "1.0", "data": RECORDS},
        {"rows": RECORDS},
    ],
)
def test_json_in_its_usual_shapes(content: object) -> None:
    frame = table_formats.read_json(json.dumps(content).encode()).frame

    assert list(frame["text"]) == ["a", "b"]
    assert frame["label"].tolist()[0] == 1


def test_json_keeps_numbers_as_they_are_beside_missing_ones() -> None:
    frame = table_formats.read_json(b'[{"label": 1}, {}, {"label": 9007199254740993}]').frame

    assert frame["label"][2] == 9007199254740993


def test_json_lines_under_a_json_ending_are_read_with_a_note() -> None:
    content = table_formats.read_json(b'{"text": "a"}\n{"text": "b"}\n')

    assert list(content.frame["text"]) == ["a", "b"]
    assert content.notes


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("json", b'{"a": 1', "line 1"),
        ("json", b"[]", "no rows"),
        ("json", b"3", "single int"),
        ("json", b'{"a": [1, 2], "b": [1]}', "not a table"),
        ("json", b'[{"a": 1}, 2]', "mixes"),
        ("json", b"[" * 100_000, "nested"),
        ("jsonl", b'{"a": 1}\n{"a": ', "Line 2"),
        ("parquet", b"PAR1 and no more", "Parquet"),
        ("parquet", b"", "empty"),
        ("jsonl", b" \n", "empty"),
    ],
)
def test_broken_content_is_named(name: str, content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words) as caught:
        READERS[name](content, ())

    assert caught.value.hint


def test_a_parquet_file_that_unpacks_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = parquet([{"text": "a" * 1000}] * 5000)
    assert len(bomb) < 100_000
    monkeypatch.setattr(table_formats, "MAX_UNPACKED_BYTES", 1_000_000)

    with pytest.raises(UnreadableFile, match="Unpacked"):
        table_formats.read_parquet(bomb)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 2)

    for name, write in WRITERS.items():
        with pytest.raises(UnreadableFile, match="rows"):
            READERS[name](write([{"text": "x", "label": "y"}] * 4), ())


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(table.MAX_FILE_BYTES + 1)

    with pytest.raises(UnreadableFile, match="200 MB"):
        read_file(path)


def test_an_unknown_ending_and_an_unknown_reader_name_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.xyz"
    path.write_text("text,label\na,b\n")

    with pytest.raises(UnreadableFile, match="ending"):
        read_file(path)
    with pytest.raises(UnknownName) as caught:
        read_file(path, "cvs")
    assert caught.value.nearest == "csv"
    assert list(read_file(path, "csv").frame["text"]) == ["a"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"no file .*none\.csv"):
        load_table(DatasetSpec(path=str(tmp_path / "none.csv")))


def test_the_revision_is_the_content_and_a_changed_file_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,b\n")
    revision = hashlib.sha256(path.read_bytes()).hexdigest()

    assert load_table(DatasetSpec(path=str(path), revision=revision)).revision == revision
    path.write_text("text,label\na,c\n")
    with pytest.raises(DatasetMismatch, match="has changed"):
        load_table(DatasetSpec(path=str(path), revision=revision))


@pytest.mark.parametrize("spec", [DatasetSpec(), DatasetSpec(path="a.csv", repo="a/b")])
def test_a_data_set_is_a_file_or_a_hub_data_set(spec: DatasetSpec) -> None:
    with pytest.raises(DatasetMismatch, match="either"):
        load_table(spec)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("my reviews (1).csv", "my-reviews-1.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\rows.TSV", "rows.tsv"),
        (".csv", "csv"),
        ("my rows.CSV.gz", "my-rows.csv.gz"),
        ("…", "upload"),
    ],
)
def test_an_upload_is_kept_once_under_a_safe_name(tmp_path: Path, name: str, kept: str) -> None:
    path = save_upload(name, b"text\nhello\n", tmp_path)

    assert path.name == kept
    assert path.parent.parent == tmp_path / "data"
    assert path == save_upload(name, b"text\nhello\n", tmp_path)
    assert path.read_bytes() == b"text\nhello\n"


def test_an_empty_upload_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        save_upload("a.csv", b"", tmp_path)
