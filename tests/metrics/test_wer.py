"""Error rates of transcripts: what both texts go through, and alternatives in a reference."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from core.metrics import wer
from core.metrics.alternatives import closest
from core.metrics.base import overall, resolve_options

WER, CER = wer.METRIC


def score(answers: list[str], references: list[str], metric: Any = WER, **options: Any) -> float:
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    return overall(metric, rows(answers, references, metric, **options), (), complete)


def rows(answers: list[str], references: list[str], metric: Any = WER, **options: Any) -> Any:
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    return metric.rows([{"answer": answer} for answer in answers], references, (), complete)


def test_edits_are_counted_by_kind() -> None:
    assert rows(["a x c d e"], ["a b c d"]).tolist() == [[3, 1, 0, 1, 1]]
    assert rows(["abd"], ["abcd"], CER).tolist() == [[3, 0, 1, 0, 1]]


def test_long_references_weigh_more() -> None:
    assert score(["x", "a b c"], ["a", "a b c"]) == pytest.approx(1 / 4)


def test_words_heard_in_silence_are_insertions() -> None:
    assert score(["a b", "a"], ["", "a"]) == 2
    assert score(["a b"], [""]) == 2
    assert score([""], [""]) == 0
    assert score([""], ["a b"]) == 1


def test_case_and_punctuation_count_unless_a_normalizer_takes_them_away() -> None:
    answer, reference = ["it's 5 o'clock (laughs)"], ["It's  5 o'clock."]
    assert score(answer, reference) == pytest.approx(1.0)
    assert score(answer, reference, normalizer="lower") == pytest.approx(2 / 3)
    assert score(answer, reference, normalizer="basic") == 0
    assert score(answer, reference, CER, normalizer="basic") == 0


def test_of_alternatives_the_one_that_suits_best_counts() -> None:
    reference = ["I am { going to / gonna / @ } leave {now/right now}"]
    for answer in ("I am going to leave now", "I am leave right now", "I am gonna leave now"):
        assert score([answer], reference, alternatives=True) == 0
        assert score([answer], reference, CER, alternatives=True) == 0
        assert score([answer], reference) > 0
    assert rows(["i am leaving"], reference, normalizer="lower", alternatives=True).tolist() == [[2, 1, 1, 0, 1]]


def test_alternatives_may_hold_alternatives() -> None:
    reference = "a { b / cd / { g h i / gh i } bd } { e { i n / th } f / ef }"
    assert closest(reference, "a gh i bd e i n f", str) == "a gh i bd e i n f"
    assert closest(reference, "a cd ef", str) == "a cd ef"


def test_of_equal_alternatives_the_one_with_fewer_substitutions_counts() -> None:
    assert closest("{ c d / c }", "x y", str) == "c"
    assert closest("{ c / x y }", "x", str) == "x y"


@pytest.mark.parametrize("text", ["a { b", "a } b {", "and/or", "5 @ 6 / 7", "{ { a / b }", "}{"])
def test_braces_that_do_not_match_are_words(text: str) -> None:
    assert closest(text, text, str) == text
    assert score([text], [text], alternatives=True) == 0


def test_slashes_and_signs_outside_of_braces_are_words() -> None:
    assert closest("and/or { a / b } 5 @ 6", "and/or b 5 @ 6", str) == "and/or b 5 @ 6"


def test_many_alternatives_cost_no_more_than_few() -> None:
    answer = " ".join(["yes"] * 40)
    assert closest("{ no / yes / well yes } " * 40, answer, str) == answer


readings = st.lists(st.sampled_from(["", "a", "b", "a b", "b a c"]), min_size=1, max_size=3)


@given(
    st.lists(st.one_of(st.sampled_from(["a", "b c", "c"]), readings), max_size=5),
    st.lists(st.sampled_from("abc"), max_size=6),
)
def test_the_reading_is_the_one_with_the_fewest_edits(parts: list[str | list[str]], heard: list[str]) -> None:
    written = [one if isinstance(one, str) else "{ " + " / ".join(text or "@" for text in one) + " }" for one in parts]
    found = closest(" ".join(written), " ".join(heard), str)
    every = [" ".join(chosen).split() for chosen in product(*([one] if isinstance(one, str) else one for one in parts))]
    fewest = min(Levenshtein.distance(one, heard) for one in every)
    assert found.split() in every
    assert Levenshtein.distance(found.split(), heard) == fewest


def test_there_is_no_rate_of_no_rows() -> None:
    assert np.isnan(score([], []))
