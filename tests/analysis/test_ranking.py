from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.pareto import front
from core.analysis.ranking import choose, rank
from core.analysis.summary import analyse
from core.records import Candidate, Limits, RunResult
from tests.analysis.factory import CPU, GPU, make_run

CLEAR = (0.6, 0.75, 0.95)
TIED = (0.90, 0.91, 0.92)


def names(analysis, trials):
    return [analysis.trial(trial).name for trial in trials]


def with_outcome(run: RunResult, index: int, **changes) -> RunResult:
    outcomes = list(run.outcomes)
    outcomes[index] = replace(outcomes[index], **changes)
    return replace(run, outcomes=tuple(outcomes))


points = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(st.lists(points, max_size=12))
def test_the_front_is_what_nothing_beats(places):
    gains, costs = [gain for gain, _ in places], [cost for _, cost in places]
    expected = [not any(g >= gain and c <= cost and (g > gain or c < cost) for g, c in places) for gain, cost in places]
    assert front(gains, costs).tolist() == expected


def test_an_unknown_number_is_not_on_the_front_and_beats_nobody():
    assert front([1, float("nan"), 0.5], [2, 1, float("nan")]).tolist() == [True, False, False]


def test_a_clear_winner_stands_alone():
    analysis = analyse(make_run(3, 300, accuracies=CLEAR))
    ranking = choose(analysis)
    assert names(analysis, ranking.order) == ["model-02", "model-01", "model-00"]
    assert ranking.tied == (ranking.winner,)
    assert ranking.reason == "model-02 has the best accuracy (0.950), significantly above all others."


def test_of_the_tied_the_fastest_wins():
    analysis = analyse(make_run(3, 200, accuracies=TIED))
    ranking = choose(analysis)
    assert names(analysis, ranking.tied) == ["model-00", "model-01", "model-02"]
    assert analysis.trial(ranking.leader).name == "model-02"
    assert analysis.trial(ranking.winner).name == "model-00"
    assert "model-00 (accuracy 0.900) cannot be told from the best, model-02" in ranking.reason
    assert "is the fastest (p95" in ranking.reason
    assert ranking.reason.endswith("of the 3 tied.")


def test_without_latency_the_lightest_wins_and_then_the_smallest():
    run = make_run(2, 100, accuracies=(0.9, 0.9))
    run = replace(run, outcomes=tuple(replace(one, latency=()) for one in run.outcomes))
    analysis = analyse(run)
    assert names(analysis, choose(analysis).order) == ["model-00", "model-01"]
    assert "the lightest (200 MB of memory)" in choose(analysis).reason
    bare = replace(run, outcomes=tuple(replace(one, memory_mb={}) for one in reversed(run.outcomes)))
    assert names(analyse(bare), rank(bare).order) == ["model-00", "model-01"]
    assert "the smallest" in rank(bare).reason


def test_one_tail_is_never_held_against_another_middle():
    """With p95 known of one trial only, the medians decide."""
    slow = make_run(2, 100, accuracies=(0.9, 0.9), calls=150)
    few = make_run(2, 100, accuracies=(0.9, 0.9), calls=60)
    mixed = replace(slow, outcomes=(slow.outcomes[0], few.outcomes[1]))
    assert "(p50 " in rank(mixed).reason


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        (Limits(memory_mb=300), "memory 360 MB is over the limit of 300 MB"),
        (Limits(params=12_000_000), "parameters 15 M is over the limit of 12 M"),
        (Limits(download_mb=50), "download 60 MB is over the limit of 50 MB"),
        (Limits(licenses=("permissive",)), "licence cc-by-nc-4.0 (non-commercial) is not permissive"),
        (Limits(min_metrics={"f1": 0.99}), "f1 0.950 is under the limit of 0.990"),
    ],
)
def test_what_breaks_a_limit_is_out_with_the_reason(limits, broken):
    analysis = analyse(make_run(3, 300, accuracies=CLEAR, seed=1))
    best = choose(analysis).winner
    ranking = choose(analysis, limits)
    assert ranking.excluded[best] == (broken,)
    assert best not in ranking.tied


def test_the_latency_limit_is_on_p95_at_the_smallest_batch():
    analysis = analyse(make_run(3, 100))
    p95 = [trial.smallest_batch.tail(95).value for trial in analysis.finished]
    ranking = choose(analysis, Limits(latency_p95_ms=(p95[1] + p95[2]) / 2))
    assert list(ranking.excluded) == [analysis.finished[2].id]
    assert "p95 latency" in ranking.excluded[analysis.finished[2].id][0]


def test_an_unknown_p95_excludes_nobody_but_is_said():
    analysis = analyse(make_run(1, 100, calls=60))
    ranking = choose(analysis, Limits(latency_p95_ms=50))
    assert not ranking.excluded
    assert ranking.unknown[ranking.winner] == ("p95 latency not known: only 60 calls, p95 takes 100",)


def test_a_p90_over_the_limit_breaks_the_p95_limit():
    analysis = analyse(make_run(1, 100, calls=60))
    ranking = choose(analysis, Limits(latency_p95_ms=1))
    assert "p90 latency" in ranking.excluded[analysis.finished[0].id][0]
    assert ranking.winner is None
    assert ranking.reason.startswith("No trial is within the limits")


def test_facts_that_are_missing_are_unknown_not_broken():
    run = with_outcome(make_run(1, 50), 0, candidate=None, memory_mb={}, latency=())
    limits = Limits(latency_p95_ms=1, memory_mb=1, params=1, download_mb=1, licenses=("mit",), min_metrics={"mcc": 0.5})
    ranking = rank(run, limits)
    assert ranking.winner == run.outcomes[0].trial
    assert len(ranking.unknown[ranking.winner]) == 6


def test_a_licence_nobody_stated_is_not_a_permissive_one():
    run = with_outcome(make_run(1, 50), 0, candidate=Candidate("samples", "org/model-00"))
    assert rank(run, Limits(licenses=("permissive",))).winner is None


def test_trials_without_a_result_come_last_and_failed_ones_after_those_still_to_come():
    run = make_run(2, 100, failed=1)
    run = replace(run, outcomes=(run.outcomes[2], replace(run.outcomes[0], status="running"), run.outcomes[1]))
    assert rank(run).order == (run.outcomes[2].trial, run.outcomes[1].trial, run.outcomes[0].trial)
    assert rank(run).winner == run.outcomes[2].trial


def test_a_run_in_which_all_failed_has_no_winner():
    ranking = rank(make_run(0, 50, failed=2))
    assert (ranking.winner, ranking.leader, ranking.tied) == (None, None, ())
    assert ranking.reason == "No trial gave a result."


def test_the_order_holds_every_trial_once():
    run = make_run(7, 150, variants=(CPU, GPU), failed=2, limits=Limits(memory_mb=300))
    assert sorted(rank(run).order) == sorted(outcome.trial for outcome in run.outcomes)


def test_trials_are_compared_on_the_rows_that_all_of_them_answered():
    run = make_run(2, 200, accuracies=(0.8, 0.9))
    short = with_outcome(run, 1, chunks=run.outcomes[1].chunks[:2])
    (pair,) = analyse(short).pairs()
    assert pair.rows == 128
    kept = np.unique(np.concatenate([chunk.positions for chunk in short.outcomes[1].chunks]))
    first = analyse(short).trials[0]
    right = [first.answers[row] == run.evalset.references[row] for row in kept]
    second = analyse(short).trials[1].scores["accuracy"].value
    assert pair.difference == pytest.approx(np.mean(right) - second)
