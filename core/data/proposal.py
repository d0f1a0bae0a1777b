"""The labels of several models against those of the data, as a person looks at them before anything is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.data.kinds import KINDS
from core.data.labels import LabelMatch, reconcile
from core.records import Candidate
from core.tasks.base import Task

YOURS = "confirmed by you"


@dataclass(frozen=True)
class LabelTable:
    """One candidate's labels beside the data's."""

    candidate: str
    """Its id."""
    matches: tuple[LabelMatch, ...]
    """One per label of the model, in order of the class id; empty where the model does not name its labels."""
    missing: tuple[str, ...]
    """Labels of the data that no label of the model certainly stands for: with any, the candidate cannot run."""

    @property
    def proposed(self) -> tuple[LabelMatch, ...]:
        """Likely partners that wait for a person's word."""
        return tuple(match for match in self.matches if match.dataset_label and not match.certain)

    @property
    def mapping(self) -> dict[str, str]:
        """Model label → data set label, of what is certain or confirmed: `PlanCandidate.labels`."""
        return {
            match.model_label: match.dataset_label for match in self.matches if match.certain and match.dataset_label
        }

    def accepted(self) -> dict[str, str]:
        """As `mapping`, with every proposal taken for confirmed."""
        return {match.model_label: match.dataset_label for match in self.matches if match.dataset_label}

    def partners(self, label: str) -> list[LabelMatch]:
        """The model's labels that stand for this label of the data."""
        return [match for match in self.matches if match.dataset_label == label]


def label_tables(
    candidates: Sequence[Candidate],
    dataset_labels: Sequence[str],
    given: Mapping[str, Mapping[str, str]] | None = None,
    task: Task | None = None,
) -> list[LabelTable]:
    """The labels of each candidate against those of the data.

    Args:
        candidates: Their `labels` are matched.
        dataset_labels: The label names of the rows.
        given: Candidate id → (model label → data set label), as a person decided. What does not fit these rows or
            this model any more is passed over, and what would be matched anyway keeps its own reason.
        task: Says which names are compared: entity types instead of tags, say. None: all as they are.
    """
    given = given or {}
    wanted = task.wanted_labels(dataset_labels) if task else dataset_labels
    known = task.known_labels if task else tuple
    return [
        _table(replace(candidate, labels=known(candidate.labels)), wanted, given.get(candidate.id, {}))
        for candidate in candidates
    ]


def label_counts(references: Sequence[Any], kind: str = "label") -> dict[str, int]:
    """Label → rows that carry it, the most frequent first; equal counts by name."""
    counts = Counter(name for reference in references for name in dict.fromkeys(KINDS[kind].names(reference)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _table(candidate: Candidate, dataset_labels: Sequence[str], given: Mapping[str, str]) -> LabelTable:
    alone = {match.model_label: match for match in reconcile(candidate.labels, dataset_labels)}
    decided = {label: name for label, name in given.items() if label in alone and name in dataset_labels}
    matches = tuple(
        _with_reason(match, alone[match.model_label]) if match.model_label in decided else match
        for match in reconcile(candidate.labels, dataset_labels, decided)
    )
    certain = {match.dataset_label for match in matches if match.certain}
    return LabelTable(candidate.id, matches, tuple(label for label in dataset_labels if label not in certain))


def _with_reason(given: LabelMatch, alone: LabelMatch) -> LabelMatch:
    if alone.certain and alone.dataset_label == given.dataset_label:
        return alone
    return replace(given, reason=YOURS)
