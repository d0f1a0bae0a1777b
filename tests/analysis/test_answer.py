from __future__ import annotations

import dataclasses

import pytest

from core.analysis.answer import difference_in_words, enough_rows_in_words, runner_up, variant_in_words
from core.analysis.ranking import choose
from core.analysis.summary import analyse
from core.analysis.versus import enough_rows
from core.records import Limits, Variant
from tests.analysis.factory import make_run


def test_the_runner_up_is_measured_against_the_winner() -> None:
    analysis = analyse(make_run(3, 400, accuracies=(0.7, 0.8, 0.95)))
    second = runner_up(analysis, choose(analysis))
    assert second is not None
    assert second.name == "model-01"
    assert second.pair.difference == pytest.approx(-0.15)
    quality, latency, memory = second.sentences
    assert quality.startswith("Its accuracy differs by −15.0 points (")
    assert "more than chance" in quality
    assert "instead of" in latency
    assert memory == "It needs 280 MB of memory instead of 360 MB."


def test_a_tied_runner_up_may_be_explained_by_chance() -> None:
    analysis = analyse(make_run(2, 50, accuracies=(0.80, 0.82)))
    second = runner_up(analysis, choose(analysis))
    assert second is not None
    assert "chance may explain that" in second.sentences[0]


def test_there_is_no_runner_up_beyond_the_limits() -> None:
    analysis = analyse(make_run(2, accuracies=(0.7, 0.95), limits=Limits(memory_mb=250)))
    assert runner_up(analysis, choose(analysis)) is None


def test_costs_that_were_not_measured_are_not_spoken_of() -> None:
    run = make_run(2, accuracies=(0.7, 0.95))
    bare = tuple(dataclasses.replace(outcome, latency=(), memory_mb={}) for outcome in run.outcomes)
    analysis = analyse(dataclasses.replace(run, outcomes=bare))
    second = runner_up(analysis, choose(analysis))
    assert second is not None
    assert len(second.sentences) == 1


def test_times_of_two_measurements_are_said_to_be_that() -> None:
    run = make_run(2, accuracies=(0.7, 0.95))
    first, other = run.outcomes
    later = tuple(dataclasses.replace(series, session="another") for series in other.latency)
    apart = dataclasses.replace(run, outcomes=(first, dataclasses.replace(other, latency=later)))
    for told, said in ((run, "(p95)."), (apart, "(p95, not timed together).")):
        analysis = analyse(told)
        second = runner_up(analysis, choose(analysis))
        assert second is not None
        assert second.sentences[1].endswith(said)


def test_enough_rows_are_said_to_be_enough() -> None:
    analysis = analyse(make_run(2, 400, accuracies=(0.7, 0.95)))
    enough = enough_rows(analysis, choose(analysis))
    assert enough is not None
    said = enough_rows_in_words(enough, analysis.headline)
    assert said.startswith("model-01 is 25.0 points ahead of model-00, and these 400 rows are enough to say so")


def test_too_few_rows_are_told_how_many_would_do() -> None:
    analysis = analyse(make_run(2, 50, accuracies=(0.80, 0.84)))
    enough = enough_rows(analysis, choose(analysis))
    assert enough is not None
    assert enough.needed is not None
    said = enough_rows_in_words(enough, analysis.headline)
    assert "which 50 rows cannot tell from chance" in said
    assert f"about {enough.needed:,} would" in said


def test_equal_scores_are_called_equal() -> None:
    analysis = analyse(make_run(2, 50, accuracies=(0.80, 0.80)))
    enough = enough_rows(analysis, choose(analysis))
    assert enough is not None
    assert "score the same on these 50 rows" in enough_rows_in_words(enough, analysis.headline)


def test_a_difference_has_the_unit_its_metric_is_read_in() -> None:
    metrics = analyse(make_run(1, task="summarization")).metrics | analyse(make_run(1)).metrics
    assert difference_in_words(0.012, metrics["accuracy"]) == "+1.2 points"


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        (Variant(), "CPU, float32"),
        (Variant("cuda", "bfloat16"), "GPU, bfloat16"),
        (Variant(quantization="int8", backend="onnx"), "CPU, int8, onnx"),
    ],
)
def test_a_variant_is_said_in_full(variant: Variant, said: str) -> None:
    assert variant_in_words(variant) == said
