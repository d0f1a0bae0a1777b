"""mAP equals pycocotools, row by row and resampled."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.metrics.mean_average_precision import COCO, METRIC, RECALLS, MeanAveragePrecision, _reached

LABELS = ("cat", "dog", "bird")
MAP, MAP_50 = METRIC
Boxes = list[dict[str, Any]]


def box(generator: np.random.Generator, near: list[float] | None = None) -> list[float]:
    """Corners on whole pixels: an overlap is then the same number, however it is computed."""
    if near is not None:
        left, top, right, bottom = (np.array(near) + generator.integers(-4, 5, size=4)).tolist()
        return [float(left), float(top), float(max(right, left + 1)), float(max(bottom, top + 1))]
    left, top = generator.integers(0, 60, size=2).tolist()
    width, height = generator.integers(4, 40, size=2).tolist()
    return [float(left), float(top), float(left + width), float(top + height)]


def pictures(count: int, seed: int, crowds: bool = False, extra: int = 4) -> tuple[list[dict[str, Any]], list[Boxes]]:
    """Answers and references: boxes moved a little, boxes missed, boxes invented; no score twice."""
    generator = np.random.default_rng(seed)
    scores = iter(generator.permutation(200_000) / 200_000)
    answers, references = [], []
    for _ in range(count):
        reference: Boxes = [
            {"label": str(generator.choice(LABELS)), "box": box(generator)} for _ in range(generator.integers(0, 6))
        ]
        if crowds:
            reference = [{**one, "crowd": True} if generator.random() < 0.3 else one for one in reference]
        answer: Boxes = [
            {"label": one["label"], "box": box(generator, one["box"]), "score": float(next(scores))}
            for one in reference
            for _ in range(generator.integers(0, 3))
        ]
        answer += [
            {"label": str(generator.choice((*LABELS, "ghost"))), "box": box(generator), "score": float(next(scores))}
            for _ in range(generator.integers(0, extra))
        ]
        answers.append({"answer": [answer[index] for index in generator.permutation(len(answer))]})
        references.append(reference)
    return answers, references


def coco(answers: list[dict[str, Any]], references: list[Boxes]) -> tuple[float, float]:
    """mAP@[.5:.95] and mAP@.5 of pycocotools; NaN where there is nothing to find."""
    from pycocotools.coco import COCO as Index
    from pycocotools.cocoeval import COCOeval

    place = {label: number for number, label in enumerate(LABELS, start=1)}

    def entries(rows: list[Boxes]) -> list[dict[str, Any]]:
        return [
            {
                "image_id": picture,
                "category_id": place[one["label"]],
                "bbox": [one["box"][0], one["box"][1], one["box"][2] - one["box"][0], one["box"][3] - one["box"][1]],
                "area": (one["box"][2] - one["box"][0]) * (one["box"][3] - one["box"][1]),
                "iscrowd": int(one.get("crowd", False)),
                "score": one.get("score"),
            }
            for picture, row in enumerate(rows, start=1)
            for one in row
            if one["label"] in place
        ]

    def index(annotations: list[dict[str, Any]]) -> Any:
        made = Index()
        made.dataset = {
            "images": [{"id": picture} for picture in range(1, len(references) + 1)],
            "categories": [{"id": number, "name": label} for label, number in place.items()],
            "annotations": [{**one, "id": number} for number, one in enumerate(annotations, start=1)],
        }
        made.createIndex()
        return made

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(index(entries(references)), index(entries([one["answer"] for one in answers])), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, -1]

    def mean(numbers: NDArray[Any]) -> float:
        return float(numbers[numbers > -1].mean()) if (numbers > -1).any() else float("nan")

    return mean(precision), mean(precision[0])


def score(metric: MeanAveragePrecision, answers: list[dict[str, Any]], references: list[Boxes]) -> float:
    statistics = metric.rows(answers, references, LABELS, {})
    return float(metric.weighted(statistics, np.ones((1, len(answers))), LABELS, {})[0])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("crowds", [False, True], ids=["plain", "crowds"])
def test_it_equals_pycocotools(seed: int, crowds: bool) -> None:
    answers, references = pictures(40, seed, crowds)
    expected = coco(answers, references)
    assert 0 < expected[0] < expected[1] < 1
    assert (score(MAP, answers, references), score(MAP_50, answers, references)) == pytest.approx(expected, abs=1e-12)


def test_more_than_a_hundred_boxes_of_a_label_do_not_count() -> None:
    answers, references = pictures(3, 5, extra=900)
    expected = coco(answers, references)
    assert (score(MAP, answers, references), score(MAP_50, answers, references)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_resample_equals_pycocotools_on_copies_of_its_pictures(seed: int) -> None:
    answers, references = pictures(15, seed, crowds=True)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=3)
    found = MAP.weighted(MAP.rows(answers, references, LABELS, {}), weights, LABELS, {})
    expected = []
    for row in weights:
        drawn = np.repeat(np.arange(len(answers)), row).tolist()
        expected.append(coco([answers[index] for index in drawn], [references[index] for index in drawn])[0])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_resamples_do_not_depend_on_the_block_they_are_in(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, references = pictures(30, 1)
    statistics = MAP.rows(answers, references, LABELS, {})
    weights = np.random.default_rng(0).integers(0, 3, size=(50, 30))
    whole = MAP.weighted(statistics, weights, LABELS, {})
    monkeypatch.setattr("core.metrics.mean_average_precision.BLOCK", 40)
    np.testing.assert_array_equal(MAP.weighted(statistics, weights, LABELS, {}), whole)


def test_a_found_box_is_found_once() -> None:
    cat = {"label": "cat", "box": [0.0, 0.0, 10.0, 10.0]}
    twice = [{"answer": [{**cat, "score": 0.9}, {**cat, "score": 0.8}]}]
    assert score(MAP, twice, [[cat]]) == pytest.approx(1.0)
    assert score(MAP, twice, [[cat, {"label": "cat", "box": [50.0, 50.0, 60.0, 60.0]}]]) == pytest.approx(51 / 101)


def test_a_box_of_another_label_finds_nothing() -> None:
    answer = [{"answer": [{"label": "dog", "box": [0.0, 0.0, 10.0, 10.0], "score": 0.9}]}]
    assert score(MAP, answer, [[{"label": "cat", "box": [0.0, 0.0, 10.0, 10.0]}]]) == 0


def test_without_anything_to_find_it_is_undefined() -> None:
    invented = [{"answer": [{"label": "cat", "box": [0.0, 0.0, 10.0, 10.0], "score": 0.9}]}]
    assert np.isnan(score(MAP, invented, [[]]))
    assert np.isnan(MAP.weighted(MAP.rows([], [], LABELS, {}), np.ones((1, 0)), LABELS, {})[0])


def test_the_recalls_of_a_curve_are_counted_as_by_searching() -> None:
    recall = np.array([part / total for total in range(1, 210) for part in range(total + 1)])
    np.testing.assert_array_equal(_reached(recall), np.searchsorted(np.linspace(0, 1, RECALLS), recall, side="right"))


def test_pictures_that_match_alike_are_equal() -> None:
    answers, references = pictures(6, 2)
    first, again = (MAP.rows(answers, references, LABELS, {}) for _ in range(2))
    assert (first == again).all()
    other = MAP.rows([{"answer": []}, *answers[1:]], references, LABELS, {})
    assert (first != other).sum() == 1


def test_the_thresholds_are_those_of_coco() -> None:
    assert COCO == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
