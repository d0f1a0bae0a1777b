"""Precision, recall and F1 of entities: names of people, places, products that a tagger finds in sentences.

An entity is right when its words and its type are. All scores come from counts per type: tp, fp, fn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import PlanError
from core.metrics.base import Option, Summed, ratio
from core.metrics.precision_recall_f1 import ClassScore
from core.metrics.spans import SCHEMES, Marked, marked, prefixes, split_tag, stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction

OPTIONS = {
    "average": Option(
        "micro",
        ("micro", "macro", "weighted"),
        "micro: all entities in one count; macro: mean over the types; weighted: mean over the types by their number "
        "of entities.",
    ),
    "mode": Option(
        None,
        (None, "strict"),
        "Left out: whatever looks like an entity is one, as conlleval counts. strict: only what obeys the scheme.",
    ),
    "scheme": Option(None, (None, *SCHEMES), "The tagging scheme that strict counting goes by."),
}


@dataclass(frozen=True)
class EntityScore(ClassScore):
    """tp / (tp + a·fp + b·fn) of entities, averaged over entity types.

    Values equal seqeval's with the same `mode`, `scheme` and `average`, in which the types are those that occur among
    references or answers. Where no sentence has an entity, neither marked nor found, there is no value; seqeval warns
    and gives 0. Types that are none of the data set's are one type here.

    Strict counting holds answers to the scheme as well as references: both must be written in it, and models run here
    answer in IOB2. Plain tags without a prefix (`LOC LOC O`) are read as seqeval reads `I-LOC I-LOC O`: neighbours of
    one type are one entity. Tags that an answer lacks are `O`, those that it has too many do not count.

    Statistics, shape (n, 3 · (labels + 1)): columns 3c, 3c+1 and 3c+2 are tp, fp and fn of entity type c, in the order
    of `labels`; the last three are those of all other types.
    """

    kinds = ("tags",)
    options = OPTIONS

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """Statistics of each row.

        Raises:
            PlanError: `mode` is strict without a scheme, a scheme is given without it, or the references have tags
                that the scheme does not know.
        """
        import numpy as np

        wanted_tags, found_tags, row = _streams(predictions, references)
        scheme = self._scheme(wanted_tags, options)
        wanted, found = marked(wanted_tags, scheme), marked(found_tags, scheme)
        right = _right(wanted, found)

        place = {label: index for index, label in enumerate(labels)}
        width = 3 * (len(place) + 1)
        column_of = {name: 3 * place.get(name, len(place)) for name in {*wanted.names, *found.names}}
        cells = []
        for offset, marks, counted in (
            (0, wanted, right),
            (1, found, (found.ends > 0) & ~right),
            (2, wanted, (wanted.ends > 0) & ~right),
        ):
            columns = np.array([column_of[name] + offset for name in marks.names])
            cells.append(row[counted] * width + columns[marks.types[counted]])
        counts = np.bincount(np.concatenate(cells), minlength=len(references) * width)
        return counts.reshape(len(references), width).astype(np.int32)

    def _scheme(self, tags: Sequence[str], options: Mapping[str, Any]) -> str | None:
        """The scheme to count strictly by. Raises PlanError."""
        scheme: str | None = options["scheme"]
        if (options["mode"] == "strict") != (scheme is not None):
            raise PlanError(
                f"{self.name}_mode is {options['mode']!r} and {self.name}_scheme is {scheme!r}.",
                f"Strict counting wants both, {self.name}_mode: strict and a scheme ({', '.join(SCHEMES)}); "
                "otherwise leave both out.",
            )
        if scheme is not None:
            strangers = [tag for tag in dict.fromkeys(tags) if split_tag(tag)[0] not in prefixes(scheme)]
            if strangers:
                raise PlanError(
                    f"{self.name}_scheme is {scheme!r}, but the references have {', '.join(map(repr, strangers[:5]))}.",
                    f"{scheme} knows the prefixes {', '.join(prefixes(scheme))}. Choose the scheme that the data "
                    f"follow, or leave out {self.name}_mode and {self.name}_scheme.",
                )
        return scheme


class SentenceMatch(Summed):
    """Sentences in which every entity is found, and nothing else, over all sentences.

    It compares entities, not tags, so references may follow another tagging scheme than answers; entities and missing
    tags are read as `EntityScore` does when it is not strict.

    Statistics, shape (n, 2): whether the sentence is right, and 1.
    """

    name = "exact_match"
    title = "Sentences right"
    kinds = ("tags",)
    higher_is_better = True
    percent = True
    binary = True
    mean_of_rows = True

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[np.int8]:
        """Statistics of each row."""
        import numpy as np

        wanted_tags, found_tags, row = _streams(predictions, references)
        wanted, found = marked(wanted_tags, None), marked(found_tags, None)
        mistaken = ((wanted.ends > 0) | (found.ends > 0)) & ~_right(wanted, found)
        statistics = np.ones((len(references), 2), dtype=np.int8)
        statistics[row[mistaken], 0] = 0
        return statistics

    def value(self, totals: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]) -> NDArray[np.float64]:
        """The share from summed rows; NaN of no rows."""
        return ratio(totals[..., 0], totals[..., 1])


def _streams(
    predictions: Sequence[Prediction], references: Sequence[Any]
) -> tuple[list[str], list[str], NDArray[np.intp]]:
    """Tags of all references and of all answers, position by position, and the row of each."""
    import numpy as np

    lengths = [len(reference) for reference in references]
    wanted, found = stream(references, lengths), stream([prediction["answer"] for prediction in predictions], lengths)
    return wanted, found, np.repeat(np.arange(len(lengths) + 1), [*(length + 1 for length in lengths), 1])


def _right(wanted: Marked, found: Marked) -> NDArray[np.bool_]:
    """Where an entity starts in both, of the same words and the same type."""
    import numpy as np

    number = {name: index for index, name in enumerate(wanted.names)}
    same_name = np.array([number.get(name, -1) for name in found.names])[found.types] == wanted.types
    right: NDArray[np.bool_] = (wanted.ends > 0) & (wanted.ends == found.ends) & same_name
    return right


METRIC = (
    EntityScore("precision", "Precision", false_positives=1, false_negatives=0),
    EntityScore("recall", "Recall", false_positives=0, false_negatives=1),
    EntityScore("f1", "F1", false_positives=0.5, false_negatives=0.5),
    SentenceMatch(),
)
