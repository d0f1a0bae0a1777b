"""The share of words that have the right tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.spans import OUTSIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class TagAccuracy(Summed):
    """Right tags over all tags, as seqeval's `accuracy_score`. Most tags are `O`, so it is high even of poor taggers.

    Tags are compared as they are written: references and answers should follow the same tagging scheme.
    Tags that an answer lacks are `O`, those that it has too many do not count.

    Statistics, shape (n, 2): right tags and tags of the reference.
    """

    name = "accuracy"
    title = "Tag accuracy"
    kinds = ("tags",)
    higher_is_better = True
    percent = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int32]:
        """Statistics of each row."""
        import numpy as np

        statistics = np.zeros((len(predictions), 2), dtype=np.int32)
        for row, (prediction, wanted) in enumerate(zip(predictions, references, strict=True)):
            answer = prediction["answer"]
            given = [*answer, *[OUTSIDE] * (len(wanted) - len(answer))]
            statistics[row] = sum(map(str.__eq__, given, wanted)), len(wanted)
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Accuracy from summed rows; NaN where there is no tag."""
        return ratio(totals[..., 0], totals[..., 1])


METRIC = TagAccuracy()
