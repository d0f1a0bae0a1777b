"""A query answered without a server: which candidates match, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core import registry
from core.catalog.license import allows
from core.records import Candidate, ModelQuery


def pipeline_tags(task: str) -> tuple[str, ...]:
    """The Hub's pipeline tags of models for a task, the one to search for first; of a name that is no task, itself."""
    known = registry.tasks().get(task)
    return known.tags if known else (task,)


def matches(candidate: Candidate, query: ModelQuery, words: Iterable[str] = ()) -> bool:
    """Whether a candidate answers every condition of the query.

    A licence needs to be one of those asked for; of languages and libraries the model must have all, as on the Hub.
    A model whose size is not known answers no condition on it, nor one without a date a condition on dates.

    Args:
        candidate: With the facts the catalogue knows.
        query: What was asked.
        words: Tags of the model that the candidate does not carry as facts.
    """
    tags = {text.lower() for text in (*words, *_tags(candidate))}
    return (
        (query.task is None or candidate.task in pipeline_tags(query.task))
        and all(word in candidate.id.lower() for word in query.text.lower().split())
        and allows(query.licenses, candidate.license)
        and _within(candidate.parameters, query.min_params, query.max_params)
        and {text.lower() for text in (*query.languages, *query.libraries)} <= tags
        and (query.gated is None or candidate.gated == query.gated)
        and not any(_carries(candidate, tags, word.strip().lower()) for word in query.exclude)
        and _within(_day(candidate.updated), _day(query.updated_after), _day(query.updated_before))
    )


def ordered(candidates: Iterable[Candidate], query: ModelQuery) -> list[Candidate]:
    """The candidates in the query's order, unknown values last. Size sorts smallest first, all else largest first."""
    rows = sorted(candidates, key=lambda candidate: candidate.id)
    if query.sort == "size":
        return sorted(rows, key=lambda row: (row.parameters is None, row.parameters))
    name = query.sort
    known = [row for row in rows if getattr(row, name) is not None]
    unknown = [row for row in rows if getattr(row, name) is None]
    return sorted(known, key=lambda row: getattr(row, name), reverse=True) + unknown


def _tags(candidate: Candidate) -> Iterable[str]:
    single = (candidate.license, candidate.library, candidate.architecture, candidate.task)
    return [*candidate.languages, *candidate.datasets, *candidate.formats, *(text for text in single if text)]


def _carries(candidate: Candidate, tags: set[str], word: str) -> bool:
    return bool(word) and (word in candidate.id.lower() or word in tags)


def _within(value: Any, low: Any, high: Any) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _day(moment: str | None) -> str | None:
    """`2026-11-21` of an ISO date and time: days compare as text."""
    return moment[:10] if moment else None
