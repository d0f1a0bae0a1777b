"""Average precision: how far up the rows of a label stand when all rows are ordered by its probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Resampled, ratio
from core.metrics.labels import indicators, probabilities
from core.metrics.resampling import blocks, grouping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class AveragePrecision(Resampled):
    """Σ over thresholds of (gain in recall) · precision, as scikit-learn's `average_precision_score`.

    A label that no row has is left out of the mean (scikit-learn counts it as 0).

    Statistics, shape (n, 2 · labels): whether the row has each label; the probabilities.
    """

    name = "average_precision"
    title = "Average precision"
    kinds = ("labels",)
    needs = ("probabilities",)
    higher_is_better = True
    percent = True
    # They are the predictions' own probabilities.
    stored = False
    options: Mapping[str, Option] = {
        "average": Option(
            "macro",
            ("macro", "micro"),
            "macro: mean over the labels; micro: all labels of all rows in one order.",
        )
    }

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row."""
        import numpy as np

        return np.hstack((indicators(references, labels), probabilities(predictions, labels)))

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The average precision in each resample."""
        import numpy as np

        has, scores = statistics[:, : len(labels)] > 0, statistics[:, len(labels) :]
        if options["average"] == "micro":
            return _average_precision(scores, has, weights)
        each = [_average_precision(scores[:, [c]], has[:, [c]], weights) for c in range(len(labels))]
        values = np.reshape(each, (len(labels), len(weights)))
        defined = ~np.isnan(values)
        return ratio(np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0))


def _average_precision(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[Any]
) -> NDArray[np.float64]:
    """Average precision in each resample (B,); NaN where nothing is positive.

    Recall only grows where a positive stands: of the others, it is enough to know between which positives they are.

    Args:
        scores: Shape (n, m): all of them make one order.
        positive: Which of them should stand high, shape (n, m).
        weights: How often each row counts, shape (B, n).
    """
    import numpy as np

    found = np.full(len(weights), np.nan)
    row = np.broadcast_to(np.arange(len(scores))[:, None], scores.shape)
    steps, step = np.unique(-scores[positive], return_inverse=True)
    group = np.searchsorted(steps, -scores.ravel())
    positives = grouping(step, len(steps), row[positive], len(scores))
    # The last group stands below all positives and never counts.
    everything = grouping(group, len(steps) + 1, row.ravel(), len(scores))
    for chosen, block in blocks(weights, everything.shape[0]):
        gained = positives @ block
        precision = ratio(gained.cumsum(axis=0), np.cumsum(everything @ block, axis=0)[:-1], undefined=0.0)
        found[chosen] = ratio((gained * precision).sum(axis=0), gained.sum(axis=0))
    return found


METRIC = AveragePrecision()
