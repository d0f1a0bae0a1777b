"""ROUGE is the mean of `rouge_score` over rows; `test_parity_text.py` compares the rows."""

from __future__ import annotations

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from core.metrics.base import describe_options, resolve_options
from core.metrics.rouge import METRIC as ROUGES
from core.metrics.rouge import Rouge
from tests.metrics.texts import random_texts, score, statistics

ROUGE_1, _, ROUGE_L, ROUGE_LSUM = ROUGES

every_rouge = pytest.mark.parametrize("rouge", ROUGES, ids=[one.name for one in ROUGES])


@every_rouge
def test_the_value_is_the_mean_over_rows(rouge: Rouge) -> None:
    answers, references = random_texts(50, seed=3), random_texts(50, seed=4)
    scorer = RougeScorer([rouge.name])
    wanted = [scorer.score(*pair)[rouge.name].fmeasure for pair in zip(references, answers, strict=True)]
    assert score(rouge, answers, references) == pytest.approx(np.mean(wanted))


@every_rouge
def test_of_several_references_the_best_counts(rouge: Rouge) -> None:
    answers, first, second = (random_texts(300, seed) for seed in (5, 6, 7))
    together = statistics(rouge, answers, [list(pair) for pair in zip(first, second, strict=True)])
    apart = [statistics(rouge, answers, references) for references in (first, second)]
    np.testing.assert_array_equal(together, np.maximum(*apart))


def test_rouge_lsum_takes_each_line_for_a_sentence() -> None:
    swapped, reference = ["Dogs run fast.\nThe cat sat."], ["The cat sat.\nDogs run fast."]
    assert score(ROUGE_LSUM, swapped, reference) == 1.0
    assert score(ROUGE_L, swapped, reference) == pytest.approx(0.5)


def test_rouge_lsum_equals_rouge_l_where_there_are_no_lines() -> None:
    answers, references = (["".join(text.split("\n")) for text in random_texts(200, seed)] for seed in (8, 9))
    np.testing.assert_allclose(statistics(ROUGE_LSUM, answers, references), statistics(ROUGE_L, answers, references))


def test_a_word_that_was_stemmed_once_is_stemmed_alike_again() -> None:
    for _ in range(2):
        assert score(ROUGE_1, ["running cats"], ["run cat"], use_stemmer=True) == 1.0
    assert score(ROUGE_1, ["running cats"], ["run cat"]) == 0.0


def test_a_long_reference_is_scored_in_a_moment() -> None:
    article = "the quick brown fox jumps over a lazy dog. " * 1150
    assert len(article) > 49_000
    assert 0 < score(ROUGE_1, ["a quick dog jumps"], [article]) < 0.01


def test_the_stemmer_is_named_behind_the_score_only_where_it_is_used() -> None:
    assert describe_options(ROUGE_1, resolve_options(ROUGE_1, {})) == ""
    assert describe_options(ROUGE_1, resolve_options(ROUGE_1, {"rouge1_use_stemmer": True})) == "use_stemmer"
