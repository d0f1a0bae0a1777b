"""BLEU: how many word n-grams of a text its references have too, and whether it is too short."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import MissingDependency, UserError
from core.metrics.base import Option
from core.metrics.texts import CorpusScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ORDERS = 4
NEARLY_LOG_0 = -9999999999.0
"""What sacrebleu takes for the logarithm of 0."""
PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}
"""Tokenizer → what to install for it."""
MODELS = ("flores101", "flores200")
"""Tokenizers that read a SentencePiece model."""

OPTIONS = {
    "tokenize": Option(
        "13a",
        ("13a", "intl", "char", "zh", "none", *PACKAGES, *MODELS),
        "13a: as WMT does for most languages; intl: by Unicode classes; char: every character; zh: Chinese "
        "characters apart; none: at spaces; ja-mecab, ko-mecab: Japanese and Korean words; flores101, flores200: "
        "subwords of any language (spBLEU).",
    ),
    "lowercase": Option(False, (False, True), "Ignore upper and lower case."),
    "smooth_method": Option(
        "exp",
        ("exp", "floor", "add-k", "none"),
        "What an order without any match counts: exp: half of one, then a quarter, …; floor: 0.1; add-k: 1 more "
        "match from pairs on; none: nothing, which makes the score 0.",
    ),
    "use_effective_order": Option(
        False, (False, True), "Leave out orders longer than the texts, for answers of few words."
    ),
}


class Bleu(CorpusScore):
    """Corpus BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018).

    Of several references, an n-gram counts as often as in the one that has it most, and the length is that of the
    reference nearest in length.

    Statistics, shape (n, 11): tokens of the answer, tokens of the reference, n-grams of the answer that a reference has
    for n = 1 to 4, n-grams of the answer for n = 1 to 4, and 1.
    """

    name = "bleu"
    title = "BLEU"
    options = OPTIONS

    def scorer(self, options: Mapping[str, Any]) -> Any:
        """The `BLEU` of sacrebleu."""
        return _scorer(**options)

    def width(self, options: Mapping[str, Any]) -> int:
        """Two lengths, and two counts of each order."""
        return 2 + 2 * ORDERS

    def score(self, counts: NDArray[np.float64], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The arithmetic of sacrebleu's `BLEU.compute_bleu`, for many sums at once."""
        import numpy as np

        answered, wanted = counts[..., 0], counts[..., 1]
        correct, total = counts[..., 2 : 2 + ORDERS], counts[..., 2 + ORDERS :]
        matched = correct.any(axis=-1)
        if options["smooth_method"] == "add-k":
            more = np.array([0.0] + [1.0] * (ORDERS - 1))
            correct, total = correct + more, total + more
        # An order that no answer is long enough for ends the list.
        reached = np.logical_and.accumulate(total > 0, axis=-1)
        correct = np.where(correct > 0, correct, reached * _stand_in(correct == 0, options["smooth_method"]))
        precisions = np.divide(correct, total, out=np.zeros_like(total), where=reached)
        logs = np.log(100 * precisions, out=np.full_like(total, NEARLY_LOG_0), where=precisions > 0)
        if options["use_effective_order"]:
            mean = np.where(reached, logs, 0).sum(axis=-1) / np.maximum(reached.sum(axis=-1), 1)
        else:
            mean = logs.mean(axis=-1)
        missing = np.divide(wanted, answered, out=np.full_like(wanted, np.inf), where=answered > 0)
        brevity = np.exp(np.minimum(1 - missing, 0))
        return np.where(matched, brevity * np.exp(mean), 0.0)


def _stand_in(unmatched: NDArray[np.bool_], smooth_method: str) -> NDArray[np.float64]:
    """What counts in the place of no match (Chen and Cherry 2014, methods 3 and 1): shape (…, orders)."""
    import numpy as np

    if smooth_method == "exp":
        return np.power(0.5, np.cumsum(unmatched, axis=-1))
    return np.full(unmatched.shape, 0.1 if smooth_method == "floor" else 0.0)


@cache
def _scorer(tokenize: str, lowercase: bool, smooth_method: str, use_effective_order: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    if tokenize in MODELS:
        _ask_for_model(tokenize)
    try:
        # Forced: a text that looks tokenised already is no reason to write to stderr.
        return BLEU(
            tokenize=tokenize,
            lowercase=lowercase,
            smooth_method=smooth_method,
            effective_order=use_effective_order,
            force=True,
        )
    except RuntimeError as error:
        if tokenize not in PACKAGES:
            raise
        raise MissingDependency(PACKAGES[tokenize], f"bleu_tokenize: {tokenize}") from error


def _ask_for_model(tokenize: str) -> None:
    """Refuse where sacrebleu would fetch the model by itself, without a word and from wherever a trial runs."""
    from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
    from sacrebleu.utils import SACREBLEU_DIR

    url = SPM_MODELS[tokenize]["url"]
    file = Path(SACREBLEU_DIR) / "models" / Path(url).name
    if not file.is_file():
        raise UserError(f"bleu_tokenize is {tokenize!r}, but {file} is not there.", f"Download {url} to that place.")


METRIC = Bleu()
