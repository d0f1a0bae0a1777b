"""Which column is which."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import registry
from core.data.mapping import guess_columns, resolve_columns
from core.errors import DatasetMismatch

CLASSIFY = registry.task("text-classification")
SUMMARIZE = registry.task("summarization")
TEXTS = [f"a sentence of some length, number {number}" for number in range(20)]
LABELS = ["up", "down"] * 10


def guessed(task: object, frame: pd.DataFrame) -> dict[str, str | int | None]:
    return {guess.word: guess.column for guess in guess_columns(task, frame)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        ({"sentence": TEXTS, "label": LABELS}, "sentence", "label"),
        ({"idx": list(range(20)), "Review Text": TEXTS, "Sentiment": LABELS}, "Review Text", "Sentiment"),
        ({"tweet_id": TEXTS, "raw_tweet": TEXTS, "airline_sentiment": LABELS}, "raw_tweet", "airline_sentiment"),
        ({0: TEXTS, 1: LABELS}, 0, 1),
        ({0: [1, 0] * 10, 1: TEXTS}, 1, 0),
        ({"q7": TEXTS, "when": list(range(20)), "verdict": LABELS}, "q7", "verdict"),
    ],
)
def test_columns_are_guessed_from_names_and_content(
    columns: dict[str | int, list[object]], text: str | int, label: str | int
) -> None:
    frame = pd.DataFrame(columns)

    found = guessed(CLASSIFY, frame)

    assert (found["text"], found["label"]) == (text, label)
    assert all(guess.reason for guess in guess_columns(CLASSIFY, frame))


def test_of_two_text_columns_the_longer_is_summarized() -> None:
    frame = pd.DataFrame({0: [text[:10] for text in TEXTS], 1: TEXTS})

    assert guessed(SUMMARIZE, frame) == {"text": 1, "summary": 0}


@given(st.permutations(["id", "sentence", "label", "source"]))
def test_the_order_of_the_columns_changes_no_guess_by_name(order: list[str]) -> None:
    frame = pd.DataFrame({"id": range(20), "sentence": TEXTS, "label": LABELS, "source": TEXTS})[order]

    found = resolve_columns(CLASSIFY, frame)

    assert found == {"text": "sentence", "label": "label"}


@given(st.integers(0, 3), st.integers(0, 3))
def test_positions_work_with_and_without_a_header(text: int, label: int) -> None:
    named = pd.DataFrame({"a": TEXTS, "b": TEXTS, "c": LABELS, "d": LABELS})
    bare = named.set_axis(range(4), axis=1)
    columns = {"text": text, "label": label}

    assert resolve_columns(CLASSIFY, named, columns) == {word: "abcd"[at] for word, at in columns.items()}
    assert resolve_columns(CLASSIFY, bare, columns) == columns


def test_what_is_given_is_not_guessed_again() -> None:
    frame = pd.DataFrame({"text": LABELS, "body": TEXTS, "label": LABELS})

    assert resolve_columns(CLASSIFY, frame, {"label": "text"}) == {"text": "body", "label": "text"}


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        ({"text": "sentense"}, "'sentense'", "'sentence'"),
        ({"text": 7}, "position 7", "0 to 1"),
        ({"texte": "sentence"}, "no column 'texte'", "'text'"),
        ({"label": "zzz"}, "Columns found: 'sentence', 'label'", "Name one"),
    ],
)
def test_a_column_that_is_not_there_is_answered_with_those_that_are(
    columns: dict[str, str | int], message: str, hint: str
) -> None:
    with pytest.raises(DatasetMismatch) as caught:
        resolve_columns(CLASSIFY, pd.DataFrame({"sentence": TEXTS, "label": LABELS}), columns)

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_file_with_no_usable_column_says_what_was_wanted_and_found() -> None:
    frame = pd.DataFrame({"price": [1.5 * number for number in range(20)], "weight": range(20)})

    with pytest.raises(DatasetMismatch) as caught:
        resolve_columns(CLASSIFY, frame)

    assert "'text'" in caught.value.message
    assert "'price', 'weight'" in caught.value.message
    assert "columns: {text: …" in caught.value.hint


@pytest.mark.parametrize(
    ("task", "columns", "found"),
    [
        (
            "token-classification",
            {"a": [["O", "B-X"], ["O"]] * 10, "b": [["the", "Alps"], ["yes"]] * 5 + [["an", "ox"], ["no"]] * 5},
            {"words": "b", "tags": "a"},
        ),
        ("token-classification", {"a": ["the Alps", "ox"] * 10, "b": ["O LOC", "O"] * 10}, {"words": "a", "tags": "b"}),
        (
            "sentence-similarity",
            {0: [0.5 * number for number in range(20)], 1: TEXTS, 2: [text + "!" for text in TEXTS]},
            {"sentence1": 1, "sentence2": 2, "score": 0},
        ),
        (
            "sentence-similarity",
            {"n": list(range(20)), "one": TEXTS, "two": TEXTS, "how close": ["3", "4.5"] * 10},
            {"sentence1": "one", "sentence2": "two", "score": "how close"},
        ),
        (
            "image-classification",
            {"n": list(range(20)), "where": [f"{number}.JPG" for number in range(20)], "kind": LABELS},
            {"image": "where", "label": "kind"},
        ),
        (
            "audio-classification",
            {"x": [{"bytes": b"0", "path": None}] * 20, "y": LABELS},
            {"audio": "x", "label": "y"},
        ),
        (
            "question-answering",
            {"q": [text[:9] for text in TEXTS], "c": TEXTS, "a": [{"text": ["x"], "answer_start": [0]}] * 20},
            {"question": "q", "context": "c", "answers": "a"},
        ),
        (
            "object-detection",
            {"x": ["a.png"] * 20, "y": [{"bbox": [[0, 0, 1, 1]], "category": [0]}] * 20},
            {"image": "x", "objects": "y"},
        ),
        (
            "image-segmentation",
            {"scene": [f"{number}.png" for number in range(20)], "other": [f"m{number}.png" for number in range(20)]},
            {"image": "scene", "mask": "other"},
        ),
        (
            "multi-label-classification",
            {0: TEXTS, 1: ["4", "4,27"] * 10, 2: [f"x{n}" for n in range(20)]},
            {"text": 0, "labels": 1},
        ),
        ("multi-label-classification", {0: TEXTS, 1: [["a"], ["a", "b"]] * 10}, {"text": 0, "labels": 1}),
    ],
)
def test_columns_of_every_kind_are_guessed_from_what_they_hold(
    task: str, columns: dict[str | int, list[object]], found: dict[str, str | int]
) -> None:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})

    assert resolve_columns(registry.task(task), frame) == found


def test_a_guessed_column_can_be_left_out() -> None:
    frame = pd.DataFrame({"text": TEXTS, "sentence2": TEXTS, "label": LABELS})

    assert resolve_columns(CLASSIFY, frame)["text_pair"] == "sentence2"
    assert "text_pair" not in resolve_columns(CLASSIFY, frame, {"text_pair": None})
    with pytest.raises(DatasetMismatch, match="'label'"):
        resolve_columns(CLASSIFY, frame, {"label": None})


def test_parts_of_file_names_are_no_labels_of_themselves() -> None:
    frame = pd.DataFrame(
        {"file": [f"{n % 10}_x_{n}.wav" for n in range(20)], "part 0": [str(n % 10) for n in range(20)]}
    )

    with pytest.raises(DatasetMismatch, match="'part 0'"):
        resolve_columns(registry.task("audio-classification"), frame)
