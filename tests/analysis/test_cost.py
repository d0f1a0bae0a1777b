import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.cost import PRICES, cost, joules_per_row, per_million_rows, prices
from core.analysis.summary import analyse
from tests.analysis.factory import make_run

speeds = st.floats(1e-3, 1e6)
hourly = st.floats(0.001, 1000)


@given(speeds, hourly)
def test_half_the_speed_doubles_the_cost(rows_per_second, per_hour):
    assert per_million_rows(rows_per_second / 2, per_hour) == pytest.approx(
        2 * per_million_rows(rows_per_second, per_hour)
    )


@given(speeds, hourly)
def test_the_cost_is_the_price_times_the_hours_it_takes(rows_per_second, per_hour):
    hours = 1_000_000 / rows_per_second / 3600
    assert per_million_rows(rows_per_second, per_hour) == pytest.approx(hours * per_hour)


@pytest.mark.parametrize("unknown", [math.nan, 0.0])
def test_an_unknown_speed_or_price_has_no_cost(unknown):
    assert math.isnan(per_million_rows(unknown, 1.0))
    assert math.isnan(per_million_rows(100.0, None))


def test_a_machine_that_is_free_costs_nothing():
    assert per_million_rows(100.0, 0.0) == 0


def test_a_trial_costs_less_in_bulk_than_by_request():
    trial = analyse(make_run(1, 50)).trials[0]
    found = cost(trial, 0.03)
    assert found.in_bulk == pytest.approx(0.03 * 1e6 / 3600 / trial.speed.rows_per_second)
    assert found.by_request == pytest.approx(0.03 * 1e6 / 3600 / trial.latency[1].rows_per_second)


def test_a_trial_that_was_not_timed_has_no_cost_by_request():
    run = make_run(1, 50)
    untimed = replace(run, outcomes=tuple(replace(one, latency=()) for one in run.outcomes))
    found = cost(analyse(untimed).trials[0], 0.03)
    assert found.in_bulk > 0
    assert math.isnan(found.by_request)


def test_energy_is_told_per_row_that_was_measured_and_unknown_else():
    outcome = make_run(1, 50).outcomes[0]
    assert math.isnan(joules_per_row(outcome))
    assert math.isnan(joules_per_row(replace(outcome, environment={"energy_joules": None})))
    assert math.isnan(joules_per_row(replace(outcome, environment={"energy_joules": 0.0, "energy_rows": 0})))
    assert joules_per_row(replace(outcome, environment={"energy_joules": 30.0, "energy_rows": 40})) == 0.75


def test_each_device_has_its_own_prices_from_the_cheapest_on():
    assert {price.device for price in prices("cpu")} == {"cpu"}
    assert prices("mps") == ()
    assert len({price.name for price in PRICES}) == len(PRICES)
    for device in ("cpu", "cuda"):
        hourly = [price.per_hour for price in prices(device)]
        assert hourly == sorted(hourly)
