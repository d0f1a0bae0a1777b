"""Word and character error rate of transcripts: edits that turn a transcript into its reference, per word of that."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core.metrics.alternatives import closest
from core.metrics.base import Option, Summed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

EDITS = ("hits", "substitutions", "deletions", "insertions")
"""What the first columns of the statistics count."""


def basic(text: str) -> str:
    """Whisper's `BasicTextNormalizer` (Radford et al. 2022): for any language.

    Lower case; without what stands in brackets; punctuation, symbols and marks are spaces; single spaces.
    """
    text = re.sub(r"[<\[][^>\]]*[>\]]", "", text.lower())
    text = re.sub(r"\(([^)]+?)\)", "", text)
    letters = map(_letter, unicodedata.normalize("NFKC", text))
    return re.sub(r"\s+", " ", "".join(letters).lower())


@lru_cache(maxsize=2**16)
def _letter(sign: str) -> str:
    """A sign, or a space for a mark, symbol or punctuation."""
    return " " if unicodedata.category(sign)[0] in "MSP" else sign


NORMALIZERS: dict[str, Callable[[str], str]] = {"none": str, "lower": str.lower, "basic": basic}

OPTIONS = {
    "normalizer": Option(
        "none",
        tuple(NORMALIZERS),
        "What both texts go through before: none; lower: lower case; basic: lower case, without brackets, punctuation "
        "and symbols, as Whisper's basic normalizer.",
    ),
    "alternatives": Option(
        False, (False, True), "Of `{ a / b / @ }` in a reference the one that suits best counts; @ is nothing (sclite)."
    ),
}


@dataclass(frozen=True)
class ErrorRate(Summed):
    """(substitutions + deletions + insertions) / units of the reference, summed over rows: jiwer's `wer` and `cer`.

    Words stand between spaces, characters are all but the spaces around a text. It can exceed 1. As in jiwer, what was
    heard where nothing was said counts as insertions; where no reference has a word, the rate is their number.

    Statistics, shape (n, 5): those of `EDITS`, and 1. A reference has hits + substitutions + deletions units.
    """

    name: str
    title: str
    characters: bool

    kinds = ("transcript",)
    higher_is_better = False
    upper = None
    percent = True
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int32]:
        """Statistics of each row."""
        import jiwer
        import numpy as np

        statistics = np.ones((len(predictions), 5), dtype=np.int32)
        if not len(predictions):
            return statistics
        normalize = NORMALIZERS[options["normalizer"]]
        answers = [normalize(prediction["answer"]) for prediction in predictions]
        if options["alternatives"]:
            wanted = [closest(one, answer, normalize) for one, answer in zip(references, answers, strict=True)]
        else:
            wanted = [normalize(reference) for reference in references]
        aligned = (jiwer.process_characters if self.characters else jiwer.process_words)(wanted, answers)
        for row, chunks in enumerate(aligned.alignments):
            statistics[row, :4] = _counted(chunks)
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The rate from summed rows; NaN of no rows."""
        import numpy as np

        units = totals[..., :3].sum(axis=-1)
        rate = totals[..., 1:4].sum(axis=-1) / np.maximum(units, 1)
        return np.where(totals[..., 4] > 0, rate, np.nan)


def _counted(chunks: Sequence[Any]) -> list[int]:
    """Hits, substitutions, deletions and insertions of jiwer's alignment of one row."""
    counts = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
    for chunk in chunks:
        width = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        counts[chunk.type] += width
    return [*counts.values()]


METRIC = (
    ErrorRate("wer", "WER", characters=False),
    ErrorRate("cer", "CER", characters=True),
)
