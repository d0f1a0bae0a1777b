import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from core import registry
from core.analysis.paired import compare, detectable_difference, holm, mcnemar, newcombe, rows_needed
from core.metrics.base import resolve_options

LABELS = ("a", "b")
TASK = registry.task("text-classification")


def said(answers):
    return [{"answer": answer} for answer in answers]


def pairs_of(name, *answers, references, baseline=None):
    metric = registry.metric(name, TASK)
    options = resolve_options(metric, {})
    statistics = [metric.rows(said(one), references, LABELS, options) for one in answers]
    return compare([f"t{i}" for i in range(len(answers))], metric, statistics, LABELS, options, baseline)


def flipped(references, rows):
    return [("b" if one == "a" else "a") if row in rows else one for row, one in enumerate(references)]


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_mcnemar_equals_the_exact_binomial_test(only_a, only_b):
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert float(mcnemar(only_a, only_b)) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(values):
    p = np.array(values)
    corrected = holm(p)
    assert (corrected >= p - 1e-12).all()
    assert (corrected <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
    assert corrected.min() == pytest.approx(min(1, p.min() * len(p)))


def test_holm_as_in_the_textbook():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_newcombe_as_in_his_paper():
    # Table II of Newcombe 1998, method 10: (e, f, g, h) = (36, 12, 2, 0).
    low, high = newcombe(*(np.array([float(count)]) for count in (36, 12, 2, 0)))
    assert (low[0], high[0]) == pytest.approx((0.0569, 0.3404), abs=5e-4)


def test_a_pair_of_right_and_wrong_rows():
    references = ["a", "b"] * 50
    first, second = flipped(references, {0, 1}), flipped(references, set(range(12)))
    (pair,) = pairs_of("accuracy", first, second, references=references)
    assert (pair.a, pair.b, pair.rows) == ("t0", "t1", 100)
    assert pair.difference == pytest.approx(0.1)
    assert pair.p == pytest.approx(binomtest(0, 10).pvalue)
    assert pair.low < pair.difference < pair.high
    assert pair.seen_from("t1").difference == pytest.approx(-0.1)
    assert pair.seen_from("t1").low == -pair.high


@pytest.mark.parametrize("name", ["accuracy", "f1"])
def test_a_trial_does_not_differ_from_itself(name):
    references = ["a", "b"] * 20
    answers = flipped(references, {3, 4})
    (pair,) = pairs_of(name, answers, answers, references=references)
    assert (pair.difference, pair.p) == (0, 1)
    assert not pair.significant


def test_a_baseline_is_compared_with_every_other_trial_and_corrected_over_those_alone():
    references = ["a", "b"] * 40
    answers = [flipped(references, set(range(wrong))) for wrong in (2, 9, 10, 11)]
    family = pairs_of("accuracy", *answers, references=references, baseline="t0")
    everything = pairs_of("accuracy", *answers, references=references)
    assert [(pair.a, pair.b) for pair in family] == [("t0", "t1"), ("t0", "t2"), ("t0", "t3")]
    assert len(everything) == 6
    assert [pair.p for pair in family] == [pair.p for pair in everything[:3]]
    assert all(one.p_holm <= other.p_holm for one, other in zip(family, everything[:3], strict=True))


def test_the_permutation_test_agrees_with_mcnemar_where_both_apply():
    """Of two labels, micro F1 is accuracy."""
    references = ["a", "b"] * 100
    first, second = flipped(references, set(range(20))), flipped(references, set(range(10, 44)))
    metric = registry.metric("f1", TASK)
    options = resolve_options(metric, {"f1_average": "micro"})
    statistics = [metric.rows(said(one), references, LABELS, options) for one in (first, second)]
    (pair,) = compare(["t0", "t1"], metric, statistics, LABELS, options)
    assert pair.p == pytest.approx(float(mcnemar(24, 10)), abs=0.02)


def test_a_clear_difference_of_a_resampled_metric_has_a_tiny_p():
    references = ["a", "b"] * 200
    (pair,) = pairs_of("f1", references, flipped(references, set(range(120))), references=references)
    assert pair.p < 1e-12


def test_few_differing_rows_cannot_be_significant_whatever_the_metric():
    references = ["a", "b"] * 3
    (pair,) = pairs_of("f1", references, flipped(references, {0, 1, 2, 3}), references=references)
    assert pair.p >= 2**-3


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_equal_models_are_rarely_told_apart(metric):
    generator = np.random.default_rng(5)
    told = 0
    for _ in range(60):
        references = ["a", "b"] * 60
        one, other = (flipped(references, set(np.flatnonzero(generator.random(120) < 0.2))) for _ in range(2))
        told += pairs_of(metric, one, other, references=references)[0].significant
    assert told <= 7  # of 60; 3 are expected


def test_rows_needed_falls_with_the_difference_and_is_none_without_one():
    references = ["a", "b"] * 100
    perfect = references
    (narrow,) = pairs_of("accuracy", perfect, flipped(references, {0, 1, 2}), references=references)
    (wide,) = pairs_of("accuracy", perfect, flipped(references, set(range(20))), references=references)
    (none,) = pairs_of("accuracy", perfect, perfect, references=references)
    assert rows_needed(wide) < 200 < rows_needed(narrow)
    assert rows_needed(none) is None


def test_rows_needed_has_the_power_it_promises():
    """Discordant 10 % and 4 %: McNemar's test should find it in about 80 % of samples of that size."""
    references = ["a"] * 100
    one, other = flipped(references, set(range(4))), flipped(references, set(range(4, 14)))
    n = rows_needed(pairs_of("accuracy", one, other, references=references)[0])
    counts = np.random.default_rng(0).multinomial(n, [0.10, 0.04, 0.86], size=2000)
    assert np.mean(mcnemar(counts[:, 0], counts[:, 1]) < 0.05) == pytest.approx(0.8, abs=0.06)


def test_more_rows_show_smaller_differences():
    found = [detectable_difference(n) for n in (50, 500, 5000)]
    assert found == sorted(found, reverse=True)
    assert found[1] == pytest.approx(0.039, abs=0.001)
    assert detectable_difference(5) is None


@pytest.mark.parametrize(("n", "discordant"), [(200, 0.1), (500, 0.18), (2000, 0.05)])
def test_a_detectable_difference_is_one_that_the_exact_test_finds(n, discordant):
    rows, wanted = round(n * discordant), detectable_difference(n, discordant=discordant) * n
    over = int(np.ceil((rows + wanted) / 2))
    assert mcnemar(over, rows - over) < 0.05
    assert mcnemar(over - 2, rows - over + 2) > 0.05
