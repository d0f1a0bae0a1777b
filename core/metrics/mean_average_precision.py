"""Mean average precision of boxes, as COCO defines it: areas of all sizes, at most 100 boxes per picture and label.

Lin et al. 2014, "Microsoft COCO: Common Objects in Context"; values equal pycocotools' `COCOeval`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.metrics.base import Resampled, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind

COCO = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Overlaps from which on a box counts as found."""
MOST_BOXES = 100
RECALLS = 101
"""Precision is read at recall 0, 0.01, … 1."""
BLOCK = 250_000
"""Numbers in the largest array of a block of resamples: what fits in a processor's cache."""


@dataclass(frozen=True, eq=False)
class Matches:
    """What one picture adds: its boxes, surest first for each label, and which of them found something."""

    labels: NDArray[np.int32]
    """Place of each answered box's label among the data set's labels (d,); behind the last one for other names."""
    scores: NDArray[np.float64]
    """How sure it is (d,)."""
    found: NDArray[np.bool_]
    """Whether it found a wanted box, at each threshold (d, thresholds)."""
    ignored: NDArray[np.bool_]
    """Whether it lies in a crowd, so that it is neither right nor wrong (d, thresholds)."""
    wanted: NDArray[np.int32]
    """Places of the labels of the boxes to find, crowds left out (g,)."""

    def __eq__(self, other: object) -> bool:
        import numpy as np

        fields = ("labels", "scores", "found", "ignored", "wanted")
        return isinstance(other, Matches) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in fields
        )

    def __hash__(self) -> int:
        return hash((self.labels.tobytes(), self.scores.tobytes(), self.found.tobytes()))


