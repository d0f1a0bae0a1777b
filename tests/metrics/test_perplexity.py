"""Likelihoods: what is divided by what."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics import perplexity
from core.metrics.base import overall

PERPLEXITY, BITS, PSEUDO = perplexity.METRIC
ROWS = [
    {"answer": "", "nll": np.log(4.0) * 3, "tokens": 3, "bytes": 2},
    {"answer": "", "nll": np.log(2.0) * 5, "tokens": 5, "bytes": 9},
]


def test_long_rows_weigh_more() -> None:
    for metric in (PERPLEXITY, PSEUDO):
        found = overall(metric, metric.rows(ROWS, [None, None], (), {}), (), {})
        assert found == pytest.approx(2 ** (11 / 8))
    assert overall(BITS, BITS.rows(ROWS, [None, None], (), {}), (), {}) == pytest.approx(1.0)


def test_a_model_that_knows_nothing_is_as_perplexed_as_it_has_words() -> None:
    row = [{"answer": "", "nll": np.log(50257.0) * 20, "tokens": 20}]
    assert overall(PERPLEXITY, PERPLEXITY.rows(row, [None], (), {}), (), {}) == pytest.approx(50257)


def test_an_empty_text_changes_nothing_and_has_no_value_alone() -> None:
    nothing = {"answer": "", "nll": 0.0, "tokens": 0, "bytes": 0}
    for metric in (PERPLEXITY, BITS):
        value = overall(metric, metric.rows(ROWS, [None] * 2, (), {}), (), {})
        assert overall(metric, metric.rows([*ROWS, nothing], [None] * 3, (), {}), (), {}) == value
        assert np.isnan(overall(metric, metric.rows([nothing], [None], (), {}), (), {}))


def test_a_text_that_a_model_finds_impossible_is_no_crash() -> None:
    row = [{"answer": "", "nll": 1e6, "tokens": 1}]
    assert overall(PERPLEXITY, PERPLEXITY.rows(row, [None], (), {}), (), {}) == np.inf
