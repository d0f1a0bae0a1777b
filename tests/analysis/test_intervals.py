import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from core import registry
from core.analysis.intervals import bootstrap_weights, score, weighted_totals, wilson
from core.metrics.base import resolve_options

LABELS = ("a", "b", "c")
TASK = registry.task("text-classification")


def said(answers):
    return [{"answer": answer} for answer in answers]


def scored(name: str, answers: list[str], references: list[str]):
    metric = registry.metric(name, TASK)
    options = resolve_options(metric, {})
    return score(metric, metric.rows(said(answers), references, LABELS, options), LABELS, options)


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
def test_a_value_lies_in_its_interval(rows):
    answers, references = zip(*rows, strict=True)
    for name in ("accuracy", "precision", "recall", "f1"):
        found = scored(name, answers, references)
        assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("name", ["accuracy", "f1"])
def test_more_rows_give_a_narrower_interval(name):
    answers, references = list("aaabbbcccc") * 5, list("aabbbcccca") * 5
    few, many = scored(name, answers, references), scored(name, answers * 16, references * 16)
    assert math.isclose(few.value, many.value)
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_no_rows_have_no_score():
    assert all(math.isnan(number) for number in vars(scored("accuracy", [], [])).values())


@pytest.mark.parametrize("name", ["accuracy", "f1"])
@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong_still_have_a_width(name, right):
    references = ["a", "b"] * 10
    found = scored(name, references if right else ["c"] * 20, references)
    assert found.value == float(right)
    assert found.high - found.low == pytest.approx(0.161, abs=0.01)


@given(st.integers(1, 500), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_wilson_equals_scipy(n, share):
    hits = round(share * n)
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    low, high = wilson(hits, n)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_every_resample_draws_as_many_rows_as_there_are():
    for n in (1, 7, 5000):
        assert (bootstrap_weights(n).sum(axis=1) == n).all()


def test_the_draw_is_the_same_every_time():
    first = bootstrap_weights(50).copy()
    bootstrap_weights.cache_clear()
    assert np.array_equal(first, bootstrap_weights(50))


def test_weighted_totals_are_the_sums_of_the_drawn_rows():
    generator = np.random.default_rng(1)
    weights, statistics = bootstrap_weights(6000), generator.random((6000, 3))
    assert np.allclose(weighted_totals(weights, statistics), weights.astype(float) @ statistics, rtol=1e-5)


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(3)
    metric = registry.metric("f1", TASK)
    options = resolve_options(metric, {"f1_average": "micro"})  # of two labels: the share of right rows, here 0.8
    hits = 0
    for _ in range(120):
        references = generator.choice(["a", "b"], size=120).tolist()
        wrong = generator.random(120) > 0.8
        answers = [("b" if one == "a" else "a") if miss else one for one, miss in zip(references, wrong, strict=True)]
        found = score(metric, metric.rows(said(answers), references, ("a", "b"), options), ("a", "b"), options)
        hits += found.low <= 0.8 <= found.high
    assert 0.88 <= hits / 120 <= 0.99
