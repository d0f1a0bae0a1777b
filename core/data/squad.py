"""SQuAD's nested JSON as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from core.errors import UnreadableFile


def is_squad(content: Any) -> bool:
    """Whether this is `{"data": [{"paragraphs": […]}, …]}`."""
    articles = content.get("data") if isinstance(content, Mapping) else None
    return (
        bool(articles)
        and isinstance(articles, list)
        and all(isinstance(article, Mapping) and isinstance(article.get("paragraphs"), list) for article in articles)
    )


def squad_frame(content: Any) -> pd.DataFrame:
    """A row per question: id, title, context, question, answers (`{"text": […], "answer_start": […]}`).

    Both versions are read; a question of version 2 without an answer has empty lists.

    Raises:
        UnreadableFile: It is not SQuAD's JSON.
    """
    if not is_squad(content):
        raise UnreadableFile(
            "The JSON is not SQuAD's.",
            'Its form is {"data": [{"title": …, "paragraphs": [{"context": …, "qas": […]}]}]}.',
        )
    try:
        rows = list(_rows(content["data"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableFile(f"The JSON is SQuAD's but for one place: {error}.", "Repair or re-export it.") from None
    if not rows:
        raise UnreadableFile("The file has no questions.", "Choose a file with at least one question.")
    return pd.DataFrame(rows, dtype=object)


def _rows(articles: list[Any]) -> Iterator[dict[str, Any]]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = question.get("answers") or []
                yield {
                    "id": question["id"],
                    "title": article.get("title"),
                    "context": paragraph["context"],
                    "question": question["question"],
                    "answers": {
                        "text": [answer["text"] for answer in answers],
                        "answer_start": [answer.get("answer_start") for answer in answers],
                    },
                }
