"""What holds for every task of the registry."""

from __future__ import annotations

import inspect

import pytest

from core import registry
from core.metrics.scoring import values
from core.tasks.base import Task

every_task = pytest.mark.parametrize("task", registry.tasks().values(), ids=registry.tasks())


def column_names(task: Task, role: str) -> list[str]:
    return [column.name for column in task.columns if column.role == role]


@every_task
def test_it_is_named_as_the_hub_names_it(task: Task) -> None:
    assert task.tags[0] == task.name
    assert task.title
    assert task.unit


@every_task
def test_it_has_one_reference_and_at_least_one_input(task: Task) -> None:
    assert len(column_names(task, "reference")) == 1
    assert column_names(task, "input")
    assert next(column for column in task.columns if column.role == "reference").required


@every_task
def test_its_columns_have_guesses_of_which_no_two_claim_the_same_name(task: Task) -> None:
    guesses = [guess for column in task.columns for guess in column.guesses]
    for column in task.columns:
        assert column.name in column.guesses
        assert column.title
    assert all(guess == guess.lower() for guess in guesses)
    assert len(set(guesses)) == len(guesses)


@every_task
def test_its_metrics_exist_and_the_headline_comes_first(task: Task) -> None:
    assert set(task.default_metrics) <= set(task.metrics) <= set(registry.metrics())
    assert task.default_metrics[0] == task.metrics[0]
    assert 0 < task.right_at <= 1


@every_task
def test_its_samples_fill_its_columns(task: Task) -> None:
    required = {column.name for column in task.columns if column.role == "input" and column.required}
    assert task.samples
    for sample in task.samples:
        assert len(sample.inputs) == len(sample.references) > 0
        for row in sample.inputs:
            assert required <= set(row) <= set(column_names(task, "input"))


@every_task
def test_its_samples_can_be_scored(task: Task) -> None:
    for sample in task.samples:
        labels = tuple(sorted(set(sample.references))) if task.labelled else ()
        predictions = [{"answer": one if isinstance(one, str) else one[0]} for one in sample.references]
        found = values(task.default_metrics, {}, labels, predictions, sample.references)
        assert set(found) == set(task.default_metrics)
        assert all(value == pytest.approx(1) for value in found.values())


@every_task
def test_labels_are_what_a_labelled_task_refers_to(task: Task) -> None:
    reference = next(column for column in task.columns if column.role == "reference")
    assert (reference.kind == "label") == task.labelled


@every_task
def test_its_model_class_exists(task: Task) -> None:
    import transformers

    assert hasattr(transformers, task.auto_class)


@every_task
def test_no_rows_are_encoded_without_a_tokenizer_being_asked(task: Task) -> None:
    assert task.encode(None, []) == []


@every_task
def test_its_script_is_a_function_that_stands_alone(task: Task) -> None:
    source = inspect.getsource(task.script)
    assert source.startswith("def predict(")
    names: dict[str, object] = {}
    exec("from typing import Any\n" + source, names)
    assert list(inspect.signature(names["predict"]).parameters) == ["model", "tokenizer", "text", "settings"]
