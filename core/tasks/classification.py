"""From logits to one label of several: what classifying a text, a picture and a clip have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.tasks.base import Answered, Context, Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMALS = 4
"""Of scores. Padding moves the sixth decimal or so: with more of them, batch sizes would give different rows."""
DIGITS = 4
"""Of probabilities: what is nearly impossible must not become impossible, which a log loss could not forgive."""


def rounded(shares: NDArray[Any]) -> list[Any]:
    """Probabilities to four significant digits, as plain lists."""
    import numpy as np

    magnitude = np.floor(np.log10(np.maximum(shares, np.finfo(np.float64).tiny)))
    scale = 10.0 ** np.minimum(DIGITS - 1 - magnitude, 300)
    plain: list[Any] = ((shares * scale).round() / scale).tolist()
    return plain


class OneLabel:
    """A task whose model has one logit for each label, and whose rows have one piece."""

    def logits(self, row: Answered, context: Context) -> Any:
        """One for each of the model's labels: the largest one's is the answer."""
        return row.outputs[0]

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Softmax, then the likeliest model label under its data set name: `classified`."""
        return classified([self.logits(row, context) for row in rows], context)


def classified(logits: Sequence[Any], context: Context) -> list[Prediction]:
    """One label for each row of logits.

    Each prediction is `{"answer": label, "score": …, "probabilities": […]}`. `probabilities` run parallel to
    `context.labels`; they sum to less than 1 where the model knows labels that the data set does not. Model labels
    that stand for the same data set label add up, in `score` too.

    Args:
        logits: One array (model labels,) per row.
        context: Names of the labels on either side.
    """
    import numpy as np

    if not len(logits):
        return []
    outputs = np.asarray(logits, dtype=np.float64)
    answers = np.array([context.mapping.get(label, label) for label in context.model_labels], dtype=object)
    exponents = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares = exponents / exponents.sum(axis=1, keepdims=True)
    best = shares.argmax(axis=1)
    probabilities = shares @ (answers[:, None] == np.array(context.labels, dtype=object)).astype(np.float64)
    scores = (shares @ (answers[:, None] == answers).astype(np.float64))[np.arange(len(best)), best]
    return [
        {"answer": answer, "score": score, "probabilities": row}
        for answer, score, row in zip(
            answers[best], scores.round(DECIMALS).tolist(), rounded(probabilities), strict=True
        )
    ]
