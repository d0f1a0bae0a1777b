"""Matthews correlation of answers with references: 1 right, 0 no better than chance, down to -1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio
from core.metrics.labels import positions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class Mcc(Summed):
    """Matthews correlation coefficient, as scikit-learn's `matthews_corrcoef`; 0 where all answers are one class.

    Names that are not among the labels are one class, but never right by sharing it.

    Statistics, shape (n, 1 + 2 · (labels + 1)), 0 or 1: whether the row is right; the class answered; the class wanted.
    The whole confusion matrix would be labels² wide, and only its diagonal and its margins are read (Gorodkin 2004,
    "Comparing two K-category assignments by a K-category correlation coefficient").
    """

    name = "mcc"
    title = "MCC"
    kinds = ("label",)
    higher_is_better = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        answers = [prediction["answer"] for prediction in predictions]
        n, classes = len(answers), len(labels) + 1
        statistics = np.zeros((n, 1 + 2 * classes), dtype=np.int8)
        statistics[:, 0] = [answer == wanted for answer, wanted in zip(answers, references, strict=True)]
        # The unknown stand at -1, which is the last class.
        statistics[np.arange(n), 1 + positions(answers, labels) % classes] = 1
        statistics[np.arange(n), 1 + classes + positions(references, labels) % classes] = 1
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The correlation from summed rows; NaN of no rows."""
        import numpy as np

        counts = np.asarray(totals, dtype=np.float64)
        right, margins = counts[..., 0], counts[..., 1:].reshape(*counts.shape[:-1], 2, -1)
        answered, wanted = margins[..., 0, :], margins[..., 1, :]
        n = wanted.sum(axis=-1)
        together = right * n - (answered * wanted).sum(axis=-1)
        spread = (n**2 - (answered**2).sum(axis=-1)) * (n**2 - (wanted**2).sum(axis=-1))
        return np.where(n > 0, ratio(together, np.sqrt(spread), undefined=0.0), np.nan)


METRIC = Mcc()
