import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis import latency_ratio
from core.analysis.latency_ratio import bootstrap_interval, duplicates_cv, median_interval, noise_floor, ratios
from core.analysis.ranking import choose, rank
from core.analysis.report import report
from core.analysis.summary import analyse
from core.records import LatencySeries
from tests.analysis.factory import make_run


def series(totals, requests=None, session="s", again=()):
    zeros = (0,) * len(totals)
    forward = tuple(int(total) for total in totals)
    asked = tuple(range(len(totals))) if requests is None else tuple(requests)
    return LatencySeries(1, zeros, forward, zeros, 0, 10, asked, session, tuple(int(value) for value in again))


def run_of(*latencies):
    """A run whose trials have these series."""
    run = make_run(len(latencies), 40)
    outcomes = [replace(one, latency=(two,)) for one, two in zip(run.outcomes, latencies, strict=True)]
    return replace(run, outcomes=tuple(outcomes))


def test_a_ratio_is_the_median_over_requests_and_not_the_ratio_of_medians():
    """The machine is ten times slower for half of the requests of one trial's calls only where both were asked."""
    slow = np.array([1e6, 1e7] * 50)
    analysis = analyse(run_of(series(slow), series(slow * 1.5)))
    first, second = analysis.trials
    [one] = ratios(analysis, first.id, 1)
    assert (one.a, one.b, one.batch_size, one.calls) == (second.id, first.id, 1, 100)
    assert (one.ratio, one.low, one.high) == pytest.approx((1.5, 1.5, 1.5))
    [back] = ratios(analysis, second.id, 1)
    assert back.ratio == pytest.approx(1 / 1.5)


def test_only_calls_of_the_same_request_are_pairs():
    analysis = analyse(run_of(series([1e6] * 8, range(8)), series([9e6, 2e6, 2e6], [90, 3, 5])))
    [one] = ratios(analysis, analysis.trials[0].id, 1)
    assert (one.ratio, one.calls) == (2.0, 2)
    assert math.isnan(one.low)


def test_what_was_timed_apart_has_no_ratio():
    analysis = analyse(run_of(series([1e6] * 20), series([2e6] * 20, session="another"), series([3e6] * 20, (), "s")))
    assert ratios(analysis, analysis.trials[0].id, 1) == []
    document = report(analysis.run)
    assert document["latency_ratios"] == []
    assert document["latency_not_compared"]["1"]["reason"].startswith("timed at another time (another block, because")
    assert set(document["latency_not_compared"]["1"]["trials"]) == {one.id for one in analysis.trials} - {
        document["winner"]
    }


def test_the_choice_says_where_the_tied_were_not_timed_together():
    run = make_run(2, 60, accuracies=(0.8, 0.8))
    less_sure = " Not all of these were timed together: which is the fastest is less sure."
    assert less_sure not in rank(run).reason
    for session in ("another", ""):
        later = tuple(replace(one, session=session) for one in run.outcomes[1].latency)
        apart = replace(run, outcomes=(run.outcomes[0], replace(run.outcomes[1], latency=later)))
        assert rank(apart).reason == rank(run).reason + less_sure
    alone = replace(run, outcomes=(run.outcomes[0], replace(run.outcomes[1], latency=())))
    assert less_sure not in rank(alone).reason


def test_times_of_before_joint_measurements_have_neither_ratio_nor_floor():
    old = [replace(series([1e6] * 20), requests=(), session="") for _ in range(2)]
    analysis = analyse(run_of(*old))
    assert ratios(analysis, analysis.trials[0].id, 1) == []
    assert noise_floor(analysis, 1) is None
    document = report(analysis.run)
    assert (document["latency_ratios"], document["noise_floor"]) == ([], {})


@pytest.mark.parametrize(
    ("again", "noisy"),
    [(1.0, False), (1.04, False), (1.08, True), (0.9, True)],
)
def test_a_trial_that_is_surely_slower_than_itself_was_timed_on_a_noisy_machine(again, noisy):
    totals = np.random.default_rng(0).lognormal(14, 0.2, size=100)
    analysis = analyse(run_of(series(totals, again=totals * again), series(totals)))
    floor = noise_floor(analysis, 1)
    assert floor.ratio.value == pytest.approx(again, rel=1e-4)
    assert floor.noisy is noisy
    assert floor.floor == pytest.approx(max(again, 1 / again) - 1, abs=1e-4)


def test_a_machine_that_doubles_every_third_call_is_too_noisy():
    generator = np.random.default_rng(0)
    totals, again = (1e6 * np.where(generator.random(1000) < 1 / 3, 2, 1) for _ in range(2))
    floor = noise_floor(analyse(run_of(series(totals, again=again), series(totals))), 1)
    assert floor.cv == pytest.approx(0.31, abs=0.02)
    assert floor.noisy


def test_the_variation_of_duplicates_is_the_one_they_were_drawn_with():
    first, second = np.random.default_rng(0).normal(100, 8, size=(2, 20_000))
    assert duplicates_cv(first, second) == pytest.approx(0.08, rel=0.02)


