"""Answers of every kind for the contract tests: right ones, wrong ones, and ones that no one would expect.

A kind of reference is a line in each table. The table in `core.tasks.base` says what a value of each kind is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.metrics.base import Metric
from core.metrics.spans import split_tag
from core.tasks.base import Prediction

STRANGE_TEXTS = ("", " \n ", "鶴が飛ぶ", "👍" * 40, "a\x00b", "\u202e", "word " * 2000)

BEST: dict[str, float] = {
    **{"bleu": 100.0, "chrf": 100.0, "chrf++": 100.0},
    **{"perplexity": 1.0, "pseudo_perplexity": 1.0, "length_ratio": 1.0},
}
"""What perfect answers get, where it is neither 1 (higher is better) nor 0 (lower is better)."""


def best(metric: Metric) -> float:
    """What a metric gives to perfect answers."""
    return BEST.get(metric.name, 1.0 if metric.higher_is_better else 0.0)


def labels_of(kind: str, references: Sequence[Any]) -> tuple[str, ...]:
    """The label names of references of a kind, as an `EvalSet` has them; empty for kinds without labels."""
    names: dict[str, Callable[[Any], Sequence[str]]] = {
        "label": lambda one: [one],
        "labels": list,
        "tags": lambda one: [split_tag(tag)[1] for tag in one if split_tag(tag)[1]],
        "boxes": lambda one: [box["label"] for box in one],
        "mask": lambda one: [label for label, _ in one["runs"] if label is not None],
    }
    return tuple(sorted({name for one in references for name in names[kind](one)})) if kind in names else ()


def perfect(kind: str, reference: Any, labels: Sequence[str] = ()) -> Prediction:
    """A prediction that no metric of this kind can find fault with, sure of itself."""
    return _PERFECT[kind](reference, labels)


def wrong(kind: str, reference: Any, labels: Sequence[str] = ()) -> Prediction:
    """A prediction with nothing right in it, sure of itself."""
    return _WRONG[kind](reference, labels)


def strange(kind: str, reference: Any, labels: Sequence[str] = ()) -> list[Prediction]:
    """Predictions that a model could give and nobody expects; none may be a crash."""
    return _STRANGE[kind](reference, labels)


def _label(answer: str, labels: Sequence[str]) -> Prediction:
    return {"answer": answer, "score": 1.0, "probabilities": [float(label == answer) for label in labels]}


def _other_label(reference: str, labels: Sequence[str]) -> str:
    return next((label for label in labels if label != reference), "none of them")


def _labels(answer: Sequence[str], labels: Sequence[str]) -> Prediction:
    return {"answer": sorted(answer), "probabilities": [float(label in answer) for label in labels]}


def _first(reference: Any) -> str:
    """Of one reference or several; empty where there is none."""
    return reference if isinstance(reference, str) else next(iter(reference or ()), "")


def _continuation(answer: str, nats_per_token: float) -> Prediction:
    tokens = len(answer.split()) + 1
    return {"answer": answer, "nll": nats_per_token * tokens, "tokens": tokens, "bytes": len(answer.encode()) + 1}


def _word(ranked: list[str], nats_per_token: float) -> Prediction:
    return {"answer": ranked[0], "ranked": ranked, "nll": nats_per_token * 3, "tokens": 3}


def _strange_numbers(reference: float, labels: Sequence[str]) -> list[Prediction]:
    return [{"answer": number} for number in (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300)]


def _strange_boxes(reference: Any, labels: Sequence[str]) -> list[Prediction]:
    shapes = ([0.0, 0.0, 0.0, 0.0], [-5.0, -5.0, 1e6, 1e6], [3.5, 3.5, 3.25, 9.0])
    found = [{"label": label, "box": box, "score": 0.5} for label in ("", *labels) for box in shapes]
    return [{"answer": []}, {"answer": found}, {"answer": found * 60}]


def _strange_masks(reference: Any, labels: Sequence[str]) -> list[Prediction]:
    height, width = reference["size"]
    return [
        {"answer": {"size": [height, width], "runs": [[label, height * width]]}} for label in (None, "", "鶴", *labels)
    ]


_PERFECT: dict[str, Callable[[Any, Sequence[str]], Prediction]] = {
    "label": lambda reference, labels: _label(reference, labels),
    "labels": lambda reference, labels: _labels(reference, labels),
    "tags": lambda reference, labels: {"answer": list(reference)},
    "answers": lambda reference, labels: {"answer": _first(reference)},
    "texts": lambda reference, labels: {"answer": _first(reference)},
    "transcript": lambda reference, labels: {"answer": reference},
    "number": lambda reference, labels: {"answer": float(reference)},
    "word": lambda reference, labels: _word([reference, "of", "the", "a", "to"], 0.0),
    "continuation": lambda reference, labels: _continuation(_first(reference), 0.0),
    "boxes": lambda reference, labels: {"answer": [{**box, "score": 1.0} for box in reference]},
    "mask": lambda reference, labels: {"answer": reference},
}

_WRONG: dict[str, Callable[[Any, Sequence[str]], Prediction]] = {
    "label": lambda reference, labels: _label(_other_label(reference, labels), labels),
    "labels": lambda reference, labels: _labels([label for label in labels if label not in reference], labels),
    "tags": lambda reference, labels: {"answer": ["B-nothing of the kind"] * len(reference)},
    "answers": lambda reference, labels: {"answer": "" if reference else "鶴"},
    "texts": lambda reference, labels: {"answer": "鶴"},
    "transcript": lambda reference, labels: {"answer": "鶴"},
    "number": lambda reference, labels: {"answer": -float(reference)},
    "word": lambda reference, labels: _word(["鶴", "が", "飛", "ぶ", "。"], 10.0),
    "continuation": lambda reference, labels: _continuation("鶴", 10.0),
    "boxes": lambda reference, labels: {
        "answer": [{**box, "box": [1e5 + edge for edge in box["box"]], "score": 1.0} for box in reference]
    },
    "mask": lambda reference, labels: {
        "answer": {**reference, "runs": [[_other_label(label, labels), pixels] for label, pixels in reference["runs"]]}
    },
}

_STRANGE: dict[str, Callable[[Any, Sequence[str]], list[Prediction]]] = {
    "label": lambda reference, labels: [_label(text, labels) for text in STRANGE_TEXTS],
    "labels": lambda reference, labels: [_labels(set(answer), labels) for answer in (STRANGE_TEXTS, (), ("", *labels))],
    "tags": lambda reference, labels: [{"answer": [text] * len(reference)} for text in (*STRANGE_TEXTS, "I-", "-")],
    "answers": lambda reference, labels: [{"answer": text} for text in STRANGE_TEXTS],
    "texts": lambda reference, labels: [{"answer": text} for text in STRANGE_TEXTS],
    "transcript": lambda reference, labels: [{"answer": text} for text in STRANGE_TEXTS],
    "number": _strange_numbers,
    "word": lambda reference, labels: [_word([text], 1e-9) for text in STRANGE_TEXTS],
    "continuation": lambda reference, labels: [_continuation(text, 1e-9) for text in STRANGE_TEXTS],
    "boxes": _strange_boxes,
    "mask": _strange_masks,
}
