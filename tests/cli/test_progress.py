from __future__ import annotations

from dataclasses import replace

import pytest

from core.cli import progress
from tests.analysis.factory import make_run


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (("load", "", ""), "first · load"),
        (("ready", "quality", ""), "second · quality"),
        (("ready", "ready", "fetch 40%"), "third · fetch 40%"),
        (("latency", "latency", "latency"), "timing 3 trials together"),
        (("server", "server", "server"), "requests arrive at 3 trials by turns"),
        (("latency", "", ""), "first · latency"),
        (("", "", ""), "queued"),
    ],
)
def test_the_line_names_the_trial_at_work_and_not_those_that_wait(stages: tuple[str, ...], words: str) -> None:
    run = make_run(3, 20)
    outcomes = [
        replace(one, status="running" if stage else "queued", stage=stage)
        for one, stage in zip(run.outcomes, stages, strict=True)
    ]
    names = dict(zip([one.trial for one in outcomes], ("first", "second", "third"), strict=True))
    assert progress._now(replace(run, outcomes=tuple(outcomes)), names) == words
