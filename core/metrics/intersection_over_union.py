"""How well pixels are labelled: mean intersection over union, and the share of pixels that are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind


@dataclass(frozen=True)
class _PixelScore(Summed):
    """A score of masks. Pixels without a label in the reference do not count.

    A pixel that the prediction leaves out (a mask of another size leaves out all), or gives a name that is not among
    `labels`, is wrong.
    """

    name: str
    title: str

    kinds: tuple[ReferenceKind, ...] = ("mask",)
    higher_is_better = True
    percent = True


class MeanIoU(_PixelScore):
    """Intersection over union of each label's pixels over all rows, averaged over the labels.

    Labels that are in neither references nor answers do not count. Equals `mean_iou` of Hugging Face `evaluate`.

    Statistics, shape (n, 2 · labels): pixels in the intersection of each label, in the order of `labels`; then those in
    the union.
    """

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int64]:
        """Statistics of each row."""
        import numpy as np

        place, count = {label: index for index, label in enumerate(labels)}, len(labels)
        statistics = np.zeros((len(references), 2 * count), dtype=np.int64)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            answered, wanted = _pixels(prediction["answer"], reference, place)
            shared = np.bincount(wanted[answered == wanted], minlength=count)[:count]
            areas = np.bincount(wanted, minlength=count)[:count] + np.bincount(answered, minlength=count)[:count]
            statistics[row] = np.concatenate((shared, areas - shared))
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The mean over the labels that occur; NaN where none does."""
        import numpy as np

        shared, union = np.split(np.asarray(totals, dtype=np.float64), 2, axis=-1)
        return ratio(ratio(shared, union, undefined=0.0).sum(axis=-1), (union > 0).sum(axis=-1))


class PixelAccuracy(_PixelScore):
    """The share of pixels that have the right label. Equals `overall_accuracy` of `evaluate`'s `mean_iou`.

    Statistics, shape (n, 2): right pixels, pixels.
    """

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int64]:
        """Statistics of each row."""
        import numpy as np

        place = {label: index for index, label in enumerate(labels)}
        statistics = np.zeros((len(references), 2), dtype=np.int64)
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            answered, wanted = _pixels(prediction["answer"], reference, place)
            statistics[row] = (answered == wanted).sum(), len(wanted)
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """Right pixels / pixels; NaN of none."""
        return ratio(totals[..., 0], totals[..., 1])


def _pixels(
    answer: Mapping[str, Any], reference: Mapping[str, Any], place: Mapping[str, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Labels' places of the pixels that the reference labels: answered and wanted. Names beyond `place` never agree."""
    import numpy as np

    wanted = _flat(reference, place, unknown=len(place))
    if list(answer["size"]) == list(reference["size"]):
        answered = _flat(answer, place, unknown=len(place) + 1)
    else:
        answered = np.full(len(wanted), len(place) + 1)
    labelled = wanted >= 0
    return np.where(answered < 0, len(place) + 1, answered)[labelled], wanted[labelled]


def _flat(mask: Mapping[str, Any], place: Mapping[str, int], unknown: int) -> NDArray[np.intp]:
    """The places of all pixels, row by row; -1 where there is no label."""
    import numpy as np

    names = [name for name, _ in mask["runs"]]
    places = np.array([-1 if name is None else place.get(name, unknown) for name in names], dtype=np.intp)
    return np.repeat(places, [length for _, length in mask["runs"]])


METRIC = (MeanIoU("mean_iou", "Mean IoU"), PixelAccuracy("pixel_accuracy", "Pixel accuracy"))
