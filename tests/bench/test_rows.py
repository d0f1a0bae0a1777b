"""The texts that are measured on."""

from __future__ import annotations

from pathlib import Path

from bench import rows


def test_a_plain_text_file_is_a_text_a_line_without_empty_and_repeated_ones(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("one\n\ntwo\none\n three \n", encoding="utf-8")
    assert sorted(rows.short_texts(3, file)) == ["one", "three", "two"]
    assert len(rows.short_texts(7, file)) == 7


def test_labels_that_are_numbers_get_the_names_of_sentiments(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label\nbad film,0\ngood film,1\n", encoding="utf-8")
    assert rows.labelled([file]) == [("bad film", "negative"), ("good film", "positive")]


def test_a_long_tail_has_as_many_texts_most_of_them_short() -> None:
    texts = [f"text {number}" for number in range(200)]
    tailed = rows.long_tailed(texts)
    lengths = sorted(len(text.split()) // 2 for text in tailed)
    assert len(tailed) == 200
    assert lengths[100] == 1
    assert lengths[-1] > 10