@pytest.mark.parametrize("n", [7, 30, 101])
def test_the_interval_of_independent_values_is_the_bootstraps(n):
    generator = np.random.default_rng(n)
    values = generator.lognormal(size=n)
    drawn = np.median(values[generator.integers(n, size=(20_000, n))], axis=1)
    found = bootstrap_interval(values)
    near = np.sort(values)
    for bound, quantile in ((found.low, 0.025), (found.high, 0.975)):
        place = np.searchsorted(near, np.quantile(drawn, quantile))
        assert near[max(place - 1, 0)] <= bound <= near[min(place + 1, n - 1)]


def test_intervals_of_ratios_cover_the_truth():
    generator = np.random.default_rng(1)
    calls = [1.2 * generator.lognormal(0, 0.15, size=100) for _ in range(400)]
    assert 0.92 <= coverage(bootstrap_interval, calls, 1.2) <= 0.985
    assert coverage(median_interval, calls, 1.2) >= 0.95


def test_intervals_hold_where_a_neighbour_comes_and_goes():
    generator = np.random.default_rng(2)
    calls = [bursts(generator, 200) for _ in range(400)]
    truth = float(np.median(bursts(generator, 400_000)))
    assert coverage(bootstrap_interval, calls, truth) < 0.9, "else bursts make no difference"
    assert coverage(median_interval, calls, truth) >= 0.93


def coverage(interval, calls, truth):
    """Share of the intervals that hold it."""
    found = [interval(one) for one in calls]
    return np.mean([one.low <= truth <= one.high for one in found])


def bursts(generator, calls):
    """Ratios of which some dozens at a time are disturbed: they vary more, and are larger by 6 %."""
    lengths = generator.geometric(1 / np.tile([40, 60], calls))
    busy = np.repeat(np.tile([True, False], calls), lengths)[60 : 60 + calls]
    busy = np.roll(busy, generator.integers(calls))
    return np.exp(0.06 * busy + np.where(busy, 0.2, 0.06) * generator.standard_normal(calls))


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=200))
@settings(max_examples=60, deadline=None)
def test_a_median_lies_between_its_bounds(values):
    found = median_interval(np.array(values))
    assert math.isnan(found.low) or found.low <= found.value <= found.high


def test_the_report_has_the_ratio_to_the_chosen_one_and_the_noise_floor():
    run = make_run(3, 60)
    document, analysis = report(run), analyse(run)
    against = latency_ratio.baseline(analysis, choose(analysis), 1)
    assert against == document["winner"]
    assert {(one["a"], one["b"]) for one in document["latency_ratios"] if one["batch_size"] == 1} == {
        (trial.id, against) for trial in analysis.trials if trial.id != against
    }
    for one in document["latency_ratios"]:
        assert one["low"] < one["ratio"] < one["high"]
        assert one["calls"] == 120
    assert document["noise_floor"].keys() == {"1", "8"}
    assert document["noise_floor"]["1"]["noisy"] is False


def test_the_table_says_who_is_slower_than_the_chosen_one_beyond_the_noise():
    totals = np.random.default_rng(0).lognormal(14, 0.2, size=100)
    noise = np.random.default_rng(1).lognormal(0, 0.05, size=(3, 100))
    parts = (series(totals, again=totals * 1.03), series(totals * 1.02 * noise[1]), series(totals * 1.3 * noise[2]))
    analysis = analyse(run_of(*parts))
    chosen = replace(choose(analysis), winner=analysis.trials[0].id)
    table = latency_ratio.table(analysis, chosen, 1)
    assert [(row.trial, row.verdict) for row in table.rows] == [
        (analysis.trials[1].id, "no difference seen"),
        (analysis.trials[2].id, "slower"),
    ]
    assert table.against == analysis.trials[0].name
    back = latency_ratio.table(analysis, replace(chosen, winner=analysis.trials[2].id), 1)
    assert [row.verdict for row in back.rows] == ["faster", "faster"]
    assert latency_ratio.table(analysis, chosen, 64) is None


def test_without_a_chosen_one_the_fastest_is_compared_with():
    analysis = analyse(run_of(series([3e6] * 9), series([1e6] * 9, session="other")))
    table = latency_ratio.table(analysis, replace(choose(analysis), winner=None), 1)
    assert (table.against, table.rows, table.missing) == (analysis.trials[1].name, (), (analysis.trials[0].name,))


def test_the_noise_floor_in_words():
    totals = np.full(100, 1e6)
    floor = noise_floor(analyse(run_of(series(totals, again=totals * 1.02), series(totals))), 1)
    assert latency_ratio.noise_in_words(floor) == (
        "One trial was timed twice on each of 100 requests: the second time took 1.020 × the first (1.020–1.020), so "
        "ratios within 2.0% of 1 may be the machine's doing. Times of the same request vary by 1%."
    )
