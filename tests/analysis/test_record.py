import math

import pytest

from core.analysis.record import record
from core.analysis.summary import analyse
from core.analysis.wording import moment
from core.records import Limits
from core.review import evidence
from tests.analysis.factory import CPU, GPU, make_run


def made(limits=None, trial=None, **options):
    run = make_run(**options)
    found = evidence(analyse(run), limits or Limits())
    return found, record(found, trial or found["winner"])


def test_the_record_says_what_is_shipped_and_what_it_rests_on():
    found, page = made(Limits(memory_mb=5000), trials=4, rows=200, variants=(CPU, GPU), failed=1)
    assert page.heading == "Ship org/model-01 on GPU, bfloat16"
    assert page.rule == found["winner_reason"]
    assert page.data == "Text classification on 200 rows of rows.csv"
    assert page.limits == ("memory at most 5.00 GB",)
    assert [line.trial for line in page.lines] == found["ranking"][:4]
    assert page.without_result == ("model-02 · CPU · fp32: The weights are cut short: 1,024 of 88,544 bytes.",)
    assert page.chosen is page.lines[0]
    assert page.chosen.verdict == "★ winner"
    entry = found["trials"][3]
    assert (page.chosen.score.low, page.chosen.p95_ms) == (
        entry["metrics"]["accuracy"]["low"],
        entry["latency_ms"]["1"]["p95"],
    )


def test_a_choice_by_hand_names_what_the_rule_picks():
    found, _ = made(trials=2, accuracies=[0.6, 0.95])
    page = record(found, found["ranking"][1])
    assert page.heading == "Ship org/model-00 on CPU, float32"
    assert page.rule.startswith("Chosen by hand: the rule picks model-01. ")
    assert page.chosen.verdict == "significantly worse"


def test_where_nobody_is_within_the_limits_nobody_is_shipped():
    found, page = made(Limits(latency_p95_ms=0.01), trials=2)
    assert found["winner"] is None
    assert (page.heading, page.chosen) == ("No trial can be shipped", None)
    assert all("over the limit" in line.verdict for line in page.lines)


def test_numbers_that_do_not_exist_are_nan():
    _, page = made(trials=1, calls=20)
    assert math.isnan(page.lines[0].p95_ms)
    assert page.lines[0].p50_ms > 0


@pytest.mark.parametrize("when", ["2026-11-01T09:05:07+00:00", "2026-11-01T09:05:07", "2026-11-01T10:05:07+01:00"])
def test_a_moment_is_said_in_utc(when):
    assert moment(when) == "1 Nov 2026, 09:05 UTC"
