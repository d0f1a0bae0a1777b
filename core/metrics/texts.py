"""What metrics of written text share: references as lists, and sacrebleu's statistics row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.metrics.base import Summed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction


def texts(reference: Any) -> list[str]:
    """The right texts of a row: one, several, or none where the row has no reference."""
    if reference is None:
        return []
    return [reference] if isinstance(reference, str) else list(reference)


class CorpusScore(Summed):
    """A score of sacrebleu, from 0 to 100: not the mean of its rows, but a function of what is counted in all of them.

    Each row's statistics come from sacrebleu itself, which takes any number of references. They end with a 1, so that
    rows which are all empty can be told from no rows at all; a row without a reference is all 0 and changes nothing.
    """

    name: str
    title: str

    kinds = ("texts", "continuation")
    higher_is_better = True
    upper: float | None = 100.0

    def scorer(self, options: Mapping[str, Any]) -> Any:
        """The metric of sacrebleu with these options, made once.

        Raises:
            MissingDependency: A tokenizer needs a package that is not installed.
            UserError: A tokenizer needs a file that is not there.
        """
        raise NotImplementedError

    def width(self, options: Mapping[str, Any]) -> int:
        """How many numbers sacrebleu counts in a row."""
        raise NotImplementedError

    def score(self, counts: NDArray[np.float64], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The score of summed counts: shape (…, width) → (…)."""
        raise NotImplementedError

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Statistics of each row. A reference is a text, a list of texts, or None."""
        import numpy as np

        scorer = self.scorer(options)
        statistics = np.zeros((len(predictions), self.width(options) + 1))
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            if wanted := texts(reference):
                # sacrebleu has no public name for this. Row by row, because the n-grams of all rows take gigabytes.
                (counts,) = scorer._extract_corpus_statistics([prediction["answer"]], [[text] for text in wanted])
                statistics[row] = [*counts, 1]
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The score from summed rows; NaN of no rows."""
        import numpy as np

        counts = np.asarray(totals, dtype=np.float64)
        return np.where(counts[..., -1] > 0, self.score(counts[..., :-1], options), np.nan)

    def signature(self, options: Mapping[str, Any], references: Sequence[Any] = ()) -> str:
        """sacrebleu's: `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0`.

        It says `nrefs` only where the references are given; `var` where rows have different numbers of them.
        """
        scorer = self.scorer(options)
        signature = scorer._SIGNATURE_TYPE({**vars(scorer), "num_refs": None})
        numbers = {len(texts(reference)) for reference in references} - {0}
        signature.info["nrefs"] = numbers.pop() if len(numbers) == 1 else "var" if numbers else None
        return str(signature)
