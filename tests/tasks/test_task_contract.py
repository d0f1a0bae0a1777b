"""What holds for every task of the registry."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.metrics.scoring import values
from core.tasks.base import Task, reference_column
from tests.tasks import tiny
from tests.tasks.tiny import Tiny

every_task = pytest.mark.parametrize("task", registry.tasks().values(), ids=registry.tasks())
PIPELINE_TAGS = {
    *("text-classification", "token-classification", "zero-shot-classification", "question-answering", "translation"),
    *("summarization", "text2text-generation", "text-generation", "fill-mask", "sentence-similarity"),
    *("feature-extraction", "image-classification", "object-detection", "image-segmentation", "audio-classification"),
    *("automatic-speech-recognition",),
}
"""Tags by which the Hub can be searched."""


@pytest.fixture(scope="module")
def built() -> dict[tuple[str, str], Tiny]:
    """Tiny models that were made already."""
    return {}


@pytest.fixture(
    params=[(name, one) for name in registry.tasks() for one in tiny.architectures().get(name, {})],
    ids=lambda pair: "-".join(pair),
)
def session(request: pytest.FixtureRequest, built: dict[tuple[str, str], Tiny]) -> tuple[Task, Tiny]:
    """A task with a tiny model of one architecture."""
    name, architecture = request.param
    if request.param not in built:
        built[request.param] = tiny.architectures()[name][architecture]()
    return registry.task(name), built[request.param]


def column_names(task: Task, role: str) -> list[str]:
    return [column.name for column in task.columns if column.role == role]


@every_task
def test_it_has_tiny_models_of_two_architectures(task: Task) -> None:
    assert len(tiny.architectures().get(task.name, {})) >= 2, f"add {task.name!r} to a table of tests/tasks/tiny_*.py"


def test_a_batch_gives_what_one_row_at_a_time_gives(session: tuple[Task, Tiny], tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 20, tmp_path)
    context = tiny.context(task, model.labels if task.labelled else ())
    alone = tiny.predict(model, task, rows, context, 1)
    together = tiny.predict(model, task, rows, context, 8)
    for row, one, other in zip(rows, alone, together, strict=True):
        assert tiny.same(one, other), (row, one, other)
    assert len(set(map(json.dumps, alone))) > 1, "one answer to everything proves nothing"


def test_predictions_hold_what_every_metric_reads(session: tuple[Task, Tiny], tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 3, tmp_path)
    context = tiny.context(task, model.labels if task.labelled else ())
    predictions = tiny.predict(model, task, rows, context, 8)
    for one in predictions:
        assert context.needs <= set(one)
        assert json.loads(json.dumps(one, allow_nan=False)) == one
        assert set(task.blank(rows[0])) <= set(one), "a blank answer has nothing that an answer has not"
    for row in tiny.answered(model, task, rows, context, 8):
        assert task.count(row) >= 0
        assert len(row.pieces) == len(row.outputs)


def test_the_exported_function_gives_the_same_answers(session: tuple[Task, Tiny], tmp_path: Path) -> None:
    task, model = session
    rows = tiny.rows(task, 6, tmp_path)
    context = tiny.context(task, model.labels if task.labelled else ())
    wanted = [one["answer"] for one in tiny.predict(model, task, rows, context, 1)]
    settings = tiny.script_settings(task, context)
    found = [task.script(model.model, model.processor, _as_in_a_program(row), settings) for row in rows]
    for one, other in zip(found, wanted, strict=True):
        assert tiny.same(one, other), (one, other)


def _as_in_a_program(row: dict[str, Any]) -> dict[str, Any]:
    """Pictures and clips are names of files."""
    return {name: value["file"] if isinstance(value, dict) else value for name, value in row.items()}


@every_task
def test_its_first_tag_can_be_searched_on_the_hub(task: Task) -> None:
    assert task.tags[0] in PIPELINE_TAGS
    assert task.name == task.tags[0] or task.name not in PIPELINE_TAGS
    assert task.title
    assert task.unit


@every_task
def test_it_has_one_reference_and_at_least_one_input(task: Task) -> None:
    assert len(column_names(task, "reference")) == 1
    assert column_names(task, "input")
    without = any("answer" not in metric.needs for metric in registry.metrics_of(task).values())
    assert reference_column(task).required or without, "nothing can be measured without references"


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
    offered = registry.metrics_of(task)
    assert list(offered)[: len(task.default_metrics)] == list(task.default_metrics)
    assert task.judged_by is None or task.judged_by in offered
    assert task.rows_at_once > 0


@every_task
def test_its_samples_fill_its_columns(task: Task) -> None:
    required = {column.name for column in task.columns if column.role == "input" and column.required}
    assert task.samples
    for sample in task.samples:
        assert len(sample.inputs) == len(sample.references) > 0
        for row in sample.inputs:
            assert required <= set(row) <= set(column_names(task, "input"))


@every_task
def test_right_answers_score_best_and_blank_ones_can_be_scored(task: Task) -> None:
    for sample in task.samples:
        labels = task.known_labels(sorted(_labels(sample.references))) if task.labelled else ()
        right = [_right(task, one) for one in sample.references]
        found = values(task, task.default_metrics, {}, labels, right, sample.references)
        for name, value in found.items():
            metric = registry.metric(name, task)
            if set(metric.needs) <= set(right[0]):
                assert value in (pytest.approx(1), pytest.approx(100)) if metric.higher_is_better else value == 0, name
        blank = [task.blank(row) for row in sample.inputs]
        assert set(values(task, task.default_metrics, {}, labels, blank, sample.references)) == set(found)


def _right(task: Task, reference: Any) -> dict[str, Any]:
    """A prediction that says what the reference says."""
    kind = reference_column(task).kind
    if kind == "boxes":
        return {"answer": [{**box, "score": 1.0} for box in reference]}
    if kind in ("texts", "answers", "continuation") and not isinstance(reference, str):
        return {"answer": reference[0] if reference else ""}
    return {"answer": reference}


def _labels(references: tuple[Any, ...]) -> set[str]:
    """Names of labels in references: of a row, of its words, of what is in it."""
    found: set[str] = set()
    for one in references:
        if isinstance(one, dict):
            found |= _labels(tuple(label for label, _ in one["runs"] if label)) if "runs" in one else {one["label"]}
        else:
            found |= {one} if isinstance(one, str) else _labels(tuple(one))
    return found


@every_task
def test_it_knows_labels_only_where_labels_are_reconciled(task: Task) -> None:
    assert task.labelled or reference_column(task).kind not in ("label", "labels", "tags", "boxes", "mask")


@every_task
def test_its_model_classes_exist(task: Task) -> None:
    import transformers

    assert task.auto_classes
    assert all(hasattr(transformers, name) for name in (*task.auto_classes, task.processor_class))


@every_task
def test_no_rows_are_encoded_without_a_processor_being_asked(task: Task) -> None:
    assert task.encode(None, [], tiny.context(task)) == []


@every_task
def test_its_script_is_a_function_that_stands_alone(task: Task) -> None:
    source = inspect.getsource(task.script)
    assert source.startswith("def predict(")
    names: dict[str, object] = {}
    exec("from typing import Any\n" + source, names)
    assert list(inspect.signature(names["predict"]).parameters) == ["model", "processor", "row", "settings"]
