"""Where the wall time of a run goes."""

from __future__ import annotations

import pytest

from bench.profiled import Stopwatch
from bench.runner import beginnings, summary


def test_the_parts_add_up_to_the_wall_time() -> None:
    seconds = {
        "quality forward": 7.0,
        "latency forward": 1.0,
        "first call": 0.5,
        "reading": 0.2,
        "load": 1.0,
        "commit": 0.3,
    }
    found = summary(10.0, seconds)
    assert found["share"] == 0.85
    assert found["parts"]["load, the rest"] == pytest.approx(0.3)  # without the reading and the first call
    assert found["parts"]["all else"] == pytest.approx(1.0)
    assert sum(found["parts"].values()) == pytest.approx(10.0)
    assert found["commits"] == 0.3  # beside the others: models run meanwhile


def test_a_trial_begins_when_it_is_asked_for_and_the_first_is_left_out() -> None:
    watch = Stopwatch(claims=[10.0, 20.0, 30.0], first_batches=[13.0, 20.5, 30.4], loads=[1.0, 0.2, 0.3])
    assert beginnings(watch) == [0.3, 0.1]


def test_a_stopwatch_adds_up() -> None:
    watch = Stopwatch()
    watch.add("load", 1.0)
    with watch.timing("load"):
        pass
    assert 1.0 < watch.seconds["load"] < 1.5
