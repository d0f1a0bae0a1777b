"""What a reader of a trial is told beyond its numbers."""

from dataclasses import replace

import numpy as np
import pytest

from core.analysis.live import live
from core.analysis.notes import notes, truncated_rows
from core.analysis.report import report
from core.engine import latency
from core.engine.request import Call
from core.records import Protocol
from tests.analysis.factory import make_run


def cut(run, rows, **environment):
    """The run, its first trial having seen only a part of so many rows."""
    first, *others = run.outcomes
    marked = [replace(first.chunks[0], predictions=tuple({**one} for one in first.chunks[0].predictions))]
    for prediction in marked[0].predictions[:rows]:
        prediction["truncated"] = True
    first = replace(first, chunks=(*marked, *first.chunks[1:]), environment=environment, notes=("Noted.",))
    return replace(run, outcomes=(first, *others))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (1, "1 of 200 rows was too long for the model, which reads at most 512 tokens, and was cut."),
        (37, "37 of 200 rows were too long for the model, which reads at most 512 tokens, and were cut."),
    ],
)
def test_rows_that_were_cut_are_counted_and_told_wherever_notes_are(rows, told):
    run = cut(make_run(2, 200, classes=2), rows, longest_input=512)
    assert truncated_rows(run.outcomes[0]) == rows
    assert notes(run.outcomes[0]) == ("Noted.", told)
    assert live(run)[0].notes == ("Noted.", told)
    first, second = report(run)["trials"]
    assert (first["truncated_rows"], second["truncated_rows"]) == (rows, 0)
    assert told in first["notes"]
    assert not any("too long" in note for note in second["notes"])


def test_where_the_limit_is_not_known_the_count_is_told_alone():
    assert notes(cut(make_run(1), 2).outcomes[0])[1] == "2 of 200 rows were too long for the model and were cut."


class Machine:
    """A clock, and two models on a machine where something else takes its share now and then."""

    def __init__(self, burst):
        self.now, self._burst, self._draw = 0, burst, np.random.default_rng(0)

    def clock(self):
        return self.now

    def answer(self, request):
        took = int(1e6 * (self._burst if self._draw.random() < 1 / 3 else 1))
        self.now += took
        return Call(0, took, 0)


def timed(burst):
    """A run of two trials that were timed together there."""
    machine, run = Machine(burst), make_run(2, 60)
    subjects = [latency.Subject(machine.answer), latency.Subject(machine.answer)]
    protocol = Protocol(min_calls=200, min_seconds=0.0)
    found = latency.joint(subjects, iter(lambda: (0,), None), protocol, session="s", clock=machine.clock)
    return replace(run, outcomes=tuple(replace(a, latency=(b,)) for a, b in zip(run.outcomes, found, strict=True)))


def test_a_machine_too_noisy_to_time_is_told_of_every_trial_that_was_timed_there():
    run = timed(burst=3)
    for outcome in run.outcomes:
        [told] = notes(outcome, run.outcomes)
        assert told.startswith("The machine was too noisy while requests of 1 row were timed: one trial took ")
    assert all("too noisy" in one["notes"][-1] for one in report(run)["trials"])
    elsewhere = replace(run.outcomes[1], latency=(replace(run.outcomes[1].latency[0], session="another"),))
    assert notes(elsewhere, run.outcomes) == ()


def test_a_quiet_machine_is_not_talked_about():
    run = timed(burst=1)
    assert [notes(outcome, run.outcomes) for outcome in run.outcomes] == [(), ()]
