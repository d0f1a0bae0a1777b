"""How long texts are beside their references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.texts import texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class LengthRatio(Summed):
    """Words of all answers over words of all references: the `ratio` of sacrebleu's BLEU.

    Words are counted as BLEU counts them by default (tokenizer 13a, punctuation marks are words); of several references
    the one nearest in length counts. It says whether texts are too short or too long, not which model is better: 1 is
    as long as the references.

    Statistics, shape (n, 2): words of the answer and of the reference; both are 0 where a row has no reference.
    """

    name = "length_ratio"
    title = "Length ratio"
    kinds = ("texts", "continuation")
    higher_is_better = True
    upper = None

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int32]:
        """Statistics of each row. A reference is a text, a list of texts, or None."""
        import numpy as np

        statistics = np.zeros((len(predictions), 2), dtype=np.int32)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            if wanted := texts(reference):
                words = _words(prediction["answer"])
                _, nearest = min((abs(length - words), length) for length in map(_words, wanted))
                statistics[row] = words, nearest
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The ratio from summed rows; NaN where the references have no words."""
        return ratio(totals[..., 0], totals[..., 1])


def _words(text: str) -> int:
    return len(_tokenizer()(text.rstrip()).split())


@cache
def _tokenizer() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU().tokenizer


METRIC = LengthRatio()
