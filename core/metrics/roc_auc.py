"""Area under the ROC curve: how often a row of a class is held likelier to be of it than a row of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Option, Resampled, ratio
from core.metrics.labels import positions, positive_label, probabilities
from core.metrics.resampling import blocks, grouping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


class RocAuc(Resampled):
    """ROC-AUC as scikit-learn's `roc_auc_score`: of the positive class, or each class against the rest, averaged.

    Equal probabilities count half. A class is left out of the mean where all rows are of it, or none: its curve is
    undefined then (and with it scikit-learn's whole mean).

    Statistics, shape (n, 1 + labels): where the reference stands among the labels, -1 for nowhere; the probabilities.
    """

    name = "roc_auc"
    title = "ROC-AUC"
    kinds = ("label",)
    needs = ("probabilities",)
    higher_is_better = True
    # They are the predictions' own probabilities.
    stored = False
    options: Mapping[str, Option] = {
        "average": Option(
            "macro",
            ("macro", "weighted"),
            "Of more than two labels. macro: mean over the classes; weighted: mean over the classes by their number of "
            "references.",
        ),
        "positive": Option(
            None,
            help="The label whose own curve counts. Where none is named: the last of two labels, all of more.",
            kind="label",
        ),
    }

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. Raises PlanError where `positive` is not a label."""
        import numpy as np

        _classes(labels, options)
        return np.column_stack((positions(references, labels), probabilities(predictions, labels)))

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The area in each resample."""
        import numpy as np

        classes = _classes(labels, options)
        areas, support = np.empty((2, len(classes), len(weights)))
        for place, label in enumerate(classes):
            positive = statistics[:, 0] == label
            areas[place], support[place] = _area(statistics[:, 1 + label], positive, weights)
        defined = ~np.isnan(areas)
        counted = defined * support if options["average"] == "weighted" else defined
        return ratio((np.where(defined, areas, 0) * counted).sum(axis=0), counted.sum(axis=0))


def _classes(labels: Sequence[str], options: Mapping[str, Any]) -> range:
    """The classes whose curves count."""
    if options["positive"] is not None:
        label = positive_label("roc_auc_positive", options["positive"], labels)
        return range(label, label + 1)
    return range(1, 2) if len(labels) == 2 else range(len(labels))


def _area(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area under one class's curve in each resample, NaN where it is undefined, and the positive rows' weight.

    It is the share of pairs of a positive and a negative row in which the positive one scores higher, ties counting
    half (Mann and Whitney). Only where negatives stand among the positives' scores matters, so rare classes are cheap.

    Args:
        scores: Shape (n,).
        positive: Which rows are of the class, shape (n,).
        weights: How often each row counts, shape (B, n).
    """
    import numpy as np

    areas, support = np.full(len(weights), np.nan), np.zeros(len(weights))
    inside, outside = np.flatnonzero(positive), np.flatnonzero(~positive)
    steps, step = np.unique(scores[inside], return_inverse=True)
    # Between the steps the even groups, level with a step the odd ones.
    group = np.searchsorted(steps, scores[outside], "left") + np.searchsorted(steps, scores[outside], "right")
    positives = grouping(step, len(steps), inside, len(scores))
    negatives = grouping(group, 2 * len(steps) + 1, outside, len(scores))
    for chosen, block in blocks(weights, negatives.shape[0]):
        above, passed = positives @ block, np.cumsum(negatives @ block, axis=0)
        beaten = (passed[:-1:2] + passed[1::2]) / 2
        support[chosen] = above.sum(axis=0)
        areas[chosen] = ratio((above * beaten).sum(axis=0), support[chosen] * passed[-1])
    return areas, support


METRIC = RocAuc()
