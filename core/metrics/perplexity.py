"""How likely a model finds a text: perplexity, bits per byte, and pseudo-perplexity of models that fill gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed, ratio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind


@dataclass(frozen=True)
class Likelihood(Summed):
    """A function of nats per unit: the negative log-likelihood of all rows over their tokens or bytes.

    Perplexity is exp(nats per token): models can be compared by it only where they share a tokenizer. Bits per byte is
    (nats per byte) / ln 2 and can be compared between any two. Pseudo-perplexity takes each token's likelihood from
    all the others, one masked at a time (Salazar et al. 2020, "Masked Language Model Scoring").

    Statistics, shape (n, 2): nats, and tokens or bytes.
    """

    name: str
    title: str
    kinds: tuple[ReferenceKind, ...]
    needs: tuple[str, str] = ("nll", "tokens")
    """Keys of a prediction: the likelihood, and what it is divided by."""

    higher_is_better = False
    upper = None

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. References do not matter."""
        import numpy as np

        nats, units = self.needs
        pairs = [(prediction[nats], prediction[units]) for prediction in predictions]
        return np.array(pairs, dtype=np.float64).reshape(-1, 2)

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The score from summed rows; NaN where there is no token or byte."""
        import numpy as np

        nats = ratio(totals[..., 0], totals[..., 1])
        if "bytes" in self.needs:
            return nats / math.log(2)
        with np.errstate(over="ignore"):  # a model that finds a text impossible has an infinite perplexity
            return np.exp(nats)


METRIC = (
    Likelihood("perplexity", "Perplexity", ("continuation",)),
    Likelihood("bits_per_byte", "Bits per byte", ("continuation",), ("nll", "bytes")),
    Likelihood("pseudo_perplexity", "Pseudo-perplexity", ("word",)),
)
