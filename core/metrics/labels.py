"""What metrics of labels share: where a name stands among them, and how likely it was held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.errors import PlanError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


def probabilities(predictions: Sequence[Prediction], labels: Sequence[str]) -> NDArray[np.float64]:
    """Each prediction's `probabilities`, shape (n, labels).

    A model that knows labels beside these gives them less than 1 in sum. What is missing stays missing: making up for
    it would flatter the model.
    """
    import numpy as np

    rows = [prediction["probabilities"] for prediction in predictions]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))


def positions(names: Sequence[str], labels: Sequence[str]) -> NDArray[np.intp]:
    """Where each name stands among the labels, shape (n,); -1 for a name that is none of them."""
    import numpy as np

    place = {label: index for index, label in enumerate(labels)}
    return np.array([place.get(name, -1) for name in names], dtype=np.intp)


def share_of(shares: NDArray[np.float64], wanted: NDArray[np.intp]) -> NDArray[np.float64]:
    """The probability (n,) of the label at each row's place (n,) among those of all labels (n, labels); 0 at -1."""
    import numpy as np

    chosen: NDArray[np.float64] = (shares * (wanted[:, None] == np.arange(shares.shape[1]))).sum(axis=1)
    return chosen


def indicators(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each label is among the names of each row, shape (n, labels)."""
    import numpy as np

    place = {label: index for index, label in enumerate(labels)}
    found = np.zeros((len(rows), len(labels)), dtype=bool)
    for row, names in enumerate(rows):
        found[row, [place[name] for name in names if name in place]] = True
    return found


def positive_label(option: str, value: Any, labels: Sequence[str]) -> int:
    """Where the label stands that an option names.

    Args:
        option: The option's flat name.
        value: What the plan says. YAML reads some label names as numbers.
        labels: Label names of the data set.

    Raises:
        PlanError: It is not among the labels.
    """
    if str(value) in labels:
        return list(labels).index(str(value))
    found = ", ".join(map(repr, labels))
    raise PlanError(
        f"{option} is {value!r}; the labels are {found}.",
        f"Say which of them is the positive one, e.g. {option}: {labels[-1] if labels else 'spam'}",
    )
