"""ROUGE equals rouge_score and the arithmetic of `evaluate`'s module."""

from __future__ import annotations

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from core import registry
from core.metrics.base import describe_options, resolve_options
from core.metrics.scoring import statistics, values

NAMES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
WORDS = [
    *("the", "a", "cat", "cats", "sat", "sitting", "on", "mat", "mats.", "Dogs", "run,", "running"),
    *("fast!", "fast?", "über", "42", "e-mail", "don't", "鶴"),
]


def texts(count: int, seed: int) -> list[str]:
    """Random texts of none to twenty words, some in several lines."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, 21, size=count)
    return [
        "".join(str(generator.choice(WORDS)) + str(generator.choice([" ", " ", "\n"])) for _ in range(n))
        for n in lengths
    ]


@pytest.mark.parametrize(("use_stemmer", "count"), [(False, 1000), (True, 200)])
def test_every_row_equals_rouge_score(use_stemmer: bool, count: int) -> None:
    answers, references = texts(count, seed=1), texts(count, seed=2)
    flat = {f"{name}_use_stemmer": use_stemmer for name in NAMES}
    found = statistics(NAMES, flat, (), [{"answer": answer} for answer in answers], references)
    scorer = RougeScorer(NAMES, use_stemmer=use_stemmer)
    wanted = [scorer.score(reference, answer) for reference, answer in zip(references, answers, strict=True)]
    for name in NAMES:
        np.testing.assert_array_equal(found[name][:, 0], [scores[name].fmeasure for scores in wanted])
        np.testing.assert_array_equal(found[name][:, 1], 1)


def test_the_value_is_the_mean_over_rows() -> None:
    answers, references = texts(50, seed=3), texts(50, seed=4)
    scorer = RougeScorer(NAMES)
    wanted = [scorer.score(reference, answer) for reference, answer in zip(references, answers, strict=True)]
    found = values(NAMES, {}, (), [{"answer": answer} for answer in answers], references)
    for name in NAMES:
        assert found[name] == pytest.approx(np.mean([scores[name].fmeasure for scores in wanted]))


def test_of_several_references_the_best_counts() -> None:
    answers, first, second = texts(300, seed=5), texts(300, seed=6), texts(300, seed=7)
    predictions = [{"answer": answer} for answer in answers]
    together = statistics(NAMES, {}, (), predictions, [list(pair) for pair in zip(first, second, strict=True)])
    apart = [statistics(NAMES, {}, (), predictions, references) for references in (first, second)]
    for name in NAMES:
        np.testing.assert_array_equal(together[name], np.maximum(apart[0][name], apart[1][name]))


def test_rouge_lsum_takes_each_line_for_a_sentence() -> None:
    swapped = [{"answer": "Dogs run fast.\nThe cat sat."}]
    reference = ["The cat sat.\nDogs run fast."]
    found = values(["rougeL", "rougeLsum"], {}, (), swapped, reference)
    assert found["rougeLsum"] == 1.0
    assert found["rougeL"] == pytest.approx(0.5)


def test_rouge_lsum_equals_rouge_l_where_there_are_no_lines() -> None:
    answers, references = (["".join(text.split("\n")) for text in texts(200, seed)] for seed in (8, 9))
    found = statistics(["rougeL", "rougeLsum"], {}, (), [{"answer": answer} for answer in answers], references)
    np.testing.assert_allclose(found["rougeLsum"], found["rougeL"])


def test_a_long_reference_is_scored_in_a_moment() -> None:
    article = "the quick brown fox jumps over a lazy dog. " * 1150
    found = values(NAMES, {}, (), [{"answer": "a quick dog jumps"}], [article])
    assert len(article) > 49_000
    assert 0 < found["rouge1"] < 0.01


def test_the_stemmer_is_named_behind_the_score_only_where_it_is_used() -> None:
    metric = registry.metric("rouge1")
    assert describe_options(metric, resolve_options(metric, {})) == ""
    assert describe_options(metric, resolve_options(metric, {"rouge1_use_stemmer": True})) == "use_stemmer"
