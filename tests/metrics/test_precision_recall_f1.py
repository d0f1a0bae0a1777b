"""Precision, recall, F1 and accuracy equal scikit-learn's, in the whole and in every resample."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from core import registry
from core.errors import PlanError
from core.metrics.base import describe_options, resolve_options
from core.metrics.scoring import statistics, values

NAMES = ("precision", "recall", "f1")
TASK = registry.task("text-classification")
NAMED = ("", "b", "ジャンル", "d\u0301", "👍", "0", "two words")


def cases(count: int, seed: int) -> Iterator[tuple[list[str], list[str], tuple[str, ...]]]:
    """Random answers, references and labels: one class to seven, few rows to many, labels that never occur."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        labels = NAMED[: generator.integers(1, 8)]
        n = int(generator.integers(1, 40))
        skew = generator.dirichlet(np.full(len(labels), 0.5))
        references = generator.choice(labels, n, p=skew).tolist()
        wrong = generator.choice(labels, n).tolist()
        right = generator.random(n) < generator.random()
        answers = [one if good else other for one, other, good in zip(references, wrong, right, strict=True)]
        yield answers, references, labels


def expected(answers: Sequence[str], references: Sequence[str], **options: Any) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a single class
        scores = precision_recall_fscore_support(references, answers, zero_division=0, **options)
    return dict(zip(NAMES, map(float, scores[:3]), strict=True))


def ours(names: Sequence[str], answers: Sequence[str], references: Sequence[str], labels: Sequence[str], **flat: Any):
    return values(TASK, names, flat, labels, [{"answer": answer} for answer in answers], references)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_averages_equal_scikit_learn(average: str) -> None:
    for answers, references, labels in cases(350, seed=1):
        found = ours(NAMES, answers, references, labels, **{f"{name}_average": average for name in NAMES})
        assert found == pytest.approx(expected(answers, references, average=average), abs=1e-12), (answers, references)


def test_accuracy_equals_scikit_learn() -> None:
    for answers, references, labels in cases(300, seed=2):
        wanted = accuracy_score(references, answers)
        assert ours(["accuracy"], answers, references, labels)["accuracy"] == pytest.approx(wanted, abs=1e-12)


def test_the_positive_class_alone_equals_scikit_learn() -> None:
    """Of more than two labels scikit-learn wants the class as `labels`; the number is the class's own in its report."""
    for answers, references, labels in cases(350, seed=3):
        positive = labels[len(answers) % len(labels)]
        flat = {f"{name}_{key}": one for name in NAMES for key, one in (("average", "binary"), ("positive", positive))}
        found = ours(NAMES, answers, references, labels, **flat)
        wanted = expected(answers, references, labels=[positive], average="macro")
        assert found == pytest.approx(wanted, abs=1e-12), (answers, references, positive)


def test_two_labels_equal_scikit_learns_binary_average() -> None:
    references, answers = list("nnpppnpn"), list("npppnnnn")
    wanted = expected(answers, references, average="binary", pos_label="p")["f1"]
    assert ours(["f1"], answers, references, "np", f1_average="binary", f1_positive="p")["f1"] == pytest.approx(wanted)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_every_resample_equals_scikit_learn_on_the_resampled_rows(average: str) -> None:
    generator = np.random.default_rng(4)
    for answers, references, labels in cases(40, seed=5):
        rows = statistics(TASK, ["f1"], {}, labels, [{"answer": answer} for answer in answers], references)["f1"]
        drawn = generator.integers(len(answers), size=(5, len(answers)))
        weights = np.stack([np.bincount(line, minlength=len(answers)) for line in drawn]).astype(float)
        metric = registry.metric("f1", TASK)
        found = metric.value(weights @ rows, labels, resolve_options(metric, {"f1_average": average}))
        for line, got in zip(drawn, found, strict=True):
            resampled = [answers[row] for row in line], [references[row] for row in line]
            assert got == pytest.approx(expected(*resampled, average=average)["f1"], abs=1e-12)


def test_answers_that_are_no_label_of_the_data_set_are_one_class_as_in_scikit_learn() -> None:
    answers, references = ["pos", "LABEL_2", "neg", "LABEL_2"], ["pos", "neg", "neg", "pos"]
    found = ours(NAMES, answers, references, ("neg", "pos"))
    assert found == pytest.approx(expected(answers, references, average="macro"))


def test_two_different_unknown_names_do_not_make_a_row_right() -> None:
    assert ours(["accuracy", "f1"], ["x"], ["y"], ("a",)) == {"accuracy": 0.0, "f1": 0.0}


def test_statistics_are_bytes_so_that_many_classes_stay_small() -> None:
    labels = [f"intent {number}" for number in range(77)]
    rows = statistics(TASK, ["f1"], {}, labels, [{"answer": labels[3]}] * 10, [labels[5]] * 10)["f1"]
    assert rows.shape == (10, 3 * 78)
    assert rows.dtype == np.int8
    assert rows.sum(axis=0)[[3 * 3 + 1, 3 * 5 + 2]].tolist() == [10, 10]
    assert statistics(TASK, ["f1"], {}, labels, [{"answer": labels[3]}] * 300, [labels[3]] * 300)["f1"].sum() == 300


@pytest.mark.parametrize("positive", [None, "positiv"])
def test_a_binary_average_without_a_positive_label_says_which_there_are(positive: str | None) -> None:
    flat = {"f1_average": "binary", "f1_positive": positive}
    with pytest.raises(PlanError, match=r"f1_positive is .*the labels are 'negative', 'positive'") as caught:
        statistics(TASK, ["f1"], flat, ("negative", "positive"), [], [])
    assert "f1_positive: positive" in caught.value.hint


def test_a_positive_label_that_the_plan_wrote_as_a_number_is_found() -> None:
    assert ours(["f1"], ["1", "0"], ["1", "1"], ("0", "1"), f1_average="binary", f1_positive=1)["f1"] == 2 / 3


def test_an_average_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(PlanError, match="f1_average is 'makro'") as caught:
        ours(["f1"], ["a"], ["a"], ("a",), f1_average="makro")
    assert "macro, micro, weighted, binary" in caught.value.hint


def test_the_average_is_what_people_write_behind_the_score() -> None:
    metric = registry.metric("f1", TASK)
    assert describe_options(metric, resolve_options(metric, {})) == "macro"
    spam = resolve_options(metric, {"f1_average": "binary", "f1_positive": "spam"})
    assert describe_options(metric, spam) == "binary, spam"
