"""A threshold is chosen on rows that are not judged by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from core import registry
from core.metrics.base import overall, resolve_options
from core.metrics.tuned_f1 import best_threshold

METRIC = next(metric for metric in registry.metrics() if metric.name == "tuned_f1")
LABELS = ("a", "b", "c")
THRESHOLDS = sorted(np.arange(1, 100) / 100, key=lambda threshold: abs(threshold - 0.5))


def rows_of(seed: int, n: int = 60, sure: float = 1.0) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Predictions whose probabilities reach `sure` at most, and references."""
    generator = np.random.default_rng(seed)
    wanted = generator.random((n, len(LABELS))) < (0.5, 0.3, 0.1)
    scores = ((wanted * 0.5 + generator.random(wanted.shape)).clip(0, 1.4) / 1.4 * sure).round(4)
    references = [[label for label, has in zip(LABELS, row, strict=True) if has] for row in wanted]
    return [{"answer": [], "probabilities": row.tolist()} for row in scores], references


def f1(wanted: NDArray[np.bool_], answered: NDArray[np.bool_], average: str) -> float:
    right, whole = (wanted & answered).sum(axis=0), wanted.sum(axis=0) + answered.sum(axis=0)
    if average == "micro":
        return 2 * right.sum() / whole.sum()
    return float((2 * right[whole > 0] / whole[whole > 0]).mean())


def by_hand(statistics: NDArray[Any], average: str) -> float:
    half, wanted, scores = statistics[:, 0], statistics[:, 1:4] > 0, statistics[:, 4:]
    answered = np.zeros_like(wanted)
    for judged in (0, 1):
        others = half != judged
        reached = [f1(wanted[others], scores[others] > threshold, average) for threshold in THRESHOLDS]
        answered[~others] = scores[~others] > THRESHOLDS[int(np.argmax(np.round(reached, 12)))]
    return f1(wanted, answered, average)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_each_half_is_judged_at_the_best_threshold_of_the_other(average: str) -> None:
    options = resolve_options(METRIC, {"tuned_f1_average": average})
    for seed in range(20):
        statistics = METRIC.rows(*rows_of(seed, sure=0.6), LABELS, options)
        assert overall(METRIC, statistics, LABELS, options) == pytest.approx(by_hand(statistics, average))
        weights = np.random.default_rng(seed).integers(0, 3, size=(2, len(statistics)))
        found = METRIC.weighted(statistics, weights, LABELS, options)
        for line, value in zip(weights, found, strict=True):
            assert value == pytest.approx(by_hand(np.repeat(statistics, line, axis=0), average))


def test_a_model_that_is_right_but_timid_reaches_what_it_would_at_its_own_threshold() -> None:
    predictions = [{"answer": [], "probabilities": [0.2 * (row % 2), 0.0, 0.0]} for row in range(40)]
    references = [["a"] if row % 2 else [] for row in range(40)]
    # Every row differs a little, as real ones do.
    for row, prediction in enumerate(predictions):
        prediction["probabilities"][2] = round(row / 1000, 4)
    options = resolve_options(METRIC, {})
    statistics = METRIC.rows(predictions, references, LABELS, options)
    assert overall(METRIC, statistics, LABELS, options) == 1.0
    task = registry.task("multi-label-classification")
    f1 = registry.metric("f1", task)
    assert (
        overall(f1, f1.rows(predictions, references, LABELS, {"average": "micro"}), LABELS, {"average": "micro"}) == 0
    )


def test_the_best_threshold_of_all_rows_is_what_a_plan_would_say() -> None:
    options = resolve_options(METRIC, {})
    predictions, references = rows_of(7, sure=0.5)
    statistics = METRIC.rows(predictions, references, LABELS, options)
    wanted, scores = statistics[:, 1:4] > 0, statistics[:, 4:]
    scored = {threshold: f1_score(wanted, scores > threshold, average="micro") for threshold in THRESHOLDS}
    assert scored[best_threshold(statistics, LABELS, options)] == max(scored.values())


def test_copies_of_a_row_stand_in_one_half_and_rows_are_divided_about_equally() -> None:
    predictions, references = rows_of(0, n=400)
    half = METRIC.rows(predictions * 2, references * 2, LABELS, {})[:, 0]
    assert (half[:400] == half[400:]).all()
    assert 0.4 < half.mean() < 0.6


def test_a_row_that_has_no_other_half_is_judged_at_one_half() -> None:
    predictions = [{"answer": ["a"], "probabilities": [0.51, 0.5, 0.0]}]
    options = resolve_options(METRIC, {})
    assert overall(METRIC, METRIC.rows(predictions, [["a"]], LABELS, options), LABELS, options) == 1.0
