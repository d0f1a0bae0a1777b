import math
from dataclasses import replace

import pytest

from core import codec
from core.analysis.ranking import choose
from core.analysis.report import report
from core.analysis.summary import analyse
from core.analysis.writing import from_series, smallest, speed_ratios, table
from core.records import FixedLengthSeries, LatencySeries
from tests.analysis.factory import make_run, with_tokens

MS = 1_000_000


def series(first, decode, steps, tokens, batch_size=1, fixed=None):
    """Calls of 100 ms; times in ms."""
    zeros, forward = (0,) * len(first), (100 * MS,) * len(first)
    return LatencySeries(
        batch_size,
        zeros,
        forward,
        zeros,
        0,
        10,
        tuple(range(len(first))),
        "together",
        first_token_ns=tuple(value * MS for value in first),
        decode_ns=tuple(value * MS for value in decode),
        decode_steps=tuple(steps),
        tokens=tuple(tokens),
        fixed_length=fixed,
    )


def fixed(total, tokens):
    return FixedLengthSeries(tuple(value * MS for value in total), tuple(tokens), tuple(range(len(total))))


@pytest.fixture(scope="module")
def wrote():
    return analyse(with_tokens(make_run(3, 60, task="summarization")))


def test_the_first_token_has_a_median_and_a_tail_with_intervals():
    found = from_series(series(range(1, 102), [30] * 101, [10] * 101, [11] * 101))
    assert found.first_token_ms[50].value == 51
    assert found.first_token_ms[95].value == 96
    assert found.first_token_ms[50].low < 51 < found.first_token_ms[50].high
    assert 99 not in found.first_token_ms


def test_too_few_calls_have_no_tail():
    found = from_series(series([5] * 99, [30] * 99, [10] * 99, [11] * 99))
    assert 95 not in found.first_token_ms


def test_the_time_per_token_is_over_the_tokens_after_the_first():
    found = from_series(series([20] * 3, [30, 40, 50], [10, 10, 10], [11, 11, 11]))
    assert found.token_ms.value == 4


def test_texts_of_one_token_say_nothing_of_the_time_per_token():
    mixed = from_series(series([20] * 3, [0, 40, 0], [0, 10, 0], [1, 11, 1]))
    assert mixed.token_ms.value == 4
    alone = from_series(series([20] * 3, [0] * 3, [0] * 3, [1] * 3))
    assert math.isnan(alone.token_ms.value)
    assert "per token" not in alone.in_words


def test_tokens_per_second_are_those_at_a_fixed_length_of_all_rows_of_a_call():
    calls = fixed([500, 400, 1000], [128, 128, 128])
    found = from_series(series([20] * 2, [30] * 2, [3] * 2, [4, 2, 3, 1], batch_size=2, fixed=calls))
    assert found.tokens_per_second.value == 256  # 128 tokens in half a second
    assert (found.fixed_tokens, found.tokens_per_row) == (64, 2.5)


def test_a_series_without_tokens_is_none():
    assert from_series(replace(series([1], [1], [1], [1]), tokens=())) is None


def test_it_is_said_in_a_clause():
    calls = fixed([500] * 3, [64] * 3)
    found = from_series(series([35] * 101, [51] * 101, [10] * 101, [11] * 101, fixed=calls))
    assert (
        found.in_words
        == "first token after 35.0 ms (p95 35.0 ms), then 5.10 ms per token, 128 tokens/s at 64 tokens a row"
    )


def test_speeds_are_compared_request_by_request(wrote):
    against = wrote.finished[0].id
    ratios = speed_ratios(wrote, against, 1)
    assert {one.a for one in ratios} == {trial.id for trial in wrote.finished[1:]}
    assert {one.b for one in ratios} == {against}
    assert all(one.low <= one.ratio <= one.high and one.calls == 20 for one in ratios)
    mine, other = (trial.outcome.latency[0].fixed_length for trial in (wrote.trial(ratios[0].a), wrote.finished[0]))
    pairs = sorted(b / a for a, b in zip(mine.total_ns, other.total_ns, strict=True))
    assert ratios[0].ratio == pytest.approx((pairs[9] + pairs[10]) / 2)


def test_those_that_were_not_timed_together_are_not_compared(wrote):
    outcomes = wrote.run.outcomes
    apart = [replace(one, session="alone") for one in outcomes[1].latency]
    run = replace(wrote.run, outcomes=(outcomes[0], replace(outcomes[1], latency=tuple(apart)), outcomes[2]))
    assert [one.a for one in speed_ratios(analyse(run), outcomes[0].trial, 1)] == [outcomes[2].trial]


def test_a_model_that_does_not_write_beside_those_that_do_has_no_line(wrote):
    outcomes = wrote.run.outcomes
    silent = replace(outcomes[0], latency=make_run(3, 60, task="summarization").outcomes[0].latency)
    analysis = analyse(replace(wrote.run, outcomes=(silent, *outcomes[1:])))
    assert {row.trial for row in table(analysis, choose(analysis), 1).rows} == {one.trial for one in outcomes[1:]}
    assert len(smallest(analysis)) == 2


def test_the_table_has_the_earliest_first_token_first(wrote):
    found = table(wrote, choose(wrote), 8)
    medians = [row.writing.first_token_ms[50].value for row in found.rows]
    assert medians == sorted(medians)
    assert [math.isnan(row.beside.value) for row in found.rows].count(True) == 1


def test_the_report_says_it_of_trials_that_write(wrote):
    document = report(wrote.run)
    found = document["trials"][0]["generation"]["1"]
    assert found["first_token_ms_p50_low"] < found["first_token_ms_p50"] < found["first_token_ms_p95"]
    assert found["first_token_ms_p99"] is None
    assert found["fixed_tokens_per_row"] == 64
    assert found["token_ms"] > 0
    assert found["tokens_per_second"] > 0
    assert {one["batch_size"] for one in document["token_rate_ratios"]} == {1, 8}


def test_nothing_is_said_where_nobody_writes():
    run = make_run(2, 60)
    document = report(run)
    assert "token_rate_ratios" not in document
    assert all("generation" not in trial for trial in document["trials"])
    analysis = analyse(run)
    assert table(analysis, choose(analysis), 1) is None
    assert smallest(analysis) == []


def test_old_results_without_times_of_tokens_are_read_as_they_were():
    old = codec.encode(make_run(1, 10).outcomes[0].latency[0])
    for name in ("first_token_ns", "decode_ns", "decode_steps", "tokens", "fixed_length"):
        del old[name]
    assert from_series(codec.decode(LatencySeries, old)) is None
