import dataclasses
import math

import pytest

from core.analysis.live import live, time_left
from core.analysis.summary import analyse
from core.records import Failure
from tests.analysis.factory import make_run


def changed(run, index, **changes):
    outcomes = list(run.outcomes)
    outcomes[index] = dataclasses.replace(outcomes[index], **changes)
    return dataclasses.replace(run, outcomes=tuple(outcomes))


def begun(run, index, chunks):
    """The trial as it was after so many chunks."""
    kept = run.outcomes[index].chunks[:chunks]
    rows = sum(len(chunk.positions) for chunk in kept)
    state = {"status": "running", "stage": "quality", "chunks": kept, "rows_done": rows}
    return changed(run, index, **state, latency=(), memory_mb={})


def waiting(run, index):
    return changed(run, index, status="queued", chunks=(), rows_done=0, latency=(), memory_mb={})


def test_a_finished_run_shows_what_its_analysis_says():
    run = make_run(3)
    for row, trial in zip(live(run), analyse(run).trials, strict=True):
        assert row.name == trial.name
        assert row.score == trial.scores["accuracy"]
        assert row.rows_per_second == trial.speed.rows_per_second
        assert row.seconds_left == 0
        assert (row.doing, row.share, row.stoppable, row.retryable) == ("done", 1.0, False, False)


def test_a_screened_trial_says_so_once_it_has_ended():
    run = changed(make_run(2, 100), 0, environment={"screened": "bfloat16"})
    assert [row.screened for row in live(run)] == ["bfloat16", None]


def test_a_running_trial_is_scored_on_the_rows_it_has():
    run = begun(make_run(2, rows=200), 1, chunks=1)
    row = live(run)[1]
    statistics = run.outcomes[1].chunks[0].statistics["accuracy"]
    assert row.score.value == pytest.approx(statistics[:, 0].mean())
    assert row.score.low < row.score.value < row.score.high
    assert row.share == pytest.approx(64 / 200)
    assert row.doing == "answering the rows"
    assert row.stoppable


def test_a_waiting_trial_has_no_numbers_and_a_time():
    row = live(waiting(make_run(2), 1))[1]
    assert math.isnan(row.score.value)
    assert math.isnan(row.rows_per_second)
    assert row.doing == "waiting"
    assert row.seconds_left > 0


def test_the_time_left_shrinks_as_rows_come_in():
    run = make_run(2, rows=400)
    left = [time_left(live(begun(run, 1, chunks))) for chunks in (1, 3, 5)]
    assert left == sorted(left, reverse=True)
    assert left[0] > left[2]


def test_a_machine_slower_than_thought_lengthens_the_wait():
    run = waiting(make_run(2), 1)
    slow = tuple(dataclasses.replace(chunk, seconds=100 * chunk.seconds) for chunk in run.outcomes[0].chunks)
    assert live(changed(run, 0, chunks=slow))[1].seconds_left > 5 * live(run)[1].seconds_left


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("", "starting"),
        ("fetch 40%", "fetching the model 40%"),
        ("load", "loading the model"),
        ("ready", "waiting to be timed with the others"),
        ("latency", "timing calls, batch 1 of 2"),
        ("server", "answering requests that arrive by chance"),
    ],
)
def test_stages_are_told_in_words(stage, words):
    run = begun(make_run(2), 1, chunks=2)
    assert live(changed(run, 1, stage=stage))[1].doing == words


def test_a_trial_refused_when_it_was_planned_is_not_offered_again():
    run = make_run(1, failed=2)
    refused = dataclasses.replace(run.outcomes[2].candidate, blocked="It holds code.")
    run = changed(run, 2, candidate=refused, failure=Failure("unsupported", "It holds code."))
    assert [row.retryable for row in live(run)] == [False, True, False]
    assert live(run)[1].failure == run.outcomes[1].failure


def test_a_model_of_unknown_size_leaves_the_others_their_time():
    run = changed(waiting(make_run(2), 1), 1, candidate=None)
    rows = live(run)
    assert math.isnan(rows[1].seconds_left)
    assert time_left(rows) == 0
