"""CSV and TSV files as people have them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.delimited import decode, read_delimited
from core.data.source import Table, read_file
from core.errors import UnreadableFile


def read(tmp_path: Path, name: str, content: str | bytes, named: tuple[str | int, ...] = ()) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(path, named=named)


def rows(table: Table) -> list[list[str]]:
    return [list(row) for row in table.frame.itertuples(index=False)]


def write(cells: list[list[str]], delimiter: str = ",") -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(cells)
    return buffer.getvalue()


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LABEL = st.sampled_from(["alpha", "beta"])


@given(st.lists(st.tuples(CELL, LABEL), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(body: list[tuple[str, str]]) -> None:
    text = write([["text", "label"], *map(list, body)])

    frame, header, _, dropped = read_delimited(text, ",")

    assert header
    assert not dropped
    assert list(frame.itertuples(index=False, name=None)) == body


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\t\r\n"), max_size=12).map(str.strip)


@given(st.lists(st.tuples(LINE, LABEL), min_size=1, max_size=8))
def test_unquoted_tsv_is_read_back_unless_every_quote_could_be_one(body: list[tuple[str, str]]) -> None:
    text = "text\tlabel\n" + "".join(f"{cell}\t{label}\n" for cell, label in body)

    frame, _, _, _ = read_delimited(text, "\t")

    assert len(frame) == len(body)
    assert list(frame["label"]) == [label for _, label in body]
    assert all(
        cell.replace('"', "") == was.replace('"', "") for cell, (was, _) in zip(frame["text"], body, strict=True)
    )


def test_a_stray_quote_in_a_tsv_swallows_no_line(tmp_path: Path) -> None:
    table = read(tmp_path, "a.tsv", 'sentence\tlabel\n"what a film\t1\ndull\t0\na 5" screen\t1\nthe "end\t0\nfine\t1\n')

    assert rows(table) == [['"what a film', "1"], ["dull", "0"], ['a 5" screen', "1"], ['the "end', "0"], ["fine", "1"]]
    assert any("Quotation marks" in note for note in table.notes)


def test_lines_joined_by_two_stray_quotes_are_told_apart(tmp_path: Path) -> None:
    table = read(tmp_path, "a.tsv", 'text\tlabel\n"one\t1\ntwo"\t0\nthree\t1\n')

    assert rows(table) == [['"one', "1"], ['two"', "0"], ["three", "1"]]


def test_a_stray_quote_in_a_csv_swallows_no_line(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\n"one,pos\ntwo",neg\nthree,pos\nfour,neg\nfive,pos\n')

    assert rows(table)[:2] == [['"one', "pos"], ['two"', "neg"]]
    assert len(table.frame) == 5


def test_a_misplaced_quote_that_happens_to_close_swallows_no_line(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\n"one,a\ntwo" more,b\nthree,c\n')

    assert list(table.frame["label"]) == ["a", "b", "c"]


def test_an_unclosed_quote_swallows_no_line(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\none,pos\n"two,neg\nthree,pos\nfour,neg\n')

    assert len(table.frame) == 4
    assert any("ordinary characters" in note for note in table.notes)


def test_misplaced_quotes_beside_needed_ones_are_told_with_their_line(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\n"well, good",pos\n"bad" it was,neg\n"so, so",pos\n"no, no",neg\n')

    assert rows(table)[0] == ["well, good", "pos"]
    assert len(table.frame) == 4
    assert any("near line 3" in note for note in table.notes)


def test_line_breaks_within_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\n"Hello,\nworld",pos\nbye,neg\n')

    assert rows(table) == [["Hello,\nworld", "pos"], ["bye", "neg"]]


def test_a_row_with_too_many_cells_is_listed_and_the_others_keep_their_position(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", "text,label\na,x\nb,x,oops\nc,y\nd,x\n")

    assert list(table.frame.index) == [0, 2, 3]
    assert [skip.row for skip in table.dropped] == [1]
    assert "3 cells" in table.dropped[0].reason


def test_a_short_row_has_empty_cells_at_its_end(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "a.csv", "text,label\na,x\nb\nc,y\n"))[1] == ["b", ""]


def test_a_missing_name_for_row_numbers_shifts_no_column(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", "text,label\n1,good,pos\n2,bad,neg\n3,fine,pos\n")

    assert list(table.frame["text"]) == ["good", "bad", "fine"]


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_other_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, "a.csv", f"text{delimiter}label\nyes, well{delimiter}pos\nno{delimiter}neg\n")

    assert list(table.frame.columns) == ["text", "label"]
    assert list(table.frame["text"]) == ["yes, well", "no"]


def test_a_file_exported_twice_is_unpacked(tmp_path: Path) -> None:
    inner = write([["id", "text", "label"], ["1", 'say "hi", you', "a"], ["2", "one\ntwo", "b"]]).replace("\r\n", "\n")
    text = "".join(write([[line, "", ""]], ";") for line in inner.rstrip("\n").split("\n"))

    table = read(tmp_path, "a.csv", text)

    assert rows(table) == [["1", 'say "hi", you', "a"], ["2", "one\ntwo", "b"]]
    assert any("exported twice" in note for note in table.notes)


@pytest.mark.parametrize(
    ("text", "named", "header"),
    [
        ("good film\t1\nbad film\t0\nfine\t1\n", (), False),
        ("good film\tpositive\nbad film\tnegative\nfine\tpositive\n", (), False),
        ("sentence\tlabel\ngood film\t1\n", (), True),
        ("sentence\tlabel\ngood film\t1\n", (0, 1), True),
        ("review\tverdict\ngood film\t1\nbad film\t0\n", (), True),
        ("review\tverdict\ngood\tyes\nbad\tno\nfine\tyes\nso so\tno\n", (), True),
        ("input\toutput\nlong one\tshort\nlong two\tbrief\n", (), True),
        ("input\toutput\nlong one\tshort\nlong two\tbrief\n", (0, 1), False),
        ("x\ty\n1\t2\n", ("x",), True),
        ("only one row\tpos\n", (), False),
        ("\ta text without a score\n4.5\ta text that has a score\n\tone more text without\n", (), False),
        ("a text that goes on and on, as texts do\tits gist\nanother such text with words\tanother\n", (), False),
    ],
)
def test_a_header_is_told_from_rows(text: str, named: tuple[str | int, ...], header: bool) -> None:
    frame, found, _, _ = read_delimited(text, "\t", named)

    assert found is header
    assert len(frame) == text.count("\n") - header
    assert header or list(frame.columns) == [0, 1]


def test_equal_and_empty_names_become_unique(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", ",text,text\n1,a,b\n2,c,d\n")

    assert list(table.frame.columns) == ["column 0", "text", "text.1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_name_themselves_need_no_note(encoding: str) -> None:
    assert decode("text,label\nžluťoučký 🙂,1\n".encode(encoding)) == ("text,label\nžluťoučký 🙂,1\n", ())


def test_a_western_file_is_read_with_a_note(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", "text,label\ncafé “noir”,pos\n".encode("cp1252"))

    assert table.frame["text"][0] == "café “noir”"
    assert any("not UTF-8" in note for note in table.notes)


def test_one_broken_character_does_not_spoil_the_others() -> None:
    text, notes = decode("žluťoučký kůň".encode() + b" \xff")

    assert text == "žluťoučký kůň \ufffd"
    assert "1 broken" in notes[0]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"PK\x03\x04rest", b"a,b\0\0\0", b"\xff\xfe\x00"])
def test_what_is_not_text_or_empty_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path, "a.csv", content)

    assert caught.value.message.startswith("a.csv: ")
    assert caught.value.hint


def test_a_header_without_rows_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no rows"):
        read(tmp_path, "a.csv", "text,label\n")
