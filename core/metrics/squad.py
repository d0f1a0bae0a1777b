"""Exact match and F1 of answers to questions, as SQuAD counts them, with or without questions that have no answer."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def words(text: str) -> list[str]:
    """The words that count: lower case, without ASCII punctuation and without a, an, the."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(answer: list[str], wanted: list[str]) -> float:
    """Whether the words are the same."""
    return float(answer == wanted)


def f1(answer: list[str], wanted: list[str]) -> float:
    """Harmonic mean of the share of the answer's words that are wanted and of wanted words that are in the answer."""
    if not answer or not wanted:
        return float(answer == wanted)
    shared = (Counter(answer) & Counter(wanted)).total()
    return 2 * shared / (len(answer) + len(wanted))


@dataclass(frozen=True)
class AnswerScore(Summed):
    """Mean over questions of the score against the reference that suits the answer best.

    Values equal those of the official script of SQuAD 2.0 (`evaluate`'s squad_v2, there 0–100), where a question
    without an answer wants an empty one; a missing answer is an empty one. That of SQuAD 1.1 gives the same unless a
    reference consists of articles and punctuation alone, which 2.0 leaves out.

    Statistics, shape (n, 2): the score and 1; both 0 where the question is not of those that count.
    """

    name: str
    title: str
    score: Callable[[list[str], list[str]], float]
    """Of one answer against one reference."""
    counts: Literal["all", "answerable", "unanswerable"] = "all"
    """Which questions count."""
    binary: bool = False
    mean_of_rows: bool = True

    kinds = ("answers",)
    higher_is_better = True
    percent = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. A reference is a list of right answers, empty where there is none."""
        import numpy as np

        statistics = np.zeros((len(predictions), 2))
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            if self.counts == "all" or bool(reference) == (self.counts == "answerable"):
                answer = words(prediction["answer"])
                wanted = [one for one in map(words, reference) if one] or [[]]
                statistics[row] = max(self.score(answer, one) for one in wanted), 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Mean score from summed rows; NaN where no question counts."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = (
    AnswerScore("exact_match", "Exact match", exact_match, binary=True),
    AnswerScore("f1", "F1", f1),
    AnswerScore("has_answer_exact_match", "HasAns exact match", exact_match, "answerable", mean_of_rows=False),
    AnswerScore("has_answer_f1", "HasAns F1", f1, "answerable", mean_of_rows=False),
    AnswerScore("no_answer_exact_match", "NoAns exact match", exact_match, "unanswerable", mean_of_rows=False),
)
