"""Formats of lines: words with tags, one text per line, transcripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import registry
from core.data import Table, build
from core.data.line_formats import read_conll, read_lines, read_trn
from core.errors import UnreadableFile
from core.records import DatasetSpec

WORD = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=6).filter(
    lambda word: not word.startswith("#") and not word.startswith("-DOCSTART-") and not word[0].isdecimal()
)
TAG = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC"])
SENTENCES = st.lists(st.lists(st.tuples(WORD, TAG), min_size=1, max_size=5), min_size=1, max_size=5)


@pytest.mark.parametrize("between", ["\t", " "])
@given(sentences=SENTENCES)
def test_words_and_tags_come_back(between: str, sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n\n".join("\n".join(between.join(line) for line in lines) for lines in sentences) + "\n"

    frame = read_conll(text.encode()).frame

    assert frame["words"].tolist() == [[word for word, _ in lines] for lines in sentences]
    assert frame["tags"].tolist() == [[tag for _, tag in lines] for lines in sentences]


def test_documents_comments_and_line_ends_are_passed_over() -> None:
    text = (
        "-DOCSTART- -X- -X- O\r\n\r\n# id = 7\r\n"
        "EU NNP B-NP B-ORG\r\nrejects VBZ B-VP O\r\n\r\n\r\nPeter NNP B-NP B-PER\n"
    )

    frame = read_conll(text.encode()).frame

    assert list(frame.columns) == ["words", "column 1", "column 2", "tags"]
    assert frame["words"].tolist() == [["EU", "rejects"], ["Peter"]]
    assert frame["tags"].tolist() == [["B-ORG", "O"], ["B-PER"]]


def test_a_hash_may_be_a_word() -> None:
    frame = read_conll(b"#\tO\nwin\tO\n\n#hashtag\tB-X\nnow\tO\n").frame

    assert frame["words"].tolist() == [["#", "win"], ["#hashtag", "now"]]


def test_an_index_before_the_words_and_nested_tags_are_columns_of_their_own() -> None:
    frame = read_conll(
        '#\thttp://example.org\t[2010]\t\n1\t"\tO\tO\n2\tUniversität\tB-ORG\tB-LOC\n\n1\tUlm\tB-LOC\tO\n'.encode()
    ).frame

    assert list(frame.columns) == ["index", "words", "column 2", "tags"]
    assert frame["words"].tolist() == [['"', "Universität"], ["Ulm"]]
    assert frame["column 2"].tolist() == [["O", "B-ORG"], ["B-LOC"]]
    assert frame["tags"].tolist() == [["O", "B-LOC"], ["O"]]


def test_words_that_conllu_writes_as_one_are_their_parts() -> None:
    frame = read_conll(b"# text = zum Zoo\n1-2\tzum\t_\n1\tzu\tADP\n2\tdem\tDET\n2.1\tx\tX\n3\tZoo\tNOUN\n").frame

    assert frame["words"].tolist() == [["zu", "dem", "Zoo"]]


def test_a_space_that_is_no_separator_belongs_to_its_word() -> None:
    frame = read_conll("1\u00a0000 O\nm² B-X\n".encode()).frame

    assert frame["words"].tolist() == [["1\u00a0000", "m²"]]


def test_a_sentence_with_an_odd_line_is_listed_and_left_out() -> None:
    content = read_conll(b"a O\nb O\n\nc\nd O\n\ne B-X\n")

    assert content.frame["words"].tolist() == [["a", "b"], ["e"]]
    assert content.frame.index.tolist() == [0, 2]
    assert [(skip.row, skip.values["line"]) for skip in content.dropped] == [(1, 4)]
    assert any("left out: 1" in note for note in content.notes)


def test_tags_alone_are_one_column() -> None:
    assert read_conll(b"O\nB-X\n\nO\n").frame.to_dict("list") == {"tags": [["O", "B-X"], ["O"]]}


@pytest.mark.parametrize("content", [b"\n\n", b"# only a comment\n", b"-DOCSTART- O\n\n"])
def test_a_file_without_words_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        read_conll(content)


def test_lines_are_texts_and_keep_their_place() -> None:
    frame = read_lines("Der Zug, 5 Uhr\n\n„Ja“\u2028nein\n".encode()).frame

    assert frame.to_dict("list") == {"line": ["Der Zug, 5 Uhr", "", "„Ja“\u2028nein"]}


def test_a_label_before_each_text_is_its_own_column() -> None:
    assert read_lines(b"5 How far ?\n3 Who ?\n5 When ?\n3 Whose ?\n").frame.to_dict("list") == {
        "first": ["5", "3", "5", "3"],
        "rest": ["How far ?", "Who ?", "When ?", "Whose ?"],
    }
    assert read_lines(b"DESC:manner How ?\nDESC:manner Why ?\n").frame["first"].tolist() == ["DESC:manner"] * 2
    assert list(read_lines(b"The cat sat\nThe dog sat\n").frame.columns) == ["line"]
    assert list(read_lines(b"The cat sat\nThe dog sat\n", ("first", "rest")).frame.columns) == ["line", "first", "rest"]


def test_latin_1_is_read() -> None:
    content = read_lines("4 What is the Québec area ?\n4 Où ?\n".encode("latin-1"))

    assert content.frame["rest"].tolist()[0] == "What is the Québec area ?"
    assert "not UTF-8" in content.notes[0]


def test_labels_of_fasttext() -> None:
    one = read_lines(b"__label__good works well\n__label__bad broke\n").frame
    several = read_lines(b"__label__a __label__b both\n__label__a one\n").frame

    assert one.to_dict("list") == {"text": ["works well", "broke"], "label": ["good", "bad"]}
    assert several.to_dict("list") == {"text": ["both", "one"], "labels": [["a", "b"], ["a"]]}


def test_transcripts_of_sclite_and_pocketsphinx() -> None:
    text = (
        ";; a comment\nso far { INDUSTRY'S / INDUSTRY } (spk-1)\n (spk-2)\n"
        "<s> ten of clubs </s> (001)\nfive (x) five (004 -2755)\n"
    )

    frame = read_trn(text.encode()).frame

    assert frame["text"].tolist() == ["so far { INDUSTRY'S / INDUSTRY }", "", "ten of clubs", "five (x) five"]
    assert frame["id"].tolist() == ["spk-1", "spk-2", "001", "004"]


def test_lines_without_an_id_are_listed() -> None:
    content = read_trn(b"one (a)\ntwo\n")

    assert content.dropped[0].row == 1
    with pytest.raises(UnreadableFile, match="id in brackets"):
        read_trn(b"one\ntwo\n")


def test_odd_tags_are_noted_and_still_scored() -> None:
    content = read_conll(b"a B-PER\nb O\nc I-LOC\n\nd I-LOC\ne B-LOC\n\nf I-PER\n")

    loaded = build(
        Table(content.frame, header=True, revision="0"), DatasetSpec(path="x"), registry.task("token-classification")
    )

    assert len(loaded.evalset.ids) == 3
    assert any(note.startswith("1 of 3 rows have entities that begin with I-") for note in loaded.notes)
