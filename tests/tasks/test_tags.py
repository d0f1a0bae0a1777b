"""Schemes of tags: whatever a model writes, the same entities come out as IOB2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from core.tasks.tags import entity_types, iob2, split_labels

KINDS = ("PER", "LOC")


def converted(labels: list[str], tags: list[str]) -> list[str]:
    split = split_labels(labels)
    return ["O" if prefix == "O" else f"{prefix}-{kind}" for prefix, kind in iob2([split[tag] for tag in tags])]


def labels(prefixes: str) -> list[str]:
    return ["O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in prefixes)]


SCHEMES = {
    "IOB2": ("BI", "B-PER I-PER B-PER O B-LOC I-LOC"),
    "IOB1": ("BI", "I-PER I-PER B-PER O I-LOC I-LOC"),
    "inner alone": ("I", "I-PER I-PER I-PER O I-LOC I-LOC"),
    "BIOES": ("BIES", "B-PER E-PER S-PER O B-LOC E-LOC"),
    "BILOU": ("BILU", "B-PER L-PER U-PER O B-LOC L-LOC"),
    "BMES": ("BMES", "B-PER E-PER S-PER O B-LOC E-LOC"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_becomes_iob2(scheme: str) -> None:
    prefixes, tags = SCHEMES[scheme]
    second = "I-PER" if scheme == "inner alone" else "B-PER"
    assert converted(labels(prefixes), tags.split()) == ["B-PER", "I-PER", second, "O", "B-LOC", "I-LOC"]


def test_a_run_of_a_plain_tag_is_one_entity() -> None:
    assert converted(["O", "PER", "LOC"], ["PER", "PER", "LOC", "O", "LOC"]) == [
        "B-PER", "I-PER", "B-LOC", "O", "B-LOC"
    ]  # fmt: skip


def test_long_entities_of_bioes_stay_whole() -> None:
    tags = ["B-PER", "I-PER", "I-PER", "E-PER", "B-PER", "E-PER"]
    assert converted(labels("BIES"), tags) == ["B-PER", "I-PER", "I-PER", "I-PER", "B-PER", "I-PER"]


@given(st.lists(st.sampled_from(labels("BIES")), max_size=12))
def test_entities_are_those_that_seqeval_sees(tags: list[str]) -> None:
    assert get_entities(converted(labels("BIES"), tags)) == get_entities(tags)


@given(st.lists(st.sampled_from(labels("BILU")), max_size=12))
def test_bilou_is_bioes_by_other_letters(tags: list[str]) -> None:
    other = [tag.replace("L-", "E-").replace("U-", "S-") for tag in tags]
    assert converted(labels("BILU"), tags) == converted(labels("BIES"), other)


@given(st.lists(st.sampled_from([*labels("BI"), "PLAIN"]), max_size=12))
def test_what_comes_out_is_iob2_already(tags: list[str]) -> None:
    once = converted([*labels("BI"), "PLAIN"], tags)
    assert converted([*labels("BI"), "B-PLAIN", "I-PLAIN"], once) == once
    for before, tag in zip(["O", *once], once, strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_types_come_in_order_of_first_appearance_and_without_o() -> None:
    assert entity_types(["O", "B-LOC", "B-PER", "I-LOC", "I-PER"]) == ("LOC", "PER")
    assert entity_types(["LOC", "O", "PER"]) == ("LOC", "PER")
    assert entity_types(["B_ORG", "I_ORG", "O"]) == ("ORG",)
    assert entity_types(["O"]) == entity_types([]) == ()


def test_a_type_may_contain_hyphens_and_look_like_a_prefix() -> None:
    assert entity_types(["O", "B-ORG-GOV", "I-ORG-GOV"]) == ("ORG-GOV",)
    assert entity_types(["O", "E-MAIL", "PHONE", "NAME"]) == ("E-MAIL", "PHONE", "NAME")


def test_prefixes_without_a_type_have_the_type_that_seqeval_gives_them() -> None:
    assert entity_types(["B", "I", "O"]) == ("_",)
    assert get_entities(converted(["B", "I", "O"], ["B", "I", "O", "I"])) == get_entities(["B", "I", "O", "I"])


def test_plain_labels_among_prefixed_ones_are_types_of_their_own() -> None:
    assert split_labels(["O", "B-PER", "I-PER", "[CLS]"])["[CLS]"] == ("I", "[CLS]")
