"""Published systems' answers get the published scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn

from core import registry
from core.metrics.scoring import values

TASK = registry.task("text-classification")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


def score(metric: str, answers: Sequence[Any], references: Sequence[Any], **flat: Any) -> float:
    names = sorted({str(one) for one in references})
    predictions = [{"answer": str(answer)} for answer in answers]
    found = values(TASK, [metric], flat, names, predictions, [str(one) for one in references])[metric]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("task", "metric", "options", "published"),
    [
        ("sentiment", "recall", {"recall_average": "macro"}, 72.86),
        ("emotion", "f1", {"f1_average": "macro"}, 79.83),
        ("irony", "f1", {"f1_average": "binary", "f1_positive": 1}, 62.48),
    ],
)
def test_tweeteval(shared: Path, task: str, metric: str, options: dict[str, Any], published: float) -> None:
    """RoBERTa-Retrained, best run; each task has its own metric."""
    folder = shared / "data" / "text-classification" / "tweeteval" / task
    answers, references = lines(folder / "roberta_retrained_predictions.txt"), lines(folder / "test_labels.txt")
    assert 100 * score(metric, answers, references, **options) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("vgg16_keras", 93.6),
        ("resnet_basic_32", 92.5),
        ("resnet_basic_56", 93.3),
        ("wrn_28_10", 95.9),
        ("random_features_32k_no_aug", 83.3),
    ],
)
def test_cifar10(shared: Path, model: str, published: float) -> None:
    folder = shared / "data" / "image-classification" / "cifar10"
    answers = json.loads((folder / "model_predictions" / f"{model}_predictions.json").read_text(encoding="utf-8"))
    references = np.load(folder / "cifar10_test_labels.npy").tolist()
    assert 100 * score("accuracy", answers, references) == pytest.approx(published, abs=0.05)


CROSS_VALIDATED = [
    ("text-classification/cleanlab_imdb_20news_predictions/imdb", 0.89576),
    ("text-classification/cleanlab_imdb_20news_predictions/20news", 0.92339),
    ("image-classification/mnist_t10k/cleanlab_mnist", 0.9913),
]


@pytest.mark.parametrize(("start", "published"), CROSS_VALIDATED, ids=["imdb", "20news", "mnist"])
def test_cross_validated_predictions(shared: Path, start: str, published: float) -> None:
    answers = np.load(shared / "data" / f"{start}_test_set_pyx.npy").argmax(axis=1).tolist()
    references = np.load(shared / "data" / f"{start}_test_set_original_labels.npy").tolist()
    assert score("accuracy", answers, references) == pytest.approx(published, abs=5e-6)


@pytest.mark.parametrize("start", [start for start, _ in CROSS_VALIDATED], ids=["imdb", "20news", "mnist"])
def test_real_probabilities_are_scored_as_by_scikit_learn(shared: Path, start: str) -> None:
    """With four decimals, as tasks give them, and none at 0."""
    shares = np.load(shared / "data" / f"{start}_test_set_pyx.npy").astype(np.float64)
    shares = (shares / shares.sum(axis=1, keepdims=True)).round(4).clip(1e-4)
    shares /= shares.sum(axis=1, keepdims=True)
    truth = np.load(shared / "data" / f"{start}_test_set_original_labels.npy").astype(int)
    labels = [f"{place:02}" for place in range(shares.shape[1])]
    predictions = [{"answer": labels[row.argmax()], "probabilities": row.tolist()} for row in shares]
    names = ["mcc", "roc_auc", "brier_score", "log_loss"]
    found = values(TASK, names, {}, labels, predictions, [labels[place] for place in truth])
    several = {"multi_class": "ovr"} if len(labels) > 2 else {}
    assert found == pytest.approx(
        {
            "mcc": sklearn.matthews_corrcoef(truth, shares.argmax(axis=1)),
            "roc_auc": sklearn.roc_auc_score(truth, shares if several else shares[:, 1], **several),
            "brier_score": sklearn.brier_score_loss(truth, shares, labels=range(len(labels))),
            "log_loss": sklearn.log_loss(truth, shares),
        },
        rel=1e-9,
    )
