"""Classification, detection and segmentation of pictures, on tiny models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import registry
from core.errors import TrialFailed
from core.tasks.base import Context, Task
from core.tasks.image_segmentation import run_lengths
from tests.tasks import tiny
from tests.tasks.tiny import Tiny
from tests.tasks.tiny_media import pictures

IMAGE_TASKS = ("image-classification", "object-detection", "image-segmentation")


def model_of(task: str, architecture: str) -> tuple[Task, Tiny, Context]:
    built = tiny.architectures()[task][architecture]()
    return registry.task(task), built, tiny.context(registry.task(task), built.labels)


def rows(count: int, folder: Path) -> list[dict[str, Any]]:
    return [{"image": value} for value in pictures(count, 0, folder)]


def pipeline(task: str, built: Tiny) -> Any:
    import transformers

    return transformers.pipeline(task, model=built.model, image_processor=built.processor, device="cpu")


@pytest.mark.parametrize("architecture", ["vit", "convnext"])
def test_classification_equals_the_pipeline_of_transformers(tmp_path: Path, architecture: str) -> None:
    task, built, context = model_of("image-classification", architecture)
    inputs = rows(6, tmp_path)
    files = [row["image"]["file"] for row in inputs]
    for prediction, found in zip(
        tiny.predict(built, task, inputs, context, 4),
        pipeline("image-classification", built)(files),
        strict=True,
    ):
        assert prediction["answer"] == found[0]["label"]
        scores = {one["label"]: one["score"] for one in found}
        assert prediction["probabilities"] == pytest.approx([scores[label] for label in built.labels], abs=1e-4)


@pytest.mark.parametrize("architecture", ["yolos", "detr"])
def test_detection_equals_the_pipeline_of_transformers(tmp_path: Path, architecture: str) -> None:
    task, built, context = model_of("object-detection", architecture)
    inputs = rows(6, tmp_path)
    files = [row["image"]["file"] for row in inputs]
    found = pipeline("object-detection", built)(files, threshold=0.0)
    for prediction, boxes in zip(tiny.predict(built, task, inputs, context, 4), found, strict=True):
        assert len(prediction["answer"]) == len(boxes) == 5
        boxes = sorted(boxes, key=lambda one: -one["score"])
        for one, other in zip(prediction["answer"], boxes, strict=True):
            assert one["label"] == other["label"]
            assert one["score"] == pytest.approx(other["score"], abs=1e-4)
            edges = [other["box"][edge] for edge in ("xmin", "ymin", "xmax", "ymax")]
            assert np.abs(np.array(one["box"]) - edges).max() < 1.01, "the pipeline cuts to whole pixels"


def test_segmentation_equals_the_pipeline_of_transformers(tmp_path: Path) -> None:
    task, built, context = model_of("image-segmentation", "segformer")
    inputs = rows(6, tmp_path)
    files = [row["image"]["file"] for row in inputs]
    found = pipeline("image-segmentation", built)(files, subtask="semantic")
    for prediction, parts in zip(tiny.predict(built, task, inputs, context, 4), found, strict=True):
        answer = prediction["answer"]
        names = np.repeat([name for name, _ in answer["runs"]], [length for _, length in answer["runs"]])
        labelled = names.reshape(answer["size"])
        assert {part["label"] for part in parts} == set(names.tolist())
        for part in parts:
            np.testing.assert_array_equal(labelled == part["label"], np.asarray(part["mask"]) > 0)


def test_boxes_below_the_threshold_are_dropped(tmp_path: Path) -> None:
    task, built, context = model_of("object-detection", "yolos")
    every = tiny.predict(built, task, rows(4, tmp_path), context, 4)
    scores = sorted(box["score"] for one in every for box in one["answer"])
    threshold = (scores[9] + scores[10]) / 2
    context = tiny.context(task, built.labels, options={"score_threshold": threshold})
    kept = tiny.predict(built, task, rows(4, tmp_path), context, 4)
    assert [one["answer"] for one in kept] == [
        [box for box in one["answer"] if box["score"] > threshold] for one in every
    ]


@pytest.mark.parametrize("name", IMAGE_TASKS)
def test_model_labels_become_the_names_of_the_data(tmp_path: Path, name: str) -> None:
    architecture = next(iter(tiny.architectures()[name]))
    task, built, _ = model_of(name, architecture)
    mapping = dict(zip(built.labels, ("cat", "dog"), strict=False))
    context = tiny.context(task, built.labels, labels=("cat", "dog"), mapping=mapping)
    answers = [one["answer"] for one in tiny.predict(built, task, rows(9, tmp_path), context, 4)]
    assert _names(answers) <= {"cat", "dog", built.labels[2]}
    assert _names(answers) & {"cat", "dog"}


def _names(answers: list[Any]) -> set[str]:
    if isinstance(answers[0], str):
        return set(answers)
    if isinstance(answers[0], dict):
        return {name for one in answers for name, _ in one["runs"]}
    return {box["label"] for one in answers for box in one}


@pytest.mark.parametrize("name", IMAGE_TASKS)
def test_a_picture_that_breaks_later_fails_the_trial_by_its_name(tmp_path: Path, name: str) -> None:
    task, built, context = model_of(name, next(iter(tiny.architectures()[name])))
    inputs = rows(2, tmp_path)
    Path(inputs[1]["image"]["file"]).write_bytes(b"gone")
    with pytest.raises(TrialFailed, match=r"picture-0-1\.png cannot be read") as raised:
        task.encode(built.processor, inputs, context)
    assert raised.value.kind == "data"


def test_a_checkpoint_without_an_image_processor_cannot_be_loaded(tmp_path: Path) -> None:
    task, built, _ = model_of("image-classification", "vit")
    built.model.config.save_pretrained(tmp_path)
    with pytest.raises(TrialFailed, match="no usable image processor") as raised:
        task.load_processor(tmp_path, built.model)
    assert raised.value.kind == "load"


def test_a_processor_that_cuts_pictures_is_refused(tmp_path: Path) -> None:
    import transformers

    task, _, context = model_of("image-segmentation", "segformer")
    cutter = transformers.EomtImageProcessorPil(size={"shortest_edge": 16, "longest_edge": None}, do_split_image=True)
    with pytest.raises(TrialFailed, match="cuts pictures into parts") as raised:
        task.encode(cutter, rows(1, tmp_path), context)
    assert raised.value.kind == "unsupported"


def test_boxes_that_are_equally_sure_have_one_order(tmp_path: Path) -> None:
    task, built, context = model_of("object-detection", "yolos")
    (row,) = tiny.answered(built, task, rows(1, tmp_path), context, 1)
    scores, labels, boxes = row.outputs[0]
    tied = (np.full_like(scores, 0.5), labels, boxes)
    turned = tuple(part[::-1] for part in tied)
    answers = [task.decode(built.processor, [replace(row, outputs=(one,))], context) for one in (tied, turned)]
    assert answers[0] == answers[1]


def test_a_model_that_wants_its_task_in_words_is_refused(tmp_path: Path) -> None:
    class OneFormer:
        def forward(self, pixel_values: Any, task_inputs: Any) -> None: ...

    with pytest.raises(TrialFailed, match="OneFormer takes the task as a text") as raised:
        registry.task("image-segmentation").load_processor(tmp_path, OneFormer())
    assert raised.value.kind == "unsupported"


def test_pictures_of_a_batch_run_together_only_when_their_sizes_are_equal(tmp_path: Path) -> None:
    task, built, context = model_of("object-detection", "detr")
    pieces = [piece for row in task.encode(built.processor, rows(6, tmp_path), context) for piece in row]
    batch = task.collate(built.processor, pieces)
    assert [batch[f"{number}/positions"].tolist() for number in range(3)] == [[0, 3], [1, 4], [2, 5]]
    assert {piece.units for piece in pieces} == {1}


def test_the_length_of_a_picture_grows_with_its_pixels(tmp_path: Path) -> None:
    task, built, context = model_of("image-classification", "vit")
    ((piece,),) = task.encode(built.processor, rows(1, tmp_path), context)
    assert piece.length == 32 * 32 // 256
    assert piece.notes == (24, 32)


def test_runs_of_labels_that_share_a_name_are_one() -> None:
    mask = np.array([[0, 0, 1], [1, 2, 2]])
    assert run_lengths(mask, ("road", "sky", "tree")) == {
        "size": [2, 3],
        "runs": [["road", 2], ["sky", 2], ["tree", 2]],
    }
    assert run_lengths(mask, ("road", "road", "tree"))["runs"] == [["road", 4], ["tree", 2]]
    assert run_lengths(np.zeros((0, 0), dtype=int), ("road",)) == {"size": [0, 0], "runs": []}
