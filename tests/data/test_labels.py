"""Model labels ↔ data set labels."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.data.labels import LabelMatch, complete, reconcile
from core.errors import LabelMismatch


def partners(matches: list[LabelMatch], certain: bool = True) -> dict[str, str | None]:
    return {match.model_label: match.dataset_label for match in matches if match.certain is certain}


NAME = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=6)
NAMES = st.lists(NAME, min_size=1, max_size=6, unique=True)
WORDS = st.lists(st.text("abcdefgh", min_size=3, max_size=8), min_size=1, max_size=6, unique=True)


@given(NAMES, NAMES)
def test_every_model_label_gets_one_match_and_no_data_label_two(model: list[str], data: list[str]) -> None:
    matches = reconcile(model, data)

    assert [match.model_label for match in matches] == model
    taken = [match.dataset_label for match in matches if match.dataset_label is not None]
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(data)
    assert not any(match.certain and match.dataset_label is None for match in matches)


@given(NAMES, NAMES)
def test_what_is_certain_is_the_same_seen_from_either_side(model: list[str], data: list[str]) -> None:
    one = {(match.model_label, match.dataset_label) for match in reconcile(model, data) if match.certain}
    other = {(match.dataset_label, match.model_label) for match in reconcile(data, model) if match.certain}

    assert one == other


@given(WORDS, st.data())
def test_case_and_punctuation_change_no_certain_match(labels: list[str], data: st.DataObject) -> None:
    dressed = [
        data.draw(st.sampled_from([label.upper(), f" {label} ", f"{label[:1]}-{label[1:]}", f"__{label.title()}"]))
        for label in labels
    ]

    assert partners(reconcile(dressed, labels)) == dict(zip(dressed, labels, strict=True))
    assert partners(reconcile(labels, dressed)) == dict(zip(labels, dressed, strict=True))


@given(NAMES, NAMES, st.data())
def test_what_is_given_wins(model: list[str], data: list[str], draws: st.DataObject) -> None:
    given = draws.draw(st.dictionaries(st.sampled_from(model), st.sampled_from(data)))

    matches = reconcile(model, data, given)

    assert {match.model_label: match.dataset_label for match in matches if match.reason == "given"} == given
    others = {match.dataset_label for match in matches if match.reason != "given"} - {None}
    assert others.isdisjoint(given.values())


def test_short_forms_are_certain() -> None:
    assert partners(reconcile(["NEG", "NEU", "POS"], ["negative", "neutral", "positive"])) == {
        "NEG": "negative",
        "NEU": "neutral",
        "POS": "positive",
    }


def test_entity_types_have_synonyms_beyond_doubt() -> None:
    assert partners(
        reconcile(["PER", "LOC", "ORG", "MISC"], ["person", "Location", "organisation", "miscellaneous"])
    ) == {
        "PER": "person",
        "LOC": "Location",
        "ORG": "organisation",
        "MISC": "miscellaneous",
    }


def test_states_are_only_proposed_for_places() -> None:
    matches = reconcile(["GPE", "PERSON"], ["LOC", "PER"])

    assert partners(matches) == {"PERSON": "PER"}
    assert partners(matches, certain=False) == {"GPE": "LOC"}
    assert "kind of entity" in matches[0].reason
    assert partners(reconcile(["GPE", "LOC"], ["LOC"])) == {"LOC": "LOC"}


def test_inference_labels_match_in_any_case_and_order() -> None:
    assert partners(
        reconcile(["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], ["entailment", "neutral", "contradiction"])
    ) == {
        "CONTRADICTION": "contradiction",
        "NEUTRAL": "neutral",
        "ENTAILMENT": "entailment",
    }


def test_a_type_the_model_never_learnt_blocks_and_can_be_left_out() -> None:
    data = ["DATE", "LOC", "PER"]

    with pytest.raises(LabelMismatch) as caught:
        complete(reconcile(["LOC", "PER", "ORG"], data), "org/model", data)

    assert (
        "Model: 'LOC', 'PER', 'ORG'. Data: 'DATE', 'LOC', 'PER'. Without a certain partner: 'DATE'"
        in caught.value.message
    )
    assert "under `dataset`: `labels: {DATE: O}` for tags" in caught.value.hint


def test_the_only_label_is_never_left_out() -> None:
    with pytest.raises(LabelMismatch) as caught:
        complete(reconcile(["LABEL_0", "x"], ["entailment"]), "org/model", ["entailment"])

    assert "leave out" not in caught.value.hint


def test_numbered_names_are_only_proposed() -> None:
    by_number = reconcile(["LABEL_0", "LABEL_1"], ["1", "0"])
    by_position = reconcile(["LABEL_0", "LABEL_1"], ["positive", "negative"])
    to_names = reconcile(["NEGATIVE", "POSITIVE"], ["0", "1"])

    assert partners(by_number, certain=False) == {"LABEL_0": "0", "LABEL_1": "1"}
    assert partners(by_position, certain=False) == {"LABEL_0": "negative", "LABEL_1": "positive"}
    assert partners(to_names, certain=False) == {"NEGATIVE": "0", "POSITIVE": "1"}
    assert "class number 0" in to_names[0].reason


def test_equal_numbers_are_equal_names() -> None:
    assert partners(reconcile(["0", "1"], ["0", "1"])) == {"0": "0", "1": "1"}


def test_signs_and_languages_of_one_letter_are_told_apart() -> None:
    assert partners(reconcile(["-1", "1"], ["1", "-1"])) == {"-1": "-1", "1": "1"}
    assert partners(reconcile(["C", "C++"], ["C", "C#"])) == {"C": "C"}


def test_two_labels_that_come_down_to_one_name_are_nobodys_certain_partner() -> None:
    assert partners(reconcile(["Pos", "POS"], ["pos"])) == {}
    assert partners(reconcile(["pos"], ["Pos", "POS"])) == {}


def test_a_further_model_label_stays_alone_and_blocks_nothing() -> None:
    matches = reconcile(["negative", "neutral", "positive"], ["negative", "positive"])

    assert matches[1].dataset_label is None
    assert "counts as wrong" in matches[1].reason
    assert complete(matches, "org/model", ["negative", "positive"]) == {"negative": "negative", "positive": "positive"}


def test_two_model_labels_may_be_given_one_data_label() -> None:
    given = {"1 star": "bad", "2 stars": "bad", "5 stars": "good"}

    assert complete(reconcile(list(given), ["bad", "good"], given), "m", ["bad", "good"]) == given


def test_a_block_shows_both_lists_and_lines_to_paste() -> None:
    data = ["negative", "no"]

    with pytest.raises(LabelMismatch) as caught:
        complete(reconcile(["LABEL_0", "LABEL_1"], data), "org/model", data)

    assert "'LABEL_0', 'LABEL_1'" in caught.value.message
    assert "'negative', 'no'" in caught.value.message
    pasted = caught.value.hint.split("`")[1]
    assert yaml.safe_load(pasted) == {"labels": {"LABEL_0": "negative", "LABEL_1": "no"}}


def test_labels_that_match_nothing_are_named() -> None:
    with pytest.raises(LabelMismatch) as caught:
        complete(reconcile(["toxic", "clean"], ["card", "loan"]), "org/model", ["card", "loan"])

    assert "'toxic', 'clean'" in caught.value.message
    assert "labels: {toxic: card}" in caught.value.hint


def test_a_model_with_too_few_classes_is_told_so() -> None:
    with pytest.raises(LabelMismatch, match="'c'") as caught:
        complete(reconcile(["a", "b"], ["a", "b", "c"]), "org/model", ["a", "b", "c"])

    assert "another" in caught.value.hint or "choose a model" in caught.value.hint


def test_a_given_label_the_model_does_not_have_is_named_with_the_nearest() -> None:
    with pytest.raises(LabelMismatch, match="'LABEL_2'") as caught:
        reconcile(["LABEL_0", "LABEL_1"], ["a", "b"], {"LABEL_2": "a"})

    assert "Did you mean 'LABEL_" in caught.value.hint


def test_long_lists_are_cut() -> None:
    data = [f"intent {number}" for number in range(77)]

    with pytest.raises(LabelMismatch) as caught:
        complete(reconcile(["other"], data), "org/model", data)

    assert "and 57 more" in caught.value.message


def test_numbers_of_entailment_follow_the_data_sets_not_the_model() -> None:
    matches = reconcile(["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], ["0", "1", "2"])

    assert partners(matches, certain=False) == {"CONTRADICTION": "2", "NEUTRAL": "1", "ENTAILMENT": "0"}
