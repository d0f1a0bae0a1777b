"""Answers to questions: what is compared, and which questions count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.metrics import squad
from core.metrics.base import overall, per_row

EM, F1, HAS_EM, HAS_F1, NO_EM = squad.METRIC


def score(metric: Any, answers: list[str], references: list[list[str]]) -> float:
    return overall(metric, metric.rows([{"answer": answer} for answer in answers], references, (), {}), (), {})


def test_case_articles_ascii_punctuation_and_spaces_do_not_count() -> None:
    assert score(EM, ["the  Eiffel-Tower!"], [["An eiffeltower"]]) == 1
    assert score(EM, ["«Tower»"], [["Tower"]]) == 0
    assert score(EM, ["theatre"], [["atre"]]) == 0


def test_the_reference_that_suits_best_counts() -> None:
    assert score(F1, ["in Paris, France"], [["Lyon", "Paris France", "Paris"]]) == pytest.approx(0.8)
    assert score(EM, ["Paris"], [["Lyon", "Paris"]]) == 1


def test_a_word_counts_as_often_as_both_have_it() -> None:
    assert score(F1, ["ha ha ha"], [["ha ha"]]) == pytest.approx(0.8)


def test_a_question_without_answer_wants_an_empty_one() -> None:
    for metric in (EM, F1, NO_EM):
        assert score(metric, ["", "the", "Paris"], [[], [], []]) == pytest.approx(2 / 3)
    for metric in (EM, F1, HAS_EM, HAS_F1):
        assert score(metric, [""], [["Paris"]]) == 0


def test_questions_with_and_without_answer_are_scored_apart() -> None:
    answers, references = ["Paris", "in Paris", "", "Paris"], [["Paris"], ["Paris"], [], []]
    found = {metric.name: score(metric, answers, references) for metric in squad.METRIC}
    assert found == {
        "exact_match": 0.5,
        "f1": pytest.approx((1 + 2 / 3 + 1) / 4),
        "has_answer_exact_match": 0.5,
        "has_answer_f1": pytest.approx(5 / 6),
        "no_answer_exact_match": 0.5,
    }


def test_there_is_no_score_of_questions_that_the_set_does_not_have() -> None:
    assert np.isnan(score(NO_EM, ["Paris"], [["Paris"]]))
    assert np.isnan(score(HAS_F1, [""], [[]]))
    single = per_row(NO_EM, NO_EM.rows([{"answer": ""}] * 2, [["Paris"], []], (), {}), (), {})
    np.testing.assert_array_equal(single, [np.nan, 1])
