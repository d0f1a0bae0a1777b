"""Mean IoU and pixel accuracy equal scikit-learn on the pixels of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.metrics.base import overall
from core.metrics.intersection_over_union import METRIC

LABELS = ("road", "sky", "tree", "car")
MEAN_IOU, ACCURACY = METRIC


def mask(pixels: NDArray[Any]) -> dict[str, Any]:
    """Runs of one pixel each: as valid as longer ones."""
    return {"size": list(pixels.shape), "runs": [[name, 1] for name in pixels.ravel().tolist()]}


def score(metric: Any, answers: list[NDArray[Any]], references: list[NDArray[Any]]) -> float:
    predictions = [{"answer": mask(one)} for one in answers]
    return overall(metric, metric.rows(predictions, [mask(one) for one in references], LABELS, {}), LABELS, {})


@pytest.mark.parametrize("seed", range(10))
def test_they_equal_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, jaccard_score

    generator = np.random.default_rng(seed)
    wanted = [generator.choice(np.array(LABELS[:3], dtype=object), size=(5, 7)) for _ in range(4)]
    answered = [
        np.where(generator.random((5, 7)) < 0.5, one, generator.choice(np.array(("road", "sky"), dtype=object)))
        for one in wanted
    ]
    flat_wanted, flat_answered = (np.concatenate([one.ravel() for one in side]) for side in (wanted, answered))
    present = sorted({*flat_wanted, *flat_answered})
    scores = jaccard_score(flat_wanted, flat_answered, labels=present, average="macro")
    assert score(MEAN_IOU, answered, wanted) == pytest.approx(scores)
    assert score(ACCURACY, answered, wanted) == pytest.approx(accuracy_score(flat_wanted, flat_answered))


def test_pixels_without_a_label_do_not_count() -> None:
    wanted = np.array([["road", "sky", None, None]], dtype=object)
    assert score(MEAN_IOU, [np.array([["road", "sky", "car", "tree"]])], [wanted]) == 1
    assert score(ACCURACY, [np.array([["road", "road", "car", "tree"]])], [wanted]) == 0.5


def test_names_beyond_the_labels_and_missing_ones_are_wrong() -> None:
    wanted = np.array([["road", "road", "sky", "sky"]])
    answered = np.array([["road", "building", "sky", None]], dtype=object)
    assert score(MEAN_IOU, [answered], [wanted]) == 0.5
    assert score(ACCURACY, [answered], [wanted]) == 0.5


def test_a_mask_of_another_size_is_wrong_everywhere() -> None:
    wanted = np.array([["road", "sky"]])
    assert score(MEAN_IOU, [wanted.T], [wanted]) == 0
    assert score(ACCURACY, [wanted.T], [wanted]) == 0


def test_a_reference_without_any_label_has_no_value() -> None:
    empty = np.array([[None, None]], dtype=object)
    for metric in METRIC:
        assert np.isnan(score(metric, [np.array([["road", "sky"]])], [empty]))


def test_runs_may_be_long() -> None:
    long = {"size": [100, 200], "runs": [["road", 5000], ["sky", 15000]]}
    half = {"size": [100, 200], "runs": [["road", 10000], ["sky", 10000]]}
    found = MEAN_IOU.rows([{"answer": half}], [long], LABELS, {})
    assert found.tolist() == [[5000, 10000, 0, 0, 10000, 15000, 0, 0]]
