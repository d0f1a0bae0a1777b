import dataclasses

import numpy as np
import pytest

from core.analysis.summary import analyse
from core.analysis.variants import by_variant
from core.records import Variant
from tests.analysis.factory import CPU, make_run

INT8 = Variant(backend="onnxruntime", quantization="int8")
HALF = Variant(dtype="bfloat16")


def changed(run, *changes):
    """The run with fields of its outcomes replaced, in plan order."""
    outcomes = [dataclasses.replace(one, **fields) for one, fields in zip(run.outcomes, changes, strict=True)]
    return dataclasses.replace(run, outcomes=tuple(outcomes))


def timed(outcome, factor, session="one"):
    """Its times as `factor` times those that request i always takes."""
    series = outcome.latency[0]
    forward = tuple(int(1e6 * factor * (1 + number % 7)) for number in range(len(series.forward_ns)))
    nothing = (0,) * len(forward)
    return dataclasses.replace(
        series,
        preprocess_ns=nothing,
        forward_ns=forward,
        postprocess_ns=nothing,
        requests=tuple(range(len(forward))),
        session=session,
    )


def test_each_candidate_stands_beside_its_own_float32():
    run = make_run(6, 400, variants=(CPU, HALF, INT8), accuracies=[0.9, 0.9, 0.7, 0.8, 0.8, 0.8])
    rows = by_variant(analyse(run))
    assert [(row.model, row.variant, row.reference) for row in rows] == [
        (model, variant, variant == "CPU fp32")
        for model in ("model-00", "model-01")
        for variant in ("CPU fp32", "CPU bf16", "CPU int8, onnxruntime")
    ]
    assert rows[0].difference is None
    lost = rows[2].difference
    assert lost.difference == pytest.approx(rows[2].score.value - rows[0].score.value)
    assert lost.low < lost.difference < lost.high < 0
    assert lost.significant
    assert not rows[4].difference.significant


def test_p_values_are_corrected_within_the_candidate_only():
    many = make_run(8, 300, variants=(CPU, INT8), accuracies=[0.9, 0.86] + [0.9, 0.7] * 3)
    alone = dataclasses.replace(many, outcomes=many.outcomes[:2])
    assert by_variant(analyse(many))[1].difference.p_holm == by_variant(analyse(alone))[1].difference.p_holm


def test_speed_is_paired_by_request_where_both_were_timed_together():
    run = make_run(2, 100, variants=(CPU, INT8))
    together = [{"latency": (timed(one, factor),)} for one, factor in zip(run.outcomes, (1.0, 0.5), strict=True)]
    speed = by_variant(analyse(changed(run, *together)))[1].speed
    assert (speed.value, speed.low, speed.high) == pytest.approx((2, 2, 2))


def test_speed_is_not_compared_where_they_were_not_and_the_reason_is_told():
    run = make_run(2, 100, variants=(CPU, INT8))
    first, second = (timed(one, factor, name) for one, factor, name in zip(run.outcomes, (1, 0.5), "ab", strict=True))
    for series, reason in (
        (((first,), (second,)), "timed at another time than CPU fp32"),
        (((first,), ()), "not timed"),
        (((), (second,)), "CPU fp32 was not timed"),
        (((), ()), "not timed"),
    ):
        reference, row = by_variant(analyse(changed(run, *({"latency": one} for one in series))))
        assert np.isnan(row.speed.value)
        assert (reference.no_speed, row.no_speed) == ("", reason)


def test_rows_per_second_of_a_screened_float32_are_marked_and_never_a_speed():
    run = make_run(2, 100, variants=(CPU, HALF))
    screened = {"environment": {"screened": "bfloat16", "rechecked": 0.02}}
    rows = by_variant(analyse(changed(run, screened, {"latency": ()})))
    assert [row.screened for row in rows] == ["bfloat16", None]
    assert np.isnan(rows[1].speed.value)


def test_a_variant_that_failed_says_why():
    run = make_run(1, 100, variants=(CPU, INT8), failed=1)
    rows = by_variant(analyse(run))
    assert [row.failure is None for row in rows] == [True, False]
    assert rows[1].failure == run.outcomes[1].failure.message
    assert rows[1].difference is None
    assert np.isnan(rows[1].speed.value)


def test_what_was_prepared_ahead_of_time_is_told():
    run = make_run(2, 60, variants=(CPU, INT8))
    rows = by_variant(analyse(changed(run, {}, {"environment": {"prepare_seconds": 12.5}})))
    assert rows[1].prepare_seconds == 12.5
    assert np.isnan(rows[0].prepare_seconds)


def test_all_threads_are_the_reference_before_few():
    run = make_run(2, 60, variants=(Variant(threads=1), CPU))
    assert [(row.variant, row.reference) for row in by_variant(analyse(run))] == [
        ("CPU fp32", True),
        ("CPU fp32, 1 thread", False),
    ]


def test_without_float32_or_without_another_way_there_is_nothing_to_compare():
    assert by_variant(analyse(make_run(2, 60, variants=(HALF, INT8)))) == []
    assert by_variant(analyse(make_run(2, 60))) == []
