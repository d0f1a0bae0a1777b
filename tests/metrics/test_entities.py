"""Entities: what counts as one, and what is told when options and data do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.errors import PlanError
from core.metrics import entities, tag_accuracy
from core.metrics.base import overall, resolve_options
from core.metrics.spans import marked, split_tag, stream

PRECISION, RECALL, F1, MATCH = entities.METRIC
LABELS = ("LOC", "PER")


def score(answers: list[list[str]], references: list[list[str]], metric: Any = F1, **options: str) -> float:
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    return overall(metric, rows(answers, references, metric, **options), LABELS, complete)


def rows(answers: list[list[str]], references: list[list[str]], metric: Any = F1, **options: str) -> Any:
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    return metric.rows([{"answer": answer} for answer in answers], references, LABELS, complete)


def found(tags: list[str], scheme: str | None = None) -> list[tuple[str, int, int]]:
    """Entities of one sentence: type, first word, first word behind."""
    marks = marked(stream([tags], [len(tags)]), scheme)
    return [(marks.names[marks.types[at]], int(at) - 1, int(marks.ends[at]) - 1) for at in np.flatnonzero(marks.ends)]


def test_an_entity_is_right_only_with_all_its_words_and_its_type() -> None:
    reference = [["B-PER", "I-PER", "O", "B-LOC", "O", "B-LOC"]]
    answer = [["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]]
    assert rows(answer, reference).tolist() == [[1, 0, 1, 1, 1, 0, 0, 0, 0]]
    assert rows([["B-PER", *answer[0][1:2], "I-PER", "O", "O", "B-LOC"]], reference).tolist() == [
        [1, 0, 1, 0, 1, 1, 0, 0, 0]
    ]
    assert score(answer, reference) == score(answer, reference, PRECISION) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("LOC LOC O PER LOC", [("LOC", 0, 2), ("PER", 3, 4), ("LOC", 4, 5)]),
        ("ORG ORG O", [("ORG", 0, 2)]),
        ("O I-LOC I-LOC", [("LOC", 1, 3)]),
        ("B-LOC I-PER O", [("LOC", 0, 1), ("PER", 1, 2)]),
        ("U-LOC U-LOC B-PER L-PER B-PER L-PER", [("LOC", 0, 1), ("LOC", 1, 2), ("PER", 2, 4), ("PER", 4, 6)]),
        ("U-LOC I-LOC O L-PER I-PER", [("LOC", 0, 1), ("LOC", 1, 2), ("PER", 3, 4), ("PER", 4, 5)]),
        ("B-LOC M-LOC E-LOC S-LOC", [("LOC", 0, 3), ("LOC", 3, 4)]),
        ("B_LOC I_LOC B_LOC", [("LOC", 0, 2), ("LOC", 2, 3)]),
        ("B I O E", [("_", 0, 2), ("_", 3, 4)]),
    ],
)
def test_lenient_counting_takes_what_looks_like_an_entity(tags: str, wanted: list[tuple[str, int, int]]) -> None:
    assert found(tags.split()) == wanted


def test_strict_counting_leaves_out_what_breaks_the_scheme() -> None:
    assert found(["O", "I-LOC", "B-PER", "I-PER"], "IOB2") == [("PER", 2, 4)]
    assert found(["B-LOC", "I-LOC", "O", "S-PER"], "IOBES") == [("PER", 3, 4)]
    assert score([["O", "I-LOC"]], [["O", "B-LOC"]]) == 1
    assert score([["O", "I-LOC"]], [["O", "B-LOC"]], mode="strict", scheme="IOB2") == 0


def test_a_tag_of_the_answer_that_the_scheme_does_not_know_is_no_entity() -> None:
    assert score([["S-LOC", "B-PER"]], [["B-LOC", "B-PER"]], mode="strict", scheme="IOB2") == pytest.approx(2 / 3)


def test_a_tag_of_the_references_that_the_scheme_does_not_know_is_told() -> None:
    with pytest.raises(PlanError, match=r"f1_scheme is 'IOB2', but the references have 'S-LOC', 'LOC'\.") as error:
        score([["O", "O"]], [["S-LOC", "LOC"]], mode="strict", scheme="IOB2")
    assert "O, I, B" in error.value.hint


@pytest.mark.parametrize("options", [{"mode": "strict"}, {"scheme": "IOB2"}])
def test_strict_counting_wants_a_scheme_and_a_scheme_strict_counting(options: dict[str, str]) -> None:
    with pytest.raises(PlanError, match="f1_mode is") as error:
        score([["O"]], [["O"]], **options)
    assert "f1_mode: strict" in error.value.hint


def test_missing_tags_are_outside_and_surplus_ones_do_not_count() -> None:
    reference = ["B-LOC", "O", "B-PER"]
    assert rows([[]], [reference]).tolist() == [[0, 0, 1, 0, 0, 1, 0, 0, 0]]
    assert score([["B-LOC", "O", "B-PER", "B-PER", "I-PER"]], [reference]) == 1
    accuracy = tag_accuracy.METRIC
    predictions = [{"answer": answer} for answer in ([], ["B-LOC"], [*reference, "B-PER"])]
    assert accuracy.rows(predictions, [reference] * 3, LABELS, {}).tolist() == [[1, 3], [2, 3], [3, 3]]


def test_an_entity_does_not_reach_into_the_next_sentence() -> None:
    answers = [["B-LOC", "I-LOC"], ["I-LOC", "O"]]
    assert rows(answers, answers).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0, 0]] * 2


def test_types_that_the_data_do_not_know_are_wrong_in_one_class() -> None:
    assert rows([["B-ORG", "B-ANIMAL"]], [["B-LOC", "B-ORG"]]).tolist() == [[0, 0, 1, 0, 0, 0, 0, 2, 1]]


def test_there_is_no_score_where_no_entity_is_marked_or_found() -> None:
    assert np.isnan(score([["O"]], [["O"]]))
    for average in ("micro", "macro", "weighted"):
        assert score([["B-LOC"]], [["O"]], average=average) == 0
        assert score([["B-LOC"]], [["O"]], RECALL, average=average) == 0
    assert score([["O"], ["B-LOC"]], [["O"], ["B-LOC"]]) == 1


def test_a_tag_is_split_into_prefix_and_type() -> None:
    assert split_tag("B-foo-bar") == ("B", "foo-bar")
    assert split_tag("B-") == split_tag("B") == ("B", "_")
    assert split_tag("ORG") == ("", "ORG")
    assert split_tag("O") == split_tag("") == ("O", "")


def test_a_set_without_sentences_and_sentences_without_words_are_no_crash() -> None:
    assert rows([], []).shape == (0, 9)
    assert rows([[], ["B-LOC"]], [[], []]).tolist() == [[0] * 9] * 2


def test_a_sentence_is_right_when_all_its_entities_are_in_whatever_scheme() -> None:
    references = [["S-LOC", "B-PER", "E-PER"], ["LOC", "LOC", "O"], ["O"], ["O", "I-LOC"], []]
    answers = [["B-LOC", "B-PER", "I-PER"], ["B-LOC", "I-LOC"], ["B-LOC"], ["O", "I-PER"], []]
    assert rows(answers, references, MATCH)[:, 0].tolist() == [1, 1, 0, 0, 1]
