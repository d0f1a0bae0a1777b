"""chrF: how many character n-grams, and for chrF++ words and pairs of words, a text shares with its reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, ratio
from core.metrics.texts import CorpusScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPSILON = 1e-16
"""What chrF++.py takes for a precision, recall or F-score of 0."""


def _options(word_order: int) -> dict[str, Option]:
    return {
        "char_order": Option(6, tuple(range(1, 11)), "Longest character n-gram."),
        "word_order": Option(word_order, tuple(range(5)), "Longest word n-gram; 0: characters alone."),
        "beta": Option(2, (1, 2, 3), "How many times as much recall weighs as precision."),
        "lowercase": Option(False, (False, True), "Ignore upper and lower case."),
        "whitespace": Option(False, (False, True), "Count spaces as characters."),
        "eps_smoothing": Option(
            False, (False, True), "Average the F-scores of all orders, as chrF++.py, NLTK and Moses do."
        ),
    }


@dataclass(frozen=True)
class Chrf(CorpusScore):
    """chrF (Popović 2015) and chrF++ (Popović 2017) as sacrebleu computes them.

    Of several references the one with the highest score counts, row by row.

    Statistics, shape (n, 3 · orders + 1): n-grams of the answer, of the reference, and of both, for each order of
    characters and then of words; and 1.
    """

    name: str
    title: str
    options: Mapping[str, Option] = field(hash=False)

    def scorer(self, options: Mapping[str, Any]) -> Any:
        """The `CHRF` of sacrebleu."""
        return _scorer(**options)

    def width(self, options: Mapping[str, Any]) -> int:
        """Three counts of each order."""
        return 3 * int(options["char_order"] + options["word_order"])

    def score(self, counts: NDArray[np.float64], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The arithmetic of sacrebleu's `CHRF._compute_f_score`, for many sums at once."""
        import numpy as np

        answered, wanted, shared = np.moveaxis(counts.reshape(*counts.shape[:-1], -1, 3), -1, 0)
        weight = options["beta"] ** 2
        undefined = EPSILON if options["eps_smoothing"] else 0.0
        precision, recall = ratio(shared, answered, undefined), ratio(shared, wanted, undefined)
        if options["eps_smoothing"]:
            return np.asarray(100 * _f_score(precision, recall, weight, undefined).mean(axis=-1))
        orders = ((answered > 0) & (wanted > 0)).sum(axis=-1)
        precision, recall = (ratio(one.sum(axis=-1), orders, undefined) for one in (precision, recall))
        return 100 * _f_score(precision, recall, weight, undefined)


def _f_score(
    precision: NDArray[np.float64], recall: NDArray[np.float64], weight: float, undefined: float
) -> NDArray[np.float64]:
    return ratio((1 + weight) * precision * recall, weight * precision + recall, undefined)


@cache
def _scorer(**options: Any) -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(**options)


METRIC = (
    Chrf("chrf", "chrF", _options(word_order=0)),
    Chrf("chrf++", "chrF++", _options(word_order=2)),
)
