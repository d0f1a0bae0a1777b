"""The share of texts that are, character by character, the right one."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Summed, ratio
from core.metrics.texts import texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

OPTIONS = {
    "ignore_case": Option(False, (False, True), "Ignore upper and lower case."),
    "ignore_punctuation": Option(False, (False, True), "Ignore ASCII punctuation."),
    "ignore_numbers": Option(False, (False, True), "Ignore the digits 0 to 9."),
}


class ExactMatch(Summed):
    """Right rows over all rows, as `evaluate`'s module `exact_match`; an answer is right if any reference is equal.

    Two different texts of which nothing is left, because all in them is ignored, are not equal.

    Statistics, shape (n, 2): whether the answer is right, and 1; both are 0 where a row has no reference.
    """

    name = "exact_match"
    title = "Exact match"
    kinds = ("texts", "continuation", "transcript")
    higher_is_better = True
    percent = True
    binary = True
    mean_of_rows = True
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row. A reference is a text, a list of texts, or None."""
        import numpy as np

        statistics = np.zeros((len(predictions), 2), dtype=np.int8)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            if wanted := texts(reference):
                statistics[row] = any(_equal(prediction["answer"], text, options) for text in wanted), 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The share from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


def _equal(answer: str, wanted: str, options: Mapping[str, Any]) -> bool:
    if answer == wanted:
        return True
    left = _compared(answer, options)
    return left != "" and left == _compared(wanted, options)


def _compared(text: str, options: Mapping[str, Any]) -> str:
    ignored = string.punctuation * options["ignore_punctuation"] + string.digits * options["ignore_numbers"]
    return (text.lower() if options["ignore_case"] else text).translate(str.maketrans("", "", ignored))


METRIC = ExactMatch()
