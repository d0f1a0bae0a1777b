from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog.license import CLASSES, allows, classify, expand


@pytest.mark.parametrize(
    ("tag", "license_class", "word"),
    [
        ("mit", "permissive", "notice"),
        ("apache-2.0", "permissive", "patent"),
        ("agpl-3.0", "copyleft", "network"),
        ("cc-by-sa-4.0", "copyleft", "same licence"),
        ("llama3.1", "restricted", "700 million"),
        ("openrail", "restricted", "restrictions"),
        ("cc-by-nc-4.0", "non-commercial", "Commercial use is not allowed"),
        ("other", "unknown", "own licence"),
        ("my-licence", "unknown", "read its text"),
        (None, "unknown", "names no licence"),
    ],
)
def test_a_licence_has_a_class_and_the_clause_that_decides_it(tag, license_class, word):
    facts = classify(tag)
    assert facts.license_class == license_class
    assert word in facts.clause


def test_every_known_tag_belongs_to_one_class():
    tags = expand(CLASSES)
    assert len(tags) == len(set(tags)) > 60
    assert all(classify(tag).license_class != "unknown" for tag in tags)


@given(st.sampled_from(expand(CLASSES)), st.sampled_from(["", "license:"]), st.booleans())
def test_case_blanks_and_the_hub_prefix_do_not_change_the_class(tag, prefix, upper):
    written = f" {prefix}{tag.upper() if upper else tag} "
    assert classify(written if prefix == "" or not upper else f" {prefix.upper()}{tag}") == classify(tag)


@given(st.text())
def test_any_text_has_a_class_and_never_fails(text):
    facts = classify(text)
    assert facts.license_class in CLASSES
    assert facts.clause
    assert allows((), text)


@given(
    st.lists(st.sampled_from([*CLASSES, "mit", "gpl-3.0", "own-terms"]), max_size=4), st.sampled_from(expand(CLASSES))
)
def test_a_tag_is_allowed_exactly_where_it_is_among_the_expanded_ones(wanted, tag):
    assert allows(wanted, tag) == (not wanted or tag in expand(wanted))


def test_models_without_a_licence_are_asked_for_as_unknown():
    assert allows(["unknown"], None)
    assert not allows(["permissive"], None)
