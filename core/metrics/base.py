"""What a metric is: per-row sufficient statistics plus an aggregate of their sums.

Because every value is a function of summed rows, one matrix product gives a whole bootstrap
(`core.analysis.intervals`), and two models can be compared row by row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Option:
    """A setting of a metric. Written flat in the plan: `f1_average` is option `average` of `f1`."""

    default: Any
    choices: tuple[Any, ...] = ()
    help: str = ""


class Metric(Protocol):
    """A score of predictions against references.

    `options` passed to the methods are complete (`resolve_options`). `labels` are the data set's label names, empty
    for tasks without labels.
    """

    name: str
    title: str
    higher_is_better: bool
    percent: bool
    """Whether people expect to see it as a percentage."""
    binary: bool
    """Whether a single row scores exactly 0 or 1, so that McNemar's exact test applies to pairs."""
    options: Mapping[str, Option]

    def rows(
        self, answers: Sequence[Any], references: Sequence[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[Any]:
        """Sufficient statistics, shape (n, k): row i depends on answer i and reference i alone.

        Counts may come as int8, which takes an eighth of the memory: NumPy's `sum` widens it.
        """
        ...

    def value(
        self, totals: NDArray[np.float64], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The metric from summed rows: shape (…, k) → (…). Undefined values are NaN."""
        ...


def resolve_options(metric: Metric, flat: Mapping[str, Any]) -> dict[str, Any]:
    """The metric's options, complete, from the plan's flat ones (`f1_average`).

    Raises:
        PlanError: a value is not allowed.
    """
    from core.errors import PlanError

    options = {}
    for name, option in metric.options.items():
        value = flat.get(f"{metric.name}_{name}", option.default)
        if option.choices and value not in option.choices:
            allowed = ", ".join(map(str, option.choices))
            raise PlanError(f"{metric.name}_{name} is {value!r}.", f"Use one of: {allowed}.")
        options[name] = value
    return options


def describe_options(metric: Metric, options: Mapping[str, Any]) -> str:
    """The options as people write them behind a score: `macro`, `use_stemmer`, or nothing."""
    given = {name: options[name] for name in metric.options if options[name] not in (None, False)}
    return ", ".join(name if value is True else str(value) for name, value in given.items())


def ratio(part: NDArray[Any], whole: NDArray[Any], undefined: float = math.nan) -> NDArray[np.float64]:
    """`part / whole`, and `undefined` where `whole` is 0."""
    import numpy as np

    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    quotient = np.full(part.shape, undefined)
    np.divide(part, whole, out=quotient, where=whole != 0)
    return quotient
