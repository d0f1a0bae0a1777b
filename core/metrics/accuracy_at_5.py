"""The share of rows whose label is among the five likeliest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.labels import positions, probabilities, share_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind

FIVE = 5


class AccuracyAt5(Summed):
    """Rows that hold the right answer among five, over all rows.

    Statistics, shape (n, 2): whether it is among them, and 1.
    """

    name = "accuracy_at_5"
    title = "Accuracy@5"
    kinds: tuple[ReferenceKind, ...]
    higher_is_better = True
    percent = True
    binary = True
    mean_of_rows = True

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Accuracy from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


class LabelAmongFive(AccuracyAt5):
    """By the probabilities of the data set's labels, as scikit-learn's `top_k_accuracy_score(k=5)`.

    Of equally likely labels, those later in the order of `labels` come first, as there. A label of probability 0 is
    never among the five: the model does not know it, or rounding has left nothing to rank it by.
    """

    kinds = ("label",)
    needs = ("probabilities",)

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        shares, wanted = probabilities(predictions, labels), positions(references, labels)
        share = share_of(shares, wanted)
        later = np.arange(len(labels)) > wanted[:, None]
        ahead = (shares > share[:, None]) | ((shares == share[:, None]) & later)
        statistics = np.ones((len(wanted), 2), dtype=np.int8)
        statistics[:, 0] = (share > 0) & (ahead.sum(axis=1) < FIVE)
        return statistics


class WordAmongFive(AccuracyAt5):
    """By the five words that the model holds likeliest, in its own order; a row without a word does not count."""

    kinds = ("word",)
    needs = ("ranked",)

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        statistics = np.ones((len(predictions), 2), dtype=np.int8)
        statistics[:, 0] = [
            wanted in prediction["ranked"][:FIVE] for prediction, wanted in zip(predictions, references, strict=True)
        ]
        statistics[:, 1] = [wanted is not None for wanted in references]
        return statistics


METRIC = (LabelAmongFive(), WordAmongFive())
