"""Scores of labels and numbers equal scikit-learn's and SciPy's on a thousand random inputs each.

The inputs have one class to eight, empty and foreign names, classes that never occur, answers that are no label, ties
and certainties. Every fourth time rows also count several times, which the library sees repeated. It gets class numbers
in place of names, which is several times faster.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import config_context
from sklearn import metrics as sklearn

from core import registry
from core.errors import PlanError
from core.metrics.base import overall, resolve_options

COUNT = 1000
NAMES = ("", "0", "B", "Label 2", "d\u0301", "é", "ジャンル", "👍")
"""In order, as scikit-learn wants label names."""
ELSEWHERE = "none of them"
NAN = float("nan")
METRICS = {(metric.name, kind): metric for metric in registry.metrics() for kind in metric.kinds}


@dataclass(frozen=True)
class Rows:
    """Rows of one random input. Answers and references are class numbers, or indicators (n, labels + 1) of several."""

    labels: tuple[str, ...]
    references: NDArray[Any]
    answers: NDArray[Any]
    scores: NDArray[np.float64]
    """Probabilities, shape (n, labels), or confidences in the answers (n,)."""

    def __getitem__(self, chosen: NDArray[np.intp]) -> Rows:
        return replace(
            self, references=self.references[chosen], answers=self.answers[chosen], scores=self.scores[chosen]
        )

    def __len__(self) -> int:
        return len(self.references)


Input = tuple[Rows, list[Any], list[Any], dict[str, Any]]
"""Rows for the library, and for us: predictions, references and metric options."""
Wanted = Callable[[Rows, Mapping[str, Any]], Any]
"""What the library says: one number, or one for each metric."""


def agree(kind: str, names: Sequence[str], inputs: Iterator[Input], wanted: Wanted) -> None:
    """The value of these metrics equals the library's, and so does that of rows that count none to three times."""
    generator = np.random.default_rng(0)
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True, assume_finite=True):
        warnings.simplefilter("ignore")  # the libraries warn of what is undefined
        for number, (rows, predictions, references, options) in enumerate(inputs):
            weights = generator.integers(0, 4, size=len(rows)) if number % 4 == 0 else np.ones(len(rows), dtype=int)
            repeated = rows[np.repeat(np.arange(len(rows)), weights)]
            expected = wanted(repeated, options) if len(repeated) else [NAN] * len(names)
            for name, value in zip(names, np.atleast_1d(expected), strict=True):
                metric = METRICS[name, kind]
                given = resolve_options(metric, {f"{name}_{key}": one for key, one in options.items()})
                statistics = metric.rows(predictions, references, rows.labels, given)
                (found,) = metric.weighted(statistics, weights[None].astype(np.float32), rows.labels, given)
                assert found == pytest.approx(value, abs=1e-9, nan_ok=True), (name, rows, weights, options)
                if number % 4:
                    assert found == pytest.approx(overall(metric, statistics, rows.labels, given), nan_ok=True)


def names_of(generator: np.random.Generator) -> tuple[str, ...]:
    return tuple(sorted(generator.choice(NAMES, generator.integers(1, 9), replace=False).tolist()))


def single(options: Sequence[dict[str, Any]] = ({},)) -> Iterator[Input]:
    """One label for each row."""
    for seed in range(COUNT):
        generator = np.random.default_rng(seed)
        labels, n = names_of(generator), int(generator.integers(1, 30))
        skew = generator.dirichlet(np.full(len(labels), 0.7))
        references = generator.choice(len(labels), n, p=skew)
        tickets = generator.multinomial(20, generator.dirichlet(np.full(len(labels), 0.5), n)) + seed % 2
        scores = tickets / tickets.sum(axis=1, keepdims=True)
        answers = np.where(generator.random(n) < 0.05, len(labels), scores.argmax(axis=1))
        names = np.array([*labels, ELSEWHERE], dtype=object)
        predictions = [
            {"answer": answer, "score": float(row.max()), "probabilities": row.tolist()}
            for answer, row in zip(names[answers], scores, strict=True)
        ]
        rows = Rows(labels, references, answers, scores)
        yield rows, predictions, names[references].tolist(), options[seed % len(options)]


def several(options: Sequence[dict[str, Any]] = ({},)) -> Iterator[Input]:
    """Any number of labels for each row; every tenth answer has a name beside that is no label."""
    for seed in range(COUNT):
        generator = np.random.default_rng(seed)
        labels, n = names_of(generator), int(generator.integers(1, 30))
        wanted = generator.random((n, len(labels))) < generator.random(len(labels)) * 0.7
        scores = (wanted * generator.random() + generator.random(wanted.shape)).clip(0, 1).round(int(seed % 3) + 1)
        answered = np.hstack((scores > 0.5, generator.random((n, 1)) < 0.1 * (seed % 2)))
        wanted = np.hstack((wanted, np.zeros((n, 1), dtype=bool)))
        names = np.array([*labels, ELSEWHERE], dtype=object)
        references = [sorted(names[row]) for row in wanted]
        predictions = [
            {"answer": sorted(names[row]), "probabilities": line.tolist()}
            for row, line in zip(answered, scores, strict=True)
        ]
        yield Rows(labels, wanted, answered, scores), predictions, references, options[seed % len(options)]


