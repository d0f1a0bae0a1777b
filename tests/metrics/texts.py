"""Random texts and their references, and metrics of texts as the tests call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.base import Metric, overall, resolve_options

WORDS = (
    *("the", "a", "cat", "cats", "sat", "sitting", "on", "mat", "mats.", "Dogs", "run,", "running", "THE"),
    *("fast!", "fast?", "(über)", "42", "3,5", "e-mail", "don't", "鶴", "が飛ぶ。", "猫", "👍", "naïve", "&amp;"),
)


def options(metric: Metric, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The metric's options with these, which are named without the metric."""
    return resolve_options(metric, {f"{metric.name}_{name}": value for name, value in chosen.items()})


def statistics(metric: Metric, answers: Sequence[str], references: Sequence[Any], **chosen: Any) -> NDArray[Any]:
    """Statistics of each row."""
    return metric.rows([{"answer": one} for one in answers], references, (), options(metric, chosen))


def score(metric: Metric, answers: Sequence[str], references: Sequence[Any], **chosen: Any) -> float:
    """The metric over all rows."""
    return overall(metric, statistics(metric, answers, references, **chosen), (), options(metric, chosen))


def random_texts(count: int, seed: int, longest: int = 20) -> list[str]:
    """Texts of none to `longest` words, some in several lines."""
    generator = np.random.default_rng(seed)
    return [_text(generator, int(words)) for words in generator.integers(0, longest + 1, size=count)]


def random_references(answers: list[str], seed: int, most: int = 1) -> list[list[str]]:
    """One to `most` references of each answer: some equal to it, some with words of it, some without."""
    generator = np.random.default_rng(seed)
    return [
        [_changed(generator, answer) for _ in range(number)]
        for answer, number in zip(answers, generator.integers(1, most + 1, size=len(answers)), strict=True)
    ]


def _text(generator: np.random.Generator, words: int) -> str:
    return "".join(str(generator.choice(WORDS)) + str(generator.choice([" ", " ", " ", "\n"])) for _ in range(words))


def _changed(generator: np.random.Generator, text: str) -> str:
    share = generator.choice([0.0, 0.2, 0.5, 1.0])
    words = [str(generator.choice(WORDS)) if generator.random() < share else word for word in text.split()]
    return " ".join(words[: len(words) - int(generator.integers(0, 3))] if share else words)
