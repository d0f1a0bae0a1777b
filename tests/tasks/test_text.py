"""What tasks on text share: which texts are longer than the model takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.tasks.text import tokenised
from tests.tasks import tiny

FITS, TOO_LONG = "w1 " * (tiny.LENGTH - 2), "w1 " * (tiny.LENGTH - 1)


def test_a_text_that_just_fits_is_whole_and_one_of_a_token_more_is_cut() -> None:
    pieces = tokenised(tiny.tokenizer(), [FITS, TOO_LONG, "w1"])
    assert [piece.truncated for piece in pieces] == [False, True, False]
    assert [piece.length for piece in pieces] == [tiny.LENGTH, tiny.LENGTH, 3]


@pytest.mark.parametrize("truncation", [True, "only_first"])
def test_a_pair_is_cut_where_both_together_are_too_long(truncation: bool | str) -> None:
    pieces = tokenised(tiny.tokenizer(), ["w1 " * 40, "w1"], ["w2 " * 10, "w2 " * 10], truncation)
    assert [piece.truncated for piece in pieces] == [True, False]


def test_a_tokenizer_written_in_python_is_asked_again_where_a_text_fills_the_model(tmp_path: Path) -> None:
    from transformers import CTRLTokenizer

    vocabulary, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    vocabulary.write_text('{"<unk>": 0, "a": 1, "b": 2}')
    merges.write_text("#version: 0.2\n")
    tokenizer = CTRLTokenizer(str(vocabulary), str(merges), model_max_length=4)
    assert not tokenizer.is_fast
    pieces = tokenised(tokenizer, ["a b a b", "a b a b a", "a"])
    assert [piece.truncated for piece in pieces] == [False, True, False]
    assert [piece.length for piece in pieces] == [4, 4, 1]
    assert [piece.truncated for piece in tokenised(tokenizer, ["a b", "a"], ["a b a", "b"])] == [True, False]