def numbers() -> Iterator[Input]:
    """Numbers with ties, of any size and far from 0, sometimes all the same."""
    for seed in range(COUNT):
        generator = np.random.default_rng(seed)
        n = int(generator.integers(1, 30))
        size, offset = 10.0 ** generator.integers(-6, 7), generator.integers(-2, 3) * 10.0
        wanted = generator.integers(0, generator.integers(1, 7), size=n) / 5
        answers = (wanted * generator.normal() + generator.normal(size=n)).round(seed % 4) * size + offset
        if seed % 50 == 0:
            answers[:] = offset + 0.1
        yield Rows((), wanted, answers, answers), [{"answer": one} for one in answers.tolist()], wanted.tolist(), {}


def pairs_in_order(wanted: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The area by its definition."""
    above = scores[wanted][:, None] - scores[~wanted]
    return float((above > 0).mean() + (above == 0).mean() / 2) if above.size else NAN


def roc_auc(rows: Rows, options: Mapping[str, Any]) -> float:
    classes, support = np.unique(rows.references, return_counts=True)
    if len(classes) == len(rows.labels) == 2:
        return sklearn.roc_auc_score(rows.references, rows.scores[:, 1])
    if len(classes) == len(rows.labels) > 2:
        return sklearn.roc_auc_score(rows.references, rows.scores, average=options["average"], multi_class="ovr")
    # Where a class does not occur, scikit-learn has no mean: it is that of the others.
    if len(classes) == 1:
        return NAN
    each = [pairs_in_order(rows.references == label, rows.scores[:, label]) for label in classes]
    return np.average(each, weights=support if options["average"] == "weighted" else None)


def brier_score(rows: Rows, options: Mapping[str, Any]) -> float:
    if len(rows.labels) == 1:
        return 0.0
    return sklearn.brier_score_loss(rows.references, rows.scores, labels=range(len(rows.labels)))


def log_loss(rows: Rows, options: Mapping[str, Any]) -> float:
    if len(rows.labels) == 1:
        return 0.0
    return sklearn.log_loss(rows.references, rows.scores, labels=range(len(rows.labels)))


def accuracy_at_5(rows: Rows, options: Mapping[str, Any]) -> float:
    given = rows.scores[np.arange(len(rows)), rows.references]
    if len(rows.labels) < 6:
        return float((given > 0).mean())
    arguments = {"k": 5, "labels": range(len(rows.labels)), "sample_weight": 1.0 * (given > 0), "normalize": False}
    return sklearn.top_k_accuracy_score(rows.references, rows.scores, **arguments) / len(rows)


def ece(rows: Rows, options: Mapping[str, Any]) -> float:
    """As in the code of Guo et al.; no library here has it."""
    confidence, right = rows.scores.max(axis=1), rows.references == rows.answers
    error, edges = 0.0, np.linspace(0, 1, 16)
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return error


SINGLE: dict[str, Wanted] = {
    "accuracy": lambda rows, options: sklearn.accuracy_score(rows.references, rows.answers),
    "mcc": lambda rows, options: sklearn.matthews_corrcoef(rows.references, rows.answers),
    "roc_auc": roc_auc,
    "brier_score": brier_score,
    "log_loss": log_loss,
    "accuracy_at_5": accuracy_at_5,
    "ece": ece,
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_score_of_labels_equals_scikit_learn(name: str) -> None:
    options = [{"average": "macro"}, {"average": "weighted"}] if name == "roc_auc" else [{}]
    agree("label", [name], single(options), SINGLE[name])


def averages(rows: Rows, options: Mapping[str, Any]) -> Sequence[float]:
    occurs = np.flatnonzero((rows.references | rows.answers).any(axis=0))
    if options["average"] != "samples" and not len(occurs):
        return [NAN] * 3
    chosen = None if options["average"] == "samples" else occurs
    return sklearn.precision_recall_fscore_support(
        rows.references, rows.answers, labels=chosen, average=options["average"], zero_division=0
    )[:3]


def test_precision_recall_and_f1_of_several_labels_per_row_equal_scikit_learn() -> None:
    options = [{"average": average} for average in ("micro", "macro", "weighted", "samples")]
    agree("labels", ["precision", "recall", "f1"], several(options), averages)


def hamming_loss(rows: Rows, options: Mapping[str, Any]) -> float:
    beside = int(rows.answers[:, -1].sum())
    decisions = len(rows) * len(rows.labels)
    wrong = sklearn.hamming_loss(rows.references[:, :-1], rows.answers[:, :-1]) * decisions
    return (wrong + beside) / (decisions + beside)


def average_precision(rows: Rows, options: Mapping[str, Any]) -> float:
    references = rows.references[:, :-1]
    occurs = references.any(axis=0)
    if not occurs.any():
        return NAN
    if options["average"] == "micro":
        return sklearn.average_precision_score(references.ravel(), rows.scores.ravel())
    return sklearn.average_precision_score(references[:, occurs], rows.scores[:, occurs], average="macro")


SEVERAL: dict[str, Wanted] = {
    "accuracy": lambda rows, options: sklearn.accuracy_score(rows.references, rows.answers),
    "hamming_loss": hamming_loss,
    "average_precision": average_precision,
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_score_of_several_labels_per_row_equals_scikit_learn(name: str) -> None:
    options = [{"average": "macro"}, {"average": "micro"}] if name == "average_precision" else [{}]
    agree("labels", [name], several(options), SEVERAL[name])


def correlations(rows: Rows, options: Mapping[str, Any]) -> Sequence[float]:
    if len(rows) < 2 or np.ptp(rows.answers) == 0 or np.ptp(rows.references) == 0:
        return NAN, NAN
    libraries = stats.spearmanr, stats.pearsonr
    return [library(rows.answers, rows.references).statistic for library in libraries]


def test_correlations_equal_scipy() -> None:
    agree("number", ["spearman", "pearson"], numbers(), correlations)


def test_a_correlation_with_what_is_no_number_is_undefined() -> None:
    for name in ("spearman", "pearson"):
        metric = METRICS[name, "number"]
        found = metric.rows([{"answer": 1.0}, {"answer": NAN}, {"answer": 3.0}], [1.0, 2.0, 3.0], (), {})
        assert math.isnan(overall(metric, found, (), {}))


@pytest.mark.parametrize("name", ["spearman", "pearson"])
def test_a_resample_of_equal_numbers_has_no_correlation(name: str) -> None:
    generator = np.random.default_rng(0)
    weights = np.hstack((generator.integers(1, 9, size=(200, 3)), np.zeros((200, 3), dtype=int)))
    for column in generator.normal(size=(20, 4)):
        same, others = column[:1].repeat(3), column[1:]
        statistics = np.column_stack(([*same, *others], generator.normal(size=6)))
        assert np.isnan(METRICS[name, "number"].weighted(statistics, weights, (), {})).all()


def test_the_curve_of_a_named_class_is_its_own() -> None:
    metric = METRICS["roc_auc", "label"]
    for rows, predictions, references, _ in islice(single(), 200):
        options = resolve_options(metric, {"roc_auc_positive": rows.labels[0]})
        found = overall(metric, metric.rows(predictions, references, rows.labels, options), rows.labels, options)
        wanted = pairs_in_order(rows.references == 0, rows.scores[:, 0])
        assert found == pytest.approx(wanted, nan_ok=True)


def test_a_curve_of_a_label_that_does_not_exist_is_refused() -> None:
    metric = METRICS["roc_auc", "label"]
    with pytest.raises(PlanError, match=r"roc_auc_positive is 'spam'; the labels are 'a', 'b'\."):
        metric.rows([], [], ("a", "b"), resolve_options(metric, {"roc_auc_positive": "spam"}))


def test_a_label_that_the_model_does_not_know_is_never_among_five() -> None:
    labels = tuple("abcdefg")
    prediction = {"answer": "a", "probabilities": [1.0, 0, 0, 0, 0, 0, 0]}
    rows = METRICS["accuracy_at_5", "label"].rows([prediction] * 7, labels, labels, {})
    assert rows[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_a_word_counts_among_the_first_five() -> None:
    prediction = {"answer": "a", "ranked": list("abcdef")}
    rows = METRICS["accuracy_at_5", "word"].rows([prediction] * 4, ["a", "e", "f", ""], (), {})
    assert rows[:, 0].tolist() == [1, 1, 0, 0]


def test_what_falls_to_labels_that_the_data_lack_is_not_made_up_for() -> None:
    predictions = [{"answer": "a", "score": 0.5, "probabilities": [0.5, 0.1]}]
    for name, wanted in (("log_loss", -math.log(0.5)), ("brier_score", (0.25 + 0.01) / 2)):
        metric = METRICS[name, "label"]
        assert overall(metric, metric.rows(predictions, ["a"], "ab", {}), "ab", {}) == pytest.approx(wanted)
