"""ROUGE: how many words, pairs of words or common subsequences a text shares with its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

OPTIONS = {"use_stemmer": Option(False, (False, True), "Compare word stems (English) instead of words.")}


@dataclass(frozen=True)
class Rouge(Summed):
    """Mean F-measure of `rouge_score`; of several references the one that suits the answer best counts.

    Values equal `evaluate`'s with `use_aggregator=False`, averaged (its aggregator gives the median of bootstrapped
    means instead, which differs in the third decimal). rougeLsum takes each line for a sentence, as `evaluate` does,
    so texts want newlines between sentences; without any it equals rougeL. Only a–z and 0–9 count: a text in another
    script scores 0.

    Statistics, shape (n, 2): the F-measure, and 1.
    """

    name: str
    title: str

    kinds = ("texts", "continuation")
    higher_is_better = True
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. A reference is a text or a list of texts."""
        import numpy as np

        scorer = _scorer(self.name, options["use_stemmer"])
        statistics = np.ones((len(predictions), 2))
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            texts = [reference] if isinstance(reference, str) else reference
            statistics[row, 0] = scorer.score_multi(texts, prediction["answer"])[self.name].fmeasure
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Mean F-measure from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


@cache
def _scorer(name: str, use_stemmer: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([name], use_stemmer=use_stemmer)


METRIC = (
    Rouge("rouge1", "ROUGE-1"),
    Rouge("rouge2", "ROUGE-2"),
    Rouge("rougeL", "ROUGE-L"),
    Rouge("rougeLsum", "ROUGE-Lsum"),
)
