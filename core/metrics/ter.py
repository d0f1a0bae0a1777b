"""TER: how many edits a person would make to turn a text into its reference, per word of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, ratio
from core.metrics.texts import CorpusScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPTIONS = {
    "normalized": Option(False, (False, True), "Separate punctuation from words before."),
    "no_punct": Option(False, (False, True), "Remove punctuation before."),
    "asian_support": Option(
        False, (False, True), "Let the two above apply to Chinese and Japanese characters as well."
    ),
    "case_sensitive": Option(False, (False, True), "Count upper and lower case as different."),
}


class Ter(CorpusScore):
    """Translation edit rate (Snover et al. 2006) as sacrebleu computes it: words inserted, deleted, replaced, moved.

    Of several references the one that takes the fewest edits counts, against their mean length. It can exceed 100.
    Seconds per thousand rows: sacrebleu searches moves in Python.

    Statistics, shape (n, 3): edits, words of the reference, and 1.
    """

    name = "ter"
    title = "TER"
    higher_is_better = False
    upper = None
    options = OPTIONS

    def scorer(self, options: Mapping[str, Any]) -> Any:
        """The `TER` of sacrebleu."""
        return _scorer(**options)

    def width(self, options: Mapping[str, Any]) -> int:
        """Edits and words."""
        return 2

    def score(self, counts: NDArray[np.float64], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Edits in 100 words; edits where the reference has no word are 100, as in sacrebleu."""
        import numpy as np

        edits, words = counts[..., 0], counts[..., 1]
        return 100 * np.where(words > 0, ratio(edits, words), edits > 0)


@cache
def _scorer(**options: Any) -> Any:
    from sacrebleu.metrics.ter import TER

    return TER(**options)


METRIC = Ter()
