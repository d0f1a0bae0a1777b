"""What holds for every metric of the registry, on the rows of every task that it is offered for.

A new task or metric is tested by being there; a new kind of reference wants its lines in `tests/metrics/answers.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from core import registry
from core.metrics.base import Metric, Resampled, Summed, describe_options, overall, per_row, resolve_options
from core.metrics.scoring import needs, shared_options, statistics, values
from core.tasks.base import Prediction, ReferenceKind, Task, TaskSample, reference_column
from tests.metrics.answers import best, labels_of, perfect, strange, wrong


@dataclass(frozen=True)
class Case:
    """A metric on one sample of a task, with its default options."""

    metric: Metric
    task: Task
    sample: TaskSample

    @property
    def labels(self) -> tuple[str, ...]:
        return labels_of(self.kind, self.sample.references)

    @property
    def kind(self) -> str:
        return reference_column(self.task).kind

    @property
    def options(self) -> dict[str, Any]:
        return resolve_options(self.metric, {})

    def answers(self, make: Callable[..., Prediction]) -> list[Prediction]:
        return [make(self.kind, reference, self.labels) for reference in self.sample.references]

    def half_right(self) -> list[Prediction]:
        """Every second row is wrong, the first one too."""
        pairs = zip(self.answers(wrong), self.answers(perfect), strict=True)
        return [pair[row % 2] for row, pair in enumerate(pairs)]

    def rows(self, predictions: list[Prediction]) -> NDArray[Any]:
        return self.metric.rows(predictions, self.sample.references, self.labels, self.options)

    def overall(self, rows: NDArray[Any]) -> float:
        return overall(self.metric, rows, self.labels, self.options)

    def per_row(self, predictions: list[Prediction]) -> NDArray[np.float64]:
        return per_row(self.metric, self.rows(predictions), self.labels, self.options)


CASES = [
    pytest.param(Case(metric, task, sample), id=f"{metric.name}-{task.name}-{number}")
    for task in registry.tasks().values()
    for metric in registry.metrics_of(task).values()
    for number, sample in enumerate(task.samples)
]
every_case = pytest.mark.parametrize("case", CASES)
every_metric = pytest.mark.parametrize(
    "metric", [pytest.param(metric, id=f"{metric.name}-{metric.kinds[0]}") for metric in registry.metrics()]
)
every_task = pytest.mark.parametrize("task", registry.tasks().values(), ids=registry.tasks())


@every_case
def test_there_is_one_line_of_statistics_per_row(case: Case) -> None:
    found = case.rows(case.half_right())
    assert found.ndim == 2
    assert len(found) == len(case.sample.references)
    if case.metric.stored:
        assert found.dtype.kind in "fi"
        assert np.isfinite(found).all()


@every_case
def test_statistics_of_a_row_do_not_depend_on_the_others(case: Case) -> None:
    predictions = case.half_right()
    apart = [
        case.metric.rows([prediction], [reference], case.labels, case.options)
        for prediction, reference in zip(predictions, case.sample.references, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(apart), case.rows(predictions))


@every_case
def test_a_row_that_counts_twice_is_worth_two_rows(case: Case) -> None:
    found = case.rows(case.half_right())
    weights = np.random.default_rng(0).integers(0, 3, size=(7, len(found)))
    together = case.metric.weighted(found, weights, case.labels, case.options)
    assert together.shape == (7,)
    np.testing.assert_allclose(together, [case.overall(np.repeat(found, line, axis=0)) for line in weights])


@every_case
def test_many_sums_are_scored_at_once(case: Case) -> None:
    if not case.metric.summed:
        return
    found = case.rows(case.half_right()).astype(float)
    totals = np.random.default_rng(0).integers(1, 4, size=(2, 5, len(found))) @ found
    together = case.metric.value(totals, case.labels, case.options)
    assert together.shape == (2, 5)
    one_by_one = [[float(case.metric.value(line, case.labels, case.options)) for line in block] for block in totals]
    np.testing.assert_allclose(together, one_by_one)


@every_case
def test_the_order_of_rows_does_not_matter(case: Case) -> None:
    found = case.rows(case.half_right())
    np.testing.assert_allclose(case.overall(found[::-1]), case.overall(found), rtol=1e-12)


@every_case
def test_a_mean_of_rows_is_the_mean_of_bounded_scores(case: Case) -> None:
    if not case.metric.mean_of_rows:
        return
    scores = case.per_row(case.half_right())
    scored = np.isfinite(scores)  # a row without a reference has none
    assert case.metric.upper is not None
    assert scores[scored].min() >= 0
    assert scores[scored].max() <= case.metric.upper
    weights = np.random.default_rng(0).integers(1, 9, size=(5, len(scores)))
    weighted = case.metric.weighted(case.rows(case.half_right()), weights, case.labels, case.options)
    means = [np.average(scores[scored], weights=line[scored]) for line in weights]
    np.testing.assert_allclose(weighted, means)


@every_case
def test_perfect_answers_get_the_best_value(case: Case) -> None:
    right, bad = (case.overall(case.rows(case.answers(make))) for make in (perfect, wrong))
    assert right == pytest.approx(best(case.metric), abs=1e-6)
    if case.metric.summed or len(case.sample.references) > 1:  # one row alone is always in order
        assert bad < right if case.metric.higher_is_better else bad > right


@every_case
def test_strange_answers_are_scored_and_not_a_crash(case: Case) -> None:
    odd = [(one, wanted) for wanted in case.sample.references for one in strange(case.kind, wanted, case.labels)]
    found = case.metric.rows([one for one, _ in odd], [wanted for _, wanted in odd], case.labels, case.options)
    assert not np.isinf(case.overall(found))


@every_case
def test_no_rows_at_all_have_no_value(case: Case) -> None:
    nothing = case.metric.rows([], [], case.labels, case.options)
    assert nothing.shape == (0, case.rows(case.answers(perfect)).shape[1])
    assert np.isnan(case.overall(nothing))
    assert values(case.task, [case.metric.name], {}, case.labels, [], []) == {case.metric.name: None}


@every_case
def test_a_row_by_itself_has_a_score_and_of_a_binary_metric_zero_or_one(case: Case) -> None:
    single = case.per_row(case.half_right())
    assert single.shape == (len(case.sample.references),)
    if case.metric.binary:
        assert set(single[~np.isnan(single)].tolist()) <= {0.0, 1.0}  # a row without a reference has no score


@every_task
def test_a_right_row_reaches_what_the_task_calls_right(task: Task) -> None:
    if task.judged_by is None:
        return
    metric = registry.metric(task.judged_by, task)
    sign = 1 if metric.higher_is_better else -1
    for case in (Case(metric, task, sample) for sample in task.samples):
        assert (sign * case.per_row(case.answers(perfect)) >= sign * task.right_at).all()
        assert not (sign * case.per_row(case.answers(wrong)) >= sign * task.right_at).any()
        # A blank is right where there is nothing to say: a question without an answer, words without names.
        blank = case.per_row([task.blank(row) for row in case.sample.inputs])
        assert (sign * blank >= sign * task.right_at).sum() < len(blank)


@every_task
def test_a_task_is_judged_by_metrics_that_it_has(task: Task) -> None:
    offered = registry.metrics_of(task)
    assert set(task.default_metrics) <= set(offered)
    assert list(offered)[: len(task.default_metrics)] == list(task.default_metrics)
    assert task.judged_by is None or task.judged_by in offered
    assert needs(task, list(offered)) >= {"answer"}


@every_metric
def test_a_metric_belongs_to_a_task_and_has_a_title(metric: Metric) -> None:
    assert any(metric in registry.metrics_of(task).values() for task in registry.tasks().values())
    assert metric.title
    assert isinstance(metric, Summed if metric.summed else Resampled)


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


@pytest.mark.parametrize("kind", get_args(ReferenceKind))
def test_there_are_right_wrong_and_strange_answers_of_every_kind(kind: str) -> None:
    references: dict[str, Any] = {
        **{"label": "a", "labels": ["a", "b"], "tags": ["B-a", "O"], "answers": ["a", "b"], "texts": ["a b", "b"]},
        **{"transcript": "a b", "number": 0.5, "word": "a", "continuation": "a b"},
        "boxes": [{"label": "a", "box": [0, 0, 2, 2]}],
        "mask": {"size": [1, 3], "runs": [["a", 1], [None, 2]]},
    }
    reference = references[kind]
    names = labels_of(kind, [reference])
    right, bad = perfect(kind, reference, names), wrong(kind, reference, names)
    assert right["answer"] != bad["answer"]
    assert right.keys() == bad.keys()
    assert all("answer" in one for one in strange(kind, reference, names))


def test_statistics_come_under_the_names_that_were_asked_for() -> None:
    task = registry.task("text-classification")
    found = statistics(task, ["f1", "accuracy"], {}, ("a", "b"), [{"answer": "a", "score": 0.9}], ["a"])
    assert list(found) == ["f1", "accuracy"]


def test_a_metric_is_left_out_where_a_prediction_lacks_what_it_reads() -> None:
    task = registry.task("text-classification")
    predictions = [{"answer": "a", "score": 0.9, "probabilities": [0.9, 0.1]}, {"answer": "b"}]
    assert list(statistics(task, ["accuracy", "brier_score"], {}, "ab", predictions, ["a", "b"])) == ["accuracy"]
    assert values(task, ["brier_score"], {}, "ab", predictions, ["a", "b"]) == {"brier_score": None}


def test_a_person_is_asked_once_for_an_option_that_several_metrics_share() -> None:
    task = registry.task("text-classification")
    shared = {name: flat for name, _, flat in shared_options(task, ["precision", "recall", "f1"])}
    assert shared["average"] == ("precision_average", "recall_average", "f1_average")
