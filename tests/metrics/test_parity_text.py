"""BLEU, chrF, TER, ROUGE and exact match equal sacrebleu, rouge_score and `evaluate`, row by row and over all rows."""

from __future__ import annotations

import string
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU as SacreBleu
from sacrebleu.metrics.chrf import CHRF as SacreChrf
from sacrebleu.metrics.ter import TER as SacreTer

from core.metrics.base import overall, per_row
from core.metrics.bleu import METRIC as BLEU
from core.metrics.chrf import METRIC as CHRFS
from core.metrics.exact_match import METRIC as EXACT_MATCH
from core.metrics.length_ratio import METRIC as LENGTH_RATIO
from core.metrics.rouge import METRIC as ROUGES
from core.metrics.ter import METRIC as TER
from tests.metrics.texts import options, random_references, random_texts, score, statistics

CHRF, CHRF_PLUS_PLUS = CHRFS
ROWS = 1000

ANSWERS = random_texts(ROWS, seed=1, longest=12)
REFERENCES = random_references(ANSWERS, seed=2, most=3)
"""As many of each answer as it happens: one, two or three."""

OPTIONS = [
    (BLEU, SacreBleu, {}),
    (BLEU, SacreBleu, {"tokenize": "intl", "lowercase": True}),
    (BLEU, SacreBleu, {"tokenize": "char", "smooth_method": "floor"}),
    (BLEU, SacreBleu, {"tokenize": "zh", "smooth_method": "add-k"}),
    (BLEU, SacreBleu, {"tokenize": "none", "smooth_method": "none"}),
    (BLEU, SacreBleu, {"use_effective_order": True}),
    (BLEU, SacreBleu, {"smooth_method": "add-k", "use_effective_order": True}),
    (BLEU, SacreBleu, {"smooth_method": "floor", "use_effective_order": True}),
    (CHRF, SacreChrf, {}),
    (CHRF, SacreChrf, {"lowercase": True, "whitespace": True, "beta": 1}),
    (CHRF, SacreChrf, {"eps_smoothing": True, "char_order": 4, "word_order": 1}),
    (CHRF_PLUS_PLUS, SacreChrf, {"word_order": 2}),
    (CHRF_PLUS_PLUS, SacreChrf, {"word_order": 2, "eps_smoothing": True, "beta": 3}),
    (TER, SacreTer, {}),
    (TER, SacreTer, {"normalized": True, "no_punct": True, "asian_support": True, "case_sensitive": True}),
]
with_every_options = pytest.mark.parametrize(
    ("metric", "library", "chosen"), OPTIONS, ids=[f"{metric.name}-{chosen}" for metric, _, chosen in OPTIONS]
)


def made(library: Any, chosen: dict[str, Any]) -> Any:
    """The library's metric, which calls one option by a shorter name."""
    named = {name.removeprefix("use_"): value for name, value in chosen.items()}
    return library(**named, **({"force": True} if library is SacreBleu else {}))


def library_score(library: Any, chosen: dict[str, Any], answers: list[str], references: list[list[str]]) -> float:
    return float(made(library, chosen).corpus_score(answers, list(zip_longest(*references))).score)


@with_every_options
def test_each_row_by_itself_and_all_together_equal_sacrebleu(metric: Any, library: Any, chosen: Any) -> None:
    found = statistics(metric, ANSWERS, REFERENCES, **chosen)
    scorer = made(library, chosen)
    wanted = [
        scorer.corpus_score([answer], [[text] for text in texts]).score
        for answer, texts in zip(ANSWERS, REFERENCES, strict=True)
    ]
    np.testing.assert_allclose(per_row(metric, found, (), options(metric, chosen)), wanted, rtol=1e-12, atol=1e-300)
    assert len({round(score) for score in wanted}) > 20
    together = overall(metric, found, (), options(metric, chosen))
    assert together == pytest.approx(library_score(library, chosen, ANSWERS, REFERENCES), rel=1e-12)
    assert 10 < together < 90


@with_every_options
@pytest.mark.parametrize(
    ("answers", "references"),
    [
        (["", ""], [[""], [""]]),
        (["", ""], [["a cat"], ["the mat on the floor"]]),
        (["a cat", "the mat on the floor"], [[""], [""]]),
        (["x y z", "q"], [["a b c d"], ["e"]]),
        (["cat"], [["cat"]]),
        (["cat sat on"], [["cat sat on", "", "a cat sat"]]),
    ],
    ids=["nothing", "no answers", "empty references", "nothing shared", "a word", "an empty reference among others"],
)
def test_texts_of_few_or_no_words_are_scored_as_by_sacrebleu(
    metric: Any, library: Any, chosen: Any, answers: Any, references: Any
) -> None:
    found = score(metric, answers, references, **chosen)
    assert found == pytest.approx(library_score(library, chosen, answers, references), rel=1e-12, abs=1e-300)


def test_the_length_ratio_is_that_of_bleu() -> None:
    wanted = SacreBleu(force=True).corpus_score(ANSWERS, list(zip_longest(*REFERENCES))).ratio
    assert score(LENGTH_RATIO, ANSWERS, REFERENCES) == wanted


@pytest.mark.parametrize("use_stemmer", [False, True])
def test_every_row_equals_rouge_score(use_stemmer: bool) -> None:
    scorer = RougeScorer([metric.name for metric in ROUGES], use_stemmer=use_stemmer)
    wanted = [scorer.score_multi(texts, answer) for answer, texts in zip(ANSWERS, REFERENCES, strict=True)]
    for metric in ROUGES:
        found = statistics(metric, ANSWERS, REFERENCES, use_stemmer=use_stemmer)
        np.testing.assert_array_equal(found[:, 0], [scores[metric.name].fmeasure for scores in wanted])
        np.testing.assert_array_equal(found[:, 1], 1)


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("ignore_punctuation", [False, True])
@pytest.mark.parametrize("ignore_numbers", [False, True])
def test_exact_match_equals_the_definition_of_evaluate(
    ignore_case: bool, ignore_punctuation: bool, ignore_numbers: bool
) -> None:
    short = random_texts(ROWS, seed=4, longest=2)
    given = np.array([text.strip() for text in short])
    wanted = np.array([text for (text,) in random_references(list(given), seed=5)])
    left, right = given, wanted
    if ignore_case:
        left, right = np.char.lower(left), np.char.lower(right)
    ignored = string.punctuation * ignore_punctuation + string.digits * ignore_numbers
    table = str.maketrans("", "", ignored)
    left, right = np.char.translate(left, table), np.char.translate(right, table)
    equal = (left == right) & ((left != "") | (given == wanted))
    found = statistics(
        EXACT_MATCH,
        given.tolist(),
        wanted.tolist(),
        ignore_case=ignore_case,
        ignore_punctuation=ignore_punctuation,
        ignore_numbers=ignore_numbers,
    )
    np.testing.assert_array_equal(found[:, 0], equal)
    assert 0.2 < equal.mean() < 0.9
