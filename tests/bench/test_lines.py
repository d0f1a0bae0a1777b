"""What a table of the quality pass says of its rounds."""

from __future__ import annotations

import numpy as np
import pytest

from bench import contenders, quality
from bench.contenders import Answers
from bench.quality import Round

OURS, PIPELINE = contenders.OURS, "pipeline, batch 32"


def rounds() -> list[Round]:
    logits = np.array([[2.0, -1.0], [0.5, 1.5]])
    ours = Answers(["a", "b"], logits)
    same = Answers(["a", "b"], np.array([2.0, 1.5002]))  # the largest logits alone
    other = Answers(["a", "a"], np.array([2.0, 1.5]))
    return [
        Round({OURS: 2.0, PIPELINE: 3.0}, {OURS: ours, PIPELINE: same}),
        Round({OURS: 1.0, PIPELINE: 4.0}, {OURS: ours, PIPELINE: other}),
        Round({OURS: 1.0, PIPELINE: 2.0}, {OURS: ours, PIPELINE: same}),
    ]


def test_ratios_are_taken_within_a_round() -> None:
    line = quality.lines(rounds())[1]
    assert line["contender"] == PIPELINE
    assert line[OURS] == [2.0, 1.5, 4.0]
    assert line["seconds"] == [3.0, 2.0, 4.0]


def test_answers_are_compared_row_by_row_and_outputs_by_their_largest_difference() -> None:
    line = quality.lines(rounds())[1]
    assert line["equal"] == pytest.approx(5 / 6, abs=1e-4)
    assert line["difference"] == pytest.approx(2e-4)


def test_who_gives_no_outputs_out_has_no_difference() -> None:
    answers = {OURS: Answers(["a"], np.ones((1, 2))), "evaluate.evaluator": Answers(["a"])}
    found = quality.lines([Round(dict.fromkeys(answers, 1.0), answers)])
    assert [line["difference"] for line in found] == [0.0, None]


def test_a_contender_whose_package_is_missing_is_left_out_with_a_line(
    tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(folder: object, texts: object) -> contenders.Pass:
        raise ImportError("No module named 'absent'\nmore")

    assert quality.made({"absent": absent}, tmp_path, []) == {}
    assert capsys.readouterr().err == "left out: absent: No module named 'absent'\n"


def test_every_contender_has_a_place_in_the_table() -> None:
    makers = (contenders.CLASSIFIERS, contenders.ENCODERS, contenders.SUMMARIZERS, contenders.WRITERS)
    for name in {name for one in makers for name in one}:
        quality._place(name)
