"""Trials that left a race: shown with their interval, compared, and never chosen."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core.analysis import answer, figures, record, versus, views
from core.analysis.live import live
from core.analysis.ranking import against, choose, rank
from core.analysis.report import report
from core.analysis.summary import Analysis, analyse
from core.analysis.wording import left_the_race
from core.records import Chunk, Limits, Outcome, RunResult, Stopped
from core.review import evidence
from tests.analysis.factory import make_run


def early(outcome: Outcome, rows: int, leader: str) -> Outcome:
    """The outcome as if the trial had left a race after so many rows."""
    left, kept = rows, []
    for chunk in outcome.chunks:
        take = min(left, len(chunk.positions))
        left -= take
        statistics = {name: np.asarray(values)[:take] for name, values in chunk.statistics.items()}
        kept.append(Chunk(chunk.positions[:take], chunk.predictions[:take], statistics, chunk.seconds, chunk.units))
    stopped = Stopped(rows, leader, -0.061, -0.09, -0.032)
    return replace(outcome, chunks=tuple(kept), rows_done=rows, latency=(), stopped=stopped)


@pytest.fixture
def run() -> RunResult:
    """The first left after 64 rows, the other three answered all 400."""
    run: RunResult = make_run(4, 400, accuracies=(0.7, 0.9, 0.91, 0.95))
    first, *others = run.outcomes
    return replace(run, outcomes=(early(first, 64, others[-1].trial), *others))


@pytest.fixture
def analysis(run: RunResult) -> Analysis:
    return analyse(run)


def test_who_left_is_neither_winner_nor_tied_and_breaks_no_limit(run: RunResult, analysis: Analysis) -> None:
    ranking = choose(analysis)
    left = run.outcomes[0].trial
    assert ranking.order[-1] == left
    assert left not in (ranking.winner, ranking.leader, *ranking.tied, *ranking.excluded, *ranking.unknown)
    assert ranking.reason.endswith(f"{analysis.trial(left).name} left the race early, surely worse.")


def test_the_few_rows_of_one_do_not_cost_the_others_theirs(run: RunResult, analysis: Analysis) -> None:
    left, *others = (one.trial for one in run.outcomes)
    whole = analyse(replace(run, outcomes=run.outcomes[1:]))
    pairs = {(pair.a, pair.b): pair for pair in analysis.pairs()}
    assert {pair.rows for names, pair in pairs.items() if left in names} == {64}
    for alone in whole.pairs():
        pair = pairs[alone.a, alone.b]
        assert replace(pair, p_holm=0.0) == replace(alone, p_holm=0.0)
        assert pair.p_holm >= alone.p_holm  # the family is larger
    assert set(against(analysis, others[-1])) == {left, *others[:-1]}
    assert set(against(analysis, left)) == set(others)


def test_the_best_of_those_who_stayed_are_compared(run: RunResult, analysis: Analysis) -> None:
    # On its few rows, who left may look the best of all.
    statistics = {"accuracy": np.ones((64, 2), dtype=np.int8)}
    lucky = tuple(replace(chunk, statistics={**chunk.statistics, **statistics}) for chunk in run.outcomes[0].chunks[:1])
    analysis = analyse(replace(run, outcomes=(replace(run.outcomes[0], chunks=lucky), *run.outcomes[1:])))
    assert analysis.trials[0].scores["accuracy"].value == 1.0
    ranking = choose(analysis)
    enough, second = versus.enough_rows(analysis, ranking), answer.runner_up(analysis, ranking)
    assert enough is not None
    assert second is not None
    left = analysis.trials[0]
    assert left.name not in (enough.best, enough.second, second.name)


def test_the_only_one_who_stayed_is_said_to_be_that(run: RunResult) -> None:
    first, _, _, last = run.outcomes
    ranking = rank(replace(run, outcomes=(first, last)))
    assert ranking.winner == last.trial
    assert "is the only trial that stayed in the race. " in ranking.reason


def test_the_report_says_where_it_left(run: RunResult, analysis: Analysis) -> None:
    found = json.loads(json.dumps(report(run)))["trials"]
    assert found[0]["stopped"] == {
        "rows": 64, "leader": run.outcomes[-1].trial, "difference": -0.061, "low": -0.09, "high": -0.032,
    }  # fmt: skip
    assert (found[0]["rows"], found[0]["meets_limits"]) == (64, None)
    assert [one["stopped"] for one in found[1:]] == [None, None, None]


def test_it_is_told_in_words_everywhere(run: RunResult, analysis: Analysis) -> None:
    words = "stopped after 64 rows: surely worse, −6.1 points (−9.0 to −3.2)"
    assert left_the_race(run.outcomes[0].stopped, percent=True) == words  # type: ignore[arg-type]
    row = views.leaderboard(analysis, choose(analysis))[-1]
    assert row.stopped == run.outcomes[0].stopped
    assert live(run)[0].doing == "left the race after 64 rows: surely worse"
    signed = evidence(analysis, Limits())
    lines = {line.trial: line.verdict for line in record.record(signed, None).lines}
    assert lines[run.outcomes[0].trial] == words


def test_a_record_signed_before_there_were_races_still_reads(analysis: Analysis) -> None:
    signed = evidence(analysis, Limits())
    trials = [{name: value for name, value in one.items() if name != "stopped"} for one in signed["trials"]]
    assert record.record({**signed, "trials": trials}, None).lines


def test_the_picture_says_who_left_the_race_and_not_that_numbers_are_missing(analysis: Analysis) -> None:
    view = views.quality_latency(analysis, choose(analysis))
    assert (view.left_race, view.missing) == ((analysis.trials[0].name,), ())
    assert "left the race" in figures.quality_latency(view).to_json()
