"""What a metric is: statistics of each row, and a value of rows that may count more than once.

Most metrics are functions of *summed* statistics, so one matrix product gives a whole bootstrap
(`core.analysis.intervals`), and two models can be compared row by row. What depends on the order of the rows' scores
(AUC, Spearman) says itself what weighted rows are worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from core.options import Option, resolve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind

__all__ = [
    "Metric",
    "Option",
    "Resampled",
    "Summed",
    "describe_options",
    "overall",
    "per_row",
    "ratio",
    "resolve_options",
]


class Metric(Protocol):
    """A score of predictions against references.

    `options` passed to the methods are complete (`resolve_options`). `labels` are the data set's label names, empty
    for tasks without labels. A metric inherits `Summed` or `Resampled`.
    """

    name: str
    """As people write it. Several metrics may share a name (`f1` of labels, of entities, of answers) as long as no
    kind of reference has two of them."""
    title: str
    kinds: tuple[ReferenceKind, ...]
    """Kinds of reference it scores: it is offered for every task with such a reference."""
    needs: tuple[str, ...]
    """Keys of a prediction it reads."""
    higher_is_better: bool
    percent: bool
    """Whether people expect to see it as a percentage."""
    binary: bool
    """Whether a single row scores exactly 0 or 1, so that McNemar's exact test applies to pairs."""
    upper: float | None
    """The largest value there can be, where the smallest is 0; None where there is no largest."""
    summed: bool
    """Whether its value is a function of summed statistics."""
    mean_of_rows: bool
    """Whether its value is the mean of the rows' own scores, each between 0 and `upper`. Only these can be raced."""
    stored: bool
    """Whether its statistics are numbers that are worth keeping. Otherwise they are made again from predictions."""
    options: Mapping[str, Option]

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """Statistics, shape (n, k): row i depends on prediction i and reference i alone.

        Counts may come as int8, which takes an eighth of the memory: NumPy's `sum` widens it.
        """
        ...

    def value(
        self, totals: NDArray[np.float64], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The metric from summed rows: shape (…, k) → (…). Undefined values are NaN. Only where `summed`."""
        ...

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The metric of rows that count several times: (n, k) and (B, n) → (B,). Undefined values are NaN."""
        ...

    def signature(self, options: Mapping[str, Any], references: Sequence[Any] = ()) -> str:
        """The line by which the field's own tool says how a score was computed; empty where it has none."""
        ...


class Summed:
    """A metric that is a function of summed statistics; it brings `value`."""

    needs: tuple[str, ...] = ("answer",)
    percent = False
    binary = False
    upper: float | None = 1.0
    summed = True
    mean_of_rows = False
    stored = True
    options: Mapping[str, Option] = {}

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The value of the weighted sums."""
        metric: Any = self
        values: NDArray[np.float64] = metric.value(weights.astype(float) @ statistics.astype(float), labels, options)
        return values

    def signature(self, options: Mapping[str, Any], references: Sequence[Any] = ()) -> str:
        """There is none."""
        return ""


class Resampled:
    """A metric that needs the rows themselves; it brings `weighted`."""

    needs: tuple[str, ...] = ("answer",)
    percent = False
    binary = False
    upper: float | None = 1.0
    summed = False
    mean_of_rows = False
    stored = True
    options: Mapping[str, Option] = {}

    def value(
        self, totals: NDArray[np.float64], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """There is none."""
        raise TypeError(f"{type(self).__name__} is no function of sums.")

    def signature(self, options: Mapping[str, Any], references: Sequence[Any] = ()) -> str:
        """There is none."""
        return ""


def overall(metric: Metric, statistics: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> float:
    """The metric over these rows (n, k); NaN where it is undefined."""
    import numpy as np

    if metric.summed:
        return float(metric.value(statistics.sum(axis=0), labels, options))
    return float(metric.weighted(statistics, np.ones((1, len(statistics))), labels, options)[0])


def per_row(
    metric: Metric, statistics: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The metric of each row by itself: (n, k) → (n,)."""
    import numpy as np

    if metric.summed:
        return np.asarray(metric.value(statistics, labels, options), dtype=np.float64)
    return np.array([overall(metric, statistics[row : row + 1], labels, options) for row in range(len(statistics))])


def resolve_options(metric: Metric, flat: Mapping[str, Any]) -> dict[str, Any]:
    """The metric's options, complete, from the plan's flat ones (`f1_average`). Raises PlanError."""
    return resolve(metric.options, flat, f"{metric.name}_")


def describe_options(metric: Metric, options: Mapping[str, Any], references: Sequence[Any] = ()) -> str:
    """The options as people write them behind a score: `macro`, `use_stemmer`, a signature of sacrebleu, or nothing.

    With the references at hand, a signature also says how many a row has.
    """
    if signature := metric.signature(options, references):
        return signature
    given = {name: options[name] for name in metric.options if options[name] not in (None, False)}
    return ", ".join(name if value is True else str(value) for name, value in given.items())


def ratio(part: NDArray[Any], whole: NDArray[Any], undefined: float = math.nan) -> NDArray[np.float64]:
    """`part / whole`, and `undefined` where `whole` is 0."""
    import numpy as np

    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    quotient = np.full(part.shape, undefined)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient
