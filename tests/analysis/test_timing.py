import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.timing import from_series, quantile, throughput
from core.records import Chunk, LatencySeries


def series(milliseconds, batch_size=1):
    forward = tuple(int(value * 1e6) for value in milliseconds)
    zeros = (0,) * len(forward)
    return LatencySeries(batch_size, zeros, forward, zeros, first_call_ns=9_000_000, warmup_calls=3)


@pytest.mark.parametrize(
    ("calls", "known"), [(1, {50, 90}), (99, {50, 90}), (100, {50, 90, 95}), (1000, {50, 90, 95, 99})]
)
def test_a_percentile_is_reported_only_from_enough_calls(calls, known):
    assert set(from_series(series(range(1, calls + 1))).percentiles) == known


def test_a_series_without_a_call_is_no_latency():
    assert from_series(series([])) is None


def test_numbers_of_a_series():
    latency = from_series(series([1, 2, 3, 4], batch_size=8))
    assert (latency.calls, latency.mean, latency.median.value, latency.first_call) == (4, 2.5, 2.5, 9.0)
    assert latency.rows_per_second == 8 / 0.0025
    assert latency.stages == {"preprocess": 0.0, "forward": 2.5, "postprocess": 0.0}
    assert math.isnan(latency.device)


def test_what_a_gpu_counted_of_the_forward_pass_is_a_mean_of_its_own():
    clocked = replace(series([4, 6]), device_ns=(1_000_000, 2_000_000))
    assert (from_series(clocked).device, from_series(clocked).stages["forward"]) == (1.5, 5.0)


@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.95]))
@settings(max_examples=60, deadline=None)
def test_a_quantile_lies_between_its_bounds(values, q):
    found = quantile(np.sort(values), q)
    assert math.isnan(found.low) or found.low <= found.value
    assert math.isnan(found.high) or found.value <= found.high


def test_bounds_beyond_the_data_do_not_exist():
    found = quantile(np.arange(5.0), 0.5)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_quantile_intervals_cover_the_truth(q):
    generator = np.random.default_rng(0)
    truth, hits = np.quantile(generator.lognormal(size=1_000_000), q), 0
    for _ in range(400):
        found = quantile(np.sort(generator.lognormal(size=120)), q)
        hits += found.low <= truth <= found.high
    assert hits / 400 >= 0.93


def test_throughput_is_rows_and_units_over_the_time_of_the_passes():
    chunks = [Chunk((0, 1), ({}, {}), {}, seconds=0.5, units=30), Chunk((2,), ({},), {}, seconds=0.5, units=10)]
    assert throughput(chunks).rows_per_second == 3
    assert throughput(chunks).units_per_second == 40
    assert math.isnan(throughput([]).rows_per_second)


def test_throughput_says_whether_rows_were_screened():
    chunks = [Chunk((0, 1), ({}, {}), {}, seconds=0.5, units=30)]
    assert throughput(chunks, {"torch": "2"}).screened is None
    screened = throughput(chunks, {"screened": "bfloat16", "rechecked": 0.015})
    assert (screened.rows_per_second, screened.screened, screened.rechecked) == (4, "bfloat16", 0.015)
