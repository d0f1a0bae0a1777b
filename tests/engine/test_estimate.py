from dataclasses import replace

import pytest

from core.engine import environment
from core.engine.estimate import estimate
from core.engine.prepare import Prepared
from core.records import Candidate, Chunk, DatasetSpec, EvalSet, Outcome, Plan, PlanCandidate, Protocol, Variant
from tests.engine.tiny import QUICK


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(environment, "cores", lambda: 2)


def prepared(spec, *sizes, rows=1000, source="hub", **changes):
    texts = tuple({"text": "four words stand here"} for _ in range(rows))
    names = tuple(str(number) for number in range(rows))
    evalset = EvalSet("rows", "text-classification", names, texts, names)
    candidates = tuple(
        Candidate(source, f"org/{number}", "0", parameters=size, download_bytes=size and size * 4)
        for number, size in enumerate(sizes)
    )
    specs = tuple(spec(source=source, model=one.id, **changes) for one in candidates)
    plan = Plan("text-classification", DatasetSpec(path="a"), tuple(PlanCandidate(one.id) for one in candidates))
    return Prepared(plan, evalset, candidates, specs)


def outcome(spec, seconds):
    chunk = Chunk(tuple(range(1000)), (), {}, seconds, 9000)
    return Outcome("t", spec, "done", rows_done=1000, rows_total=1000, chunks=(chunk,))


def test_a_larger_model_takes_longer_and_a_range_holds_it(spec):
    small, large = estimate(prepared(spec, 10_000_000)), estimate(prepared(spec, 400_000_000))
    assert small.seconds_low < small.seconds_high
    assert small.seconds_high < large.seconds_high
    assert small.seconds_low < large.seconds_low
    assert "nothing was measured" in large.basis


def test_more_rows_and_more_trials_take_longer(spec):
    one = estimate(prepared(spec, 10_000_000))
    assert estimate(prepared(spec, 10_000_000, rows=9000)).seconds_high > one.seconds_high
    assert estimate(prepared(spec, 10_000_000, 10_000_000)).seconds_high == pytest.approx(2 * one.seconds_high)


def test_what_was_measured_before_counts_more_than_size(spec):
    ready = prepared(spec, 10_000_000, protocol=replace(QUICK, latency_batch_sizes=()))
    guess = estimate(ready, [outcome(ready.specs[0], 100.0)])
    assert guess.seconds_low == pytest.approx(81)
    assert guess.seconds_high == pytest.approx(160)
    assert guess.basis == "Measured on this machine before."


def test_what_another_machine_or_variant_measured_does_not_count(spec):
    ready = prepared(spec, 10_000_000)
    elsewhere = outcome(replace(ready.specs[0], hardware="another"), 100.0)
    other = outcome(replace(ready.specs[0], variant=Variant(dtype="float16")), 100.0)
    assert estimate(ready, [elsewhere, other]) == estimate(ready)


def test_each_model_is_downloaded_once_and_local_ones_never(spec):
    ready = prepared(spec, 10, 20)
    twice = replace(ready, specs=(*ready.specs, replace(ready.specs[0], variant=Variant(dtype="float16"))))
    assert estimate(twice).download_bytes == 120
    assert estimate(prepared(spec, 10, source="/models")).download_bytes == 0


def test_memory_is_that_of_the_largest_trial(spec):
    sized = estimate(prepared(spec, 100_000_000, 400_000_000)).memory_mb
    assert sized == estimate(prepared(spec, 400_000_000)).memory_mb
    assert estimate(prepared(spec, None)).memory_mb is None


def test_a_model_of_unknown_size_still_gets_an_estimate(spec):
    assert estimate(prepared(spec, None)).seconds_high > 0


def test_writing_costs_more_than_reading(spec):
    reading = estimate(prepared(spec, 10_000_000))
    writing = estimate(prepared(spec, 10_000_000, task="summarization"))
    assert writing.seconds_high > reading.seconds_high


def test_a_race_takes_the_least_if_its_first_round_decides_it_and_the_most_if_all_rows_are_answered(spec):
    untimed = replace(QUICK, latency_batch_sizes=())
    full = prepared(spec, 10_000_000, 10_000_000, protocol=untimed)
    raced = replace(full, specs=tuple(replace(one, race="of two") for one in full.specs))
    least, most = estimate(raced), estimate(full)
    loading = 2 * 1.0
    assert least.seconds_high == most.seconds_high
    assert least.seconds_low - loading == pytest.approx((most.seconds_low - loading) * 256 / 1000)
    assert least.race == (
        "The least if the race is decided after its first 256 rows, the most if everyone answers every row."
    )
    assert most.race == ""


def test_a_model_that_writes_is_timed_twice(spec):
    def timing(**changes):
        timed, untimed = (
            prepared(spec, 10_000_000, protocol=Protocol(latency_batch_sizes=sizes, max_seconds=1e9), **changes)
            for sizes in ((8,), ())
        )
        return estimate(timed).seconds_high - estimate(untimed).seconds_high

    rows = {"task": "summarization", "protocol": Protocol(latency_batch_sizes=(), max_new_tokens=64)}
    row = estimate(prepared(spec, 10_000_000, rows=2000, **rows)).seconds_high
    row = (row - estimate(prepared(spec, 10_000_000, rows=1000, **rows)).seconds_high) / 1000
    assert timing(task="summarization") == pytest.approx((110 + 25) * 8 * row)


def test_of_a_race_one_trial_is_timed_at_least(spec):
    full = prepared(spec, 10_000_000, 10_000_000, 10_000_000)
    raced = replace(full, specs=tuple(replace(one, race="of three") for one in full.specs))
    untimed = replace(
        raced, specs=tuple(replace(one, protocol=replace(one.protocol, latency_batch_sizes=())) for one in raced.specs)
    )
    alone = replace(full, specs=full.specs[:1])
    alone_untimed = replace(untimed, specs=untimed.specs[:1])
    timing = estimate(alone).seconds_low - estimate(alone_untimed).seconds_low
    assert timing > 0
    assert estimate(raced).seconds_low - estimate(untimed).seconds_low == pytest.approx(timing)


@pytest.mark.parametrize(("sizes", "rows"), [((10_000_000,), 1000), ((10_000_000, 10_000_000), 256)])
def test_a_race_that_cannot_save_anything_is_a_full_run(spec, sizes, rows):
    full = prepared(spec, *sizes, rows=rows)
    assert estimate(replace(full, specs=tuple(replace(one, race="all") for one in full.specs))) == estimate(full)


def test_the_server_scenario_is_in_the_estimate(spec):
    without = estimate(prepared(spec, 10_000_000))
    served = replace(QUICK, server_p99_ms=100.0, max_seconds=30.0)
    within = estimate(prepared(spec, 10_000_000, protocol=served))
    assert within.seconds_low - without.seconds_low >= 5 * 0.1
    assert within.seconds_high - without.seconds_high <= 5 * 30 + 60


def test_nothing_to_run_takes_no_time(spec):
    assert estimate(prepared(spec)).seconds_high == 0
