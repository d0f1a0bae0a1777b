"""Resamples are computed some at a time, and nothing shows where one lot ends."""

from __future__ import annotations

import numpy as np
import pytest

from core import registry
from core.metrics.base import Metric, Resampled, resolve_options
from core.metrics.resampling import blocks, grouping

N = 300
LABELS = tuple("abc")
MEASURED = ("roc_auc", "average_precision", "tuned_f1", "spearman", "pearson")


def statistics(metric: Metric) -> np.ndarray:
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(3), N).round(2)
    predictions = [{"answer": float(row[0]), "probabilities": row.tolist()} for row in scores]
    names = generator.choice(LABELS, N).tolist()
    references = {"label": names, "labels": [[name] for name in names], "number": generator.random(N).tolist()}
    return metric.rows(predictions, references[metric.kinds[0]], LABELS, resolve_options(metric, {}))


@pytest.mark.parametrize(
    "metric", [one for one in registry.metrics() if one.name in MEASURED], ids=lambda metric: metric.name
)
def test_resamples_in_several_blocks_equal_those_one_by_one(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.metrics.resampling._BLOCK", 4 * N)
    assert isinstance(metric, Resampled)
    weights = np.random.default_rng(1).multinomial(N, np.full(N, 1 / N), size=11).astype(np.uint8)
    weights[3] = 0
    rows, options = statistics(metric), resolve_options(metric, {})
    found = metric.weighted(rows, weights, LABELS, options)
    one_by_one = [metric.weighted(rows, line[None], LABELS, options)[0] for line in weights]
    np.testing.assert_allclose(found, one_by_one)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]


def test_blocks_cover_all_resamples_and_none_is_wider_than_what_the_caller_makes() -> None:
    weights = np.arange(7 * 10).reshape(7, 10)
    found = list(blocks(weights, width=1_000_000))
    assert [block.shape for _, block in found] == [(10, 2), (10, 2), (10, 2), (10, 1)]
    np.testing.assert_array_equal(np.hstack([block for _, block in found]).T, weights)
    for chosen, block in found:
        np.testing.assert_array_equal(weights[chosen], block.T)


def test_rows_are_summed_by_group_and_may_stand_in_several() -> None:
    groups, rows = np.array([0, 0, 2, 2]), np.array([0, 1, 1, 1])
    np.testing.assert_array_equal(
        grouping(groups, 3, rows, n=2) @ np.array([[1.0, 10.0], [2.0, 20.0]]), [[3, 30], [0, 0], [4, 40]]
    )
