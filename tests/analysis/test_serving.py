import math
from dataclasses import replace

import numpy as np
import pytest

from core import codec
from core.analysis import serving, serving_figure
from core.analysis.report import report
from core.analysis.serving import scenarios, server
from core.analysis.summary import analyse
from core.engine.serving import TOLERANCE
from core.records import Outcome, Protocol, RunResult, ServerSeries
from tests.analysis.factory import make_run, with_server

MS = 1_000_000


@pytest.fixture(scope="module")
def run():
    return with_server(make_run(3, 80, failed=1))


def outcome(*rates, **protocol):
    one = make_run(1, 20).outcomes[0]
    spec = replace(one.spec, protocol=replace(Protocol(server_p99_ms=50.0), **protocol))
    return replace(one, spec=spec, server=rates)


def tried(rate, slow=0, answered=1000, requests=1000):
    """So many requests of 5 ms, the last of them `slow` ones of 80 ms."""
    return ServerSeries(rate, requests, (5 * MS,) * (answered - slow) + (80 * MS,) * slow, (2,) * (answered // 2))


def test_a_trial_that_was_no_server_has_none():
    assert server(make_run(1, 20).outcomes[0]) is None
    assert server(outcome()) is None


def test_the_highest_rate_that_held_and_the_lowest_above_it_that_did_not():
    found = server(outcome(tried(40), tried(80, slow=11), tried(57, slow=10), tried(67, slow=40)))
    assert [(one.rate, one.held) for one in found.rates] == [(40, True), (57, True), (67, False), (80, False)]
    assert (found.highest, found.lost) == (57, 67)
    assert found.in_words == "57.0 requests/s with p99 under 50 ms (its interval reaches 80.0 ms), and not 67.0"


def test_what_was_lost_below_the_highest_rate_was_no_limit():
    found = server(outcome(tried(40, slow=11), tried(80)))
    assert (found.highest, found.enclosed) == (80, False)
    assert math.isnan(found.lost)


def test_p99_is_under_the_bound_exactly_where_the_rate_held():
    for slow, p99 in ((10, 5.0), (11, 80.0)):
        [one] = server(outcome(tried(40, slow=slow))).rates
        assert (one.p99_ms.value, one.late, one.held) == (p99, slow, slow == 10)
        assert one.p99_ms.low <= one.p99_ms.value <= one.p99_ms.high


def test_a_rate_that_held_narrowly_is_marked_and_its_interval_told():
    # Ranks 983 and 997 of 1,000 enclose the 99th percentile: of seven late ones, some lie within.
    narrow, sure = server(outcome(tried(40, slow=7))), server(outcome(tried(40, slow=2)))
    assert [one.rates[0].held for one in (narrow, sure)] == [True, True]
    assert [one.rates[0].sure for one in (narrow, sure)] == [False, True]
    assert "under 50 ms (its interval reaches 80.0 ms)" in narrow.in_words
    assert "interval" not in sure.in_words
    assert server(outcome(tried(40, slow=40), tried(90, slow=11, answered=30))).rates[0].sure


def test_a_rate_that_was_given_up_has_no_p99():
    [one] = server(outcome(tried(90, slow=11, answered=30))).rates
    assert (one.answered, one.requests, one.late, one.held) == (30, 1000, 11, False)
    assert math.isnan(one.p99_ms.value)
    assert math.isnan(one.p50_ms)


def test_a_p99_takes_a_thousand_requests():
    [one] = server(outcome(tried(90, answered=999, requests=999))).rates
    assert math.isnan(one.p99_ms.value)


def test_what_cannot_be_told_is_said():
    lowest = 1000 / 30
    slow = server(outcome(tried(50, slow=11, answered=20), tried(lowest, slow=11, answered=20)))
    assert math.isnan(slow.highest)
    assert slow.in_words.startswith("not 33.3 requests/s with p99 under 50 ms; whether fewer, 1,000 requests")
    assert "the search was not ended" in server(outcome(tried(50, slow=11, answered=20))).in_words
    assert (
        server(outcome(tried(50))).in_words == "at least 50.0 requests/s with p99 under 50 ms; the search was not ended"
    )


def test_all_scenarios_have_their_numbers_the_best_server_first(run: RunResult):
    rows, analysis = scenarios(analyse(run)), analyse(run)
    assert [row.name for row in rows] == [trial.name for trial in analysis.finished]
    rates = [row.server.highest for row in rows]
    assert rates == sorted(rates, reverse=True)
    for row in rows:
        trial = analysis.trial(row.trial)
        assert row.single_stream_ms == pytest.approx(np.quantile(trial.latency[1].values, 0.9))
        assert row.multi_stream_ms == pytest.approx(np.quantile(trial.latency[8].values, 0.9))
        assert (row.multi_stream_rows, row.offline) == (8, trial.speed.rows_per_second)
        assert row.server.highest < row.server.lost <= row.server.highest * (1 + TOLERANCE) * 1.001


def test_the_report_holds_every_rate_and_null_where_there_is_none(run: RunResult):
    trial = report(run)["trials"][0]
    document = trial["scenarios"]["server"]
    assert (document["p99_ms"], document["max_batch"]) == (100, 8)
    assert document["highest_rate"] == max(one["rate"] for one in document["rates"] if one["held"])
    given_up = next(one for one in document["rates"] if one["answered"] < one["requests"])
    assert given_up["p99_ms"] is given_up["p99_ms_low"] is None
    assert trial["scenarios"]["offline"]["rows_per_second"] == trial["throughput"]["rows_per_second"]
    assert report(make_run(1, 30))["trials"][0]["scenarios"]["server"] is None
    assert report(run)["trials"][-1]["scenarios"]["single_stream"]["p90_ms"] is None


def test_the_picture_has_the_bound_a_line_for_each_and_crosses_where_one_was_given_up(run: RunResult):
    figure = serving_figure.p99_over_rate(scenarios(analyse(run)))
    figure.to_json()
    assert [shape.y0 for shape in figure.layout.shapes] == [100]
    lines, crosses = figure.data[::2], figure.data[1::2]
    assert len(lines) == len(crosses) == 3
    for line in lines:
        assert [y <= 100 for y in line.y] == [symbol == "circle" for symbol in line.marker.symbol]
    assert min(min(cross.y) for cross in crosses if cross.y) > 100
    empty = serving_figure.p99_over_rate(scenarios(analyse(make_run(1, 30))))
    assert "No server scenario" in empty.layout.annotations[0].text


def test_where_nothing_held_the_picture_still_has_its_bound():
    slow = outcome(tried(50, slow=11, answered=20))
    run = make_run(1, 20)
    rows = scenarios(analyse(replace(run, outcomes=(slow,))))
    figure = serving_figure.p99_over_rate(rows)
    figure.to_json()
    assert [shape.y0 for shape in figure.layout.shapes] == [50]


def test_trials_that_were_stored_before_there_was_a_server_are_still_read():
    stored = codec.encode(make_run(1, 20).outcomes[0].spec)
    for name in ("server_p99_ms", "server_max_batch"):
        del stored["protocol"][name]
    assert codec.decode(type(make_run(1, 20).outcomes[0].spec), stored) == make_run(1, 20).outcomes[0].spec
    assert serving.server(Outcome("t", make_run(1, 20).outcomes[0].spec, "done")) is None