@dataclass(frozen=True)
class MeanAveragePrecision(Resampled):
    """The area under each label's curve of precision over recall, averaged over labels and thresholds.

    A label without a wanted box does not count. A reference box with `"crowd": true` stands for many: boxes in it are
    neither right nor wrong.

    Statistics, shape (n, 1): a `Matches` for each picture.
    """

    name: str
    title: str
    thresholds: tuple[float, ...]

    kinds: tuple[ReferenceKind, ...] = ("boxes",)
    higher_is_better = True
    percent = True
    stored = False

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """The matches of each row."""
        import numpy as np

        place = {label: index for index, label in enumerate(labels)}
        statistics = np.empty((len(references), 1), dtype=object)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            statistics[row, 0] = _match(prediction["answer"], reference, place, np.array(self.thresholds))
        return statistics

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The metric of pictures that count several times; NaN where no wanted box is left."""
        import numpy as np

        pictures = statistics[:, 0].tolist()
        sums, counted = np.zeros(len(weights)), np.zeros(len(weights), dtype=np.intp)
        by_picture = np.ascontiguousarray(np.asarray(weights).T, dtype=np.float64)
        for curve in _curves(pictures):
            for block in _blocks(len(weights), len(curve.hits)):
                precision, exists = curve.average_precision(by_picture[:, block])
                sums[block] += precision
                counted[block] += exists
        return ratio(sums, counted)


@dataclass(frozen=True)
class _Curve:
    """One label's boxes over all pictures, the surest first."""

    boxes: NDArray[np.intp]
    """Picture of each answered box (d,)."""
    found: NDArray[np.bool_]
    """(d, thresholds)"""
    ignored: NDArray[np.bool_]
    """(d, thresholds)"""
    wanted: NDArray[np.intp]
    """Picture of each box to find (g,)."""

    @cached_property
    def hits(self) -> NDArray[np.intp]:
        """Places of the boxes that found something, at any threshold."""
        import numpy as np

        return np.flatnonzero(self.found.any(axis=1))

    def average_precision(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Mean over the thresholds, and whether there is anything to find: weights (pictures, B) → (B,), (B,)."""
        import numpy as np

        wanted = weights[self.wanted].sum(axis=0)
        answered = self._answered(np.ones(len(self.boxes), dtype=bool), weights)
        own = weights[self.boxes[self.hits]]
        total = np.zeros(weights.shape[1])
        for found, ignored in zip(self.found.T, self.ignored.T, strict=True):
            right = np.flatnonzero(found[self.hits])
            seen = answered[right]
            if ignored.any():
                seen = seen - self._answered(ignored, weights)[right]
            total += _area(own[right].cumsum(axis=0), seen, wanted)
        return np.where(wanted > 0, total / self.found.shape[1], 0.0), wanted > 0

    def _answered(self, counted: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many boxes were answered up to and with each hit (hits, B), of those that are counted."""
        import numpy as np
        from scipy.sparse import csr_array

        behind = np.searchsorted(self.hits, np.arange(len(self.boxes)))
        before_last = counted & (behind < len(self.hits))
        between = csr_array(
            (np.ones(before_last.sum()), (behind[before_last], self.boxes[before_last])),
            shape=(len(self.hits), len(weights)),
        )
        answered: NDArray[np.float64] = (between @ weights).cumsum(axis=0)
        return answered


def _area(right: NDArray[np.float64], seen: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean precision at 101 recalls.

    The curve is read where it rises, at the boxes that found something: between them precision only falls.

    Args:
        right: Found so far, at each such box (k, B).
        seen: Answered so far (k, B).
        wanted: All there is to find (B,).
    """
    import numpy as np

    precision = right / (seen + np.spacing(1))
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    reached = _reached(right / np.where(wanted > 0, wanted, 1))
    area: NDArray[np.float64] = np.einsum("kb,kb->b", best, np.diff(reached, axis=0, prepend=0))
    return area / RECALLS


def _reached(recall: NDArray[np.float64]) -> NDArray[np.intp]:
    """How many of the 101 recalls lie at or below each: `searchsorted(…, side="right")`, several times as fast."""
    import numpy as np

    grid = np.append(np.linspace(0, 1, RECALLS), np.inf)
    step = (recall * (RECALLS - 1)).astype(np.intp)
    # The product may be rounded to the wrong side of a step.
    step += grid[step + 1] <= recall
    step -= grid[step] > recall
    return step + 1


def _curves(pictures: Sequence[Matches]) -> Iterator[_Curve]:
    """The curve of every label that there is something to find of."""
    import numpy as np

    if not pictures:
        return
    labels, scores, found, ignored, wanted = (
        np.concatenate([getattr(one, name) for one in pictures])
        for name in ("labels", "scores", "found", "ignored", "wanted")
    )
    boxes = np.repeat(np.arange(len(pictures)), [len(one.labels) for one in pictures])
    targets = np.repeat(np.arange(len(pictures)), [len(one.wanted) for one in pictures])
    order = np.lexsort((-scores, labels))
    starts = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
    for label in np.unique(wanted).tolist():
        mine = order[starts[label] : starts[label + 1]] if label + 1 < len(starts) else order[:0]
        yield _Curve(boxes[mine], found[mine], ignored[mine], targets[wanted == label])


def _blocks(resamples: int, hits: int) -> Iterator[slice]:
    """Resamples that are computed at once, so that memory stays bounded."""
    size = max(1, BLOCK // max(1, hits))
    return (slice(start, start + size) for start in range(0, resamples, size))


def _match(
    answer: Sequence[Mapping[str, Any]],
    reference: Sequence[Mapping[str, Any]],
    place: Mapping[str, int],
    thresholds: NDArray[np.float64],
) -> Matches:
    """Match one picture's boxes."""
    import numpy as np

    boxes = _surest(answer)
    targets = sorted(reference, key=_is_crowd)  # COCO looks at crowds last
    crowd = np.array([_is_crowd(one) for one in targets], dtype=bool)
    found, ignored = _assign(_overlaps(boxes, targets, crowd), crowd, thresholds)
    return Matches(
        np.array([place.get(one["label"], len(place)) for one in boxes], dtype=np.int32),
        np.array([one["score"] for one in boxes], dtype=np.float64),
        found,
        ignored,
        np.array([place.get(one["label"], len(place)) for one in targets if not _is_crowd(one)], dtype=np.int32),
    )


def _surest(answer: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The boxes that count, the surest first: at most a hundred of each label."""
    counts: Counter[str] = Counter()
    kept = []
    for box in sorted(answer, key=lambda one: -one["score"]):
        counts[box["label"]] += 1
        if counts[box["label"]] <= MOST_BOXES:
            kept.append(box)
    return kept


def _is_crowd(target: Mapping[str, Any]) -> bool:
    return bool(target.get("crowd", False))


def _overlaps(
    boxes: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Intersection over union of boxes with targets of the same label, shape (boxes, targets), else 0.

    Where the target is a crowd, over the answered box alone.
    """
    import numpy as np

    first = np.array([one["box"] for one in boxes], dtype=np.float64).reshape(-1, 1, 4)
    second = np.array([one["box"] for one in targets], dtype=np.float64).reshape(1, -1, 4)
    names = {one["label"]: number for number, one in enumerate(targets)}
    same = np.array([names.get(one["label"], -1) for one in boxes])[:, None] == [names[one["label"]] for one in targets]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.where(same & (sides > 0).all(axis=-1), sides.prod(axis=-1), 0.0)
    own, theirs = ((one[..., 2:] - one[..., :2]).prod(axis=-1) for one in (first, second))
    return ratio(shared, np.where(crowd, own, own + theirs - shared), undefined=0.0)


def _assign(
    overlaps: NDArray[np.float64], crowd: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give each box, the surest first, the target it overlaps most of those that are left.

    Returns:
        Whether it found a target, and whether it lies in a crowd, each of shape (boxes, thresholds).
    """
    import numpy as np

    least = np.minimum(thresholds, 1 - 1e-10)
    shape = (len(overlaps), len(thresholds))
    found, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    left = np.repeat(~crowd[None], len(thresholds), axis=0)
    every = np.arange(len(thresholds))
    for box in np.flatnonzero((overlaps >= least[0]).any(axis=1)).tolist():
        # Of equal overlaps COCO takes the last.
        free = np.where(left, overlaps[box], -1.0)[:, ::-1]
        best = free.shape[1] - 1 - free.argmax(axis=1)
        found[box] = (overlaps[box, best] >= least) & left[every, best]
        left[every[found[box]], best[found[box]]] = False
        ignored[box] = (overlaps[box, crowd].max(initial=0.0) >= least) & ~found[box]
    return found, ignored


METRIC = (
    MeanAveragePrecision("map", "mAP@[.5:.95]", COCO),
    MeanAveragePrecision("map_50", "mAP@.5", (0.5,)),
)
