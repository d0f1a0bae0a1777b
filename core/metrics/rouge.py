"""ROUGE: how many words, pairs of words or common subsequences a text shares with its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Summed, ratio
from core.metrics.texts import texts

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

    Statistics, shape (n, 2): the F-measure, and 1; both are 0 where a row has no reference.
    """

    name: str
    title: str

    kinds = ("texts", "continuation")
    higher_is_better = True
    mean_of_rows = True
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. A reference is a text, a list of texts, or None."""
        import numpy as np

        scorer = _scorer(self.name, options["use_stemmer"])
        statistics = np.zeros((len(predictions), 2))
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            if wanted := texts(reference):
                statistics[row] = scorer.score_multi(wanted, prediction["answer"])[self.name].fmeasure, 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Mean F-measure from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


@cache
def _scorer(name: str, use_stemmer: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([name], tokenizer=_tokenizer(use_stemmer))


@cache
def _tokenizer(use_stemmer: bool) -> Any:
    """rouge_score's tokenizer; a word is stemmed once, however many texts have it and however many ROUGEs read them."""
    from nltk.stem.porter import PorterStemmer
    from rouge_score.tokenize import tokenize

    stemmer = SimpleNamespace(stem=lru_cache(maxsize=2**16)(PorterStemmer().stem)) if use_stemmer else None
    return SimpleNamespace(tokenize=partial(tokenize, stemmer=stemmer))


METRIC = (
    Rouge("rouge1", "ROUGE-1"),
    Rouge("rouge2", "ROUGE-2"),
    Rouge("rougeL", "ROUGE-L"),
    Rouge("rougeLsum", "ROUGE-Lsum"),
)
