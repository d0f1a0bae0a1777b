"""What holds for every metric of the registry, on the rows of the tasks that use it."""

from __future__ import annotations

import numpy as np
import pytest

from core import registry
from core.metrics.base import Metric, describe_options, resolve_options
from core.metrics.scoring import statistics, values
from core.tasks.base import Task, TaskSample

CASES = [
    pytest.param(registry.metric(name), task, sample, id=f"{name}-{task.name}-{number}")
    for task in registry.tasks().values()
    for name in task.metrics
    for number, sample in enumerate(task.samples)
]
every_case = pytest.mark.parametrize(("metric", "task", "sample"), CASES)
every_metric = pytest.mark.parametrize("metric", registry.metrics().values(), ids=registry.metrics())


def perfect(sample: TaskSample) -> list[str]:
    return [one if isinstance(one, str) else one[0] for one in sample.references]


def rotated(sample: TaskSample) -> list[str]:
    answers = perfect(sample)
    return answers[1:] + answers[:1]


def labels_of(task: Task, sample: TaskSample) -> tuple[str, ...]:
    return tuple(sorted(set(sample.references))) if task.labelled else ()


def rows(metric: Metric, task: Task, sample: TaskSample, answers: list[str]) -> np.ndarray:
    return metric.rows(answers, sample.references, labels_of(task, sample), resolve_options(metric, {}))


def value(metric: Metric, task: Task, sample: TaskSample, totals: np.ndarray) -> np.ndarray:
    return metric.value(totals, labels_of(task, sample), resolve_options(metric, {}))


@every_case
def test_there_is_one_line_of_statistics_per_row(metric: Metric, task: Task, sample: TaskSample) -> None:
    found = rows(metric, task, sample, rotated(sample))
    assert found.ndim == 2
    assert len(found) == len(sample.references)
    assert found.dtype.kind in "fi"
    assert np.isfinite(found).all()


@every_case
def test_statistics_of_some_rows_do_not_depend_on_the_others(metric: Metric, task: Task, sample: TaskSample) -> None:
    labels, options, answers = labels_of(task, sample), resolve_options(metric, {}), rotated(sample)
    apart = [
        metric.rows([answer], [reference], labels, options)
        for answer, reference in zip(answers, sample.references, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(apart), rows(metric, task, sample, answers))


@every_case
def test_the_value_is_that_of_the_summed_rows(metric: Metric, task: Task, sample: TaskSample) -> None:
    answers = rotated(sample)
    found = values([metric.name], {}, labels_of(task, sample), [{"answer": one} for one in answers], sample.references)
    totals = rows(metric, task, sample, answers).sum(axis=0)
    assert found[metric.name] == pytest.approx(float(value(metric, task, sample, totals)))


@every_case
def test_many_sums_are_scored_at_once(metric: Metric, task: Task, sample: TaskSample) -> None:
    found = rows(metric, task, sample, rotated(sample))
    weights = np.random.default_rng(0).integers(0, 3, size=(2, 5, len(found))) + 1.0
    totals = weights @ found
    together = value(metric, task, sample, totals)
    assert together.shape == (2, 5)
    one_by_one = [[float(value(metric, task, sample, line)) for line in block] for block in totals]
    np.testing.assert_allclose(together, one_by_one)


@every_case
def test_perfect_answers_get_the_best_value(metric: Metric, task: Task, sample: TaskSample) -> None:
    def score(answers: list[str]) -> float:
        return float(value(metric, task, sample, rows(metric, task, sample, answers).sum(axis=0)))

    sign = 1 if metric.higher_is_better else -1
    assert score(perfect(sample)) == pytest.approx(1.0 if metric.higher_is_better else 0.0)
    assert sign * score(perfect(sample)) > sign * score(rotated(sample))


@every_case
def test_a_right_row_reaches_what_the_task_calls_right(metric: Metric, task: Task, sample: TaskSample) -> None:
    if metric.name == task.metrics[0]:
        assert (value(metric, task, sample, rows(metric, task, sample, perfect(sample))) >= task.right_at).all()
        assert (value(metric, task, sample, rows(metric, task, sample, [""] * len(sample.references))) == 0).all()


@every_case
def test_strange_answers_are_scored_and_not_a_crash(metric: Metric, task: Task, sample: TaskSample) -> None:
    strange = ["", " \n ", "鶴が飛ぶ", "👍" * 40, "a\x00b", "\u202e", "word " * 2000]
    answers = [strange[row % len(strange)] for row in range(21)]
    references = [sample.references[row % len(sample.references)] for row in range(21)]
    found = metric.rows(answers, references, labels_of(task, sample), resolve_options(metric, {}))
    assert np.isfinite(value(metric, task, sample, found.sum(axis=0)))


@every_case
def test_no_rows_at_all_have_no_value(metric: Metric, task: Task, sample: TaskSample) -> None:
    labels, options = labels_of(task, sample), resolve_options(metric, {})
    nothing = metric.rows([], [], labels, options)
    assert nothing.shape == (0, rows(metric, task, sample, perfect(sample)).shape[1])
    assert np.isnan(metric.value(nothing.sum(axis=0), labels, options))
    assert values([metric.name], {}, labels, [], []) == {metric.name: None}


@every_case
def test_a_binary_metric_scores_a_row_zero_or_one(metric: Metric, task: Task, sample: TaskSample) -> None:
    if metric.binary:
        for answers in (perfect(sample), rotated(sample)):
            assert set(value(metric, task, sample, rows(metric, task, sample, answers)).tolist()) <= {0.0, 1.0}


@every_metric
def test_a_metric_belongs_to_a_task(metric: Metric) -> None:
    assert any(metric.name in task.metrics for task in registry.tasks().values())
    assert metric.title


@every_metric
def test_the_default_of_an_option_is_among_its_choices(metric: Metric) -> None:
    for option in metric.options.values():
        assert not option.choices or option.default in option.choices
        assert option.help


@every_metric
def test_options_are_described_as_people_write_them(metric: Metric) -> None:
    text = describe_options(metric, resolve_options(metric, {}))
    assert "None" not in text
    assert "False" not in text


def test_statistics_come_under_the_names_that_were_asked_for() -> None:
    found = statistics(["f1", "accuracy"], {}, ("a", "b"), [{"answer": "a", "score": 0.9}], ["a"])
    assert list(found) == ["f1", "accuracy"]
