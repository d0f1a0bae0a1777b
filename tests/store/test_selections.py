from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import UnknownName, UserError
from core.records import DatasetSpec, Decision, Limits, Review
from core.store import Store
from tests.store.samples import candidate, evalset


def test_a_selection_comes_back_as_it_was_saved(store: Store) -> None:
    made = store.create_selection(" ticket router ", task="text-classification", example=True)
    assert made.name == "ticket router"
    changed = replace(
        made,
        dataset=DatasetSpec(path="rows.csv", columns={"text": 0, "label": "y"}),
        labels={"org/a": {"LABEL_0": "negative"}},
        limits=Limits(min_metrics={"f1": 0.8}),
    )
    store.save_selection(changed)
    assert store.selection(made.id) == changed
    assert store.selections() == [changed]


def test_a_selection_without_a_name_is_refused(store: Store) -> None:
    with pytest.raises(UserError, match="needs a name"):
        store.create_selection("  ")


def test_an_unknown_selection_is_named_with_the_nearest_one(store: Store) -> None:
    known = store.create_selection("one")
    mistyped = known.id[:-1] + "x"
    with pytest.raises(UnknownName, match=mistyped) as raised:
        store.selection(mistyped)
    assert known.id in raised.value.hint
    with pytest.raises(UnknownName):
        store.save_selection(replace(known, id="gone"))
    with pytest.raises(UnknownName):
        store.add_candidate("gone", candidate())


def test_the_shortlist_keeps_the_order_in_which_candidates_were_added(store: Store) -> None:
    selection = store.create_selection("one").id
    other = store.create_selection("two").id
    for model in ("org/z", "org/a", "org/m"):
        store.add_candidate(selection, candidate(model))
    store.add_candidate(other, candidate("org/x"))
    newer = replace(candidate("org/z"), downloads=9, origins={"parameters": "computed"})
    store.add_candidate(selection, newer)
    store.remove_candidate(selection, "org/a")
    store.remove_candidate(selection, "org/never-there")
    assert store.shortlist(selection) == [newer, candidate("org/m")]


def test_rows_come_back_whole_and_saving_them_twice_is_harmless(store: Store) -> None:
    store.save_evalset(evalset())
    store.save_evalset(evalset())
    assert store.evalset(evalset().id) == evalset()


def test_rows_that_are_not_there_say_what_to_do(store: Store) -> None:
    with pytest.raises(UserError, match="no rows 'x'") as raised:
        store.evalset("x")
    assert "Data page" in raised.value.hint


def test_reviews_come_back_in_the_order_they_were_written(store: Store) -> None:
    selection = store.create_selection("one").id
    said = [
        Review(f"id{number}", selection, "Åsa", "comment", f"word {number}", created="2026-01-01", row="r1")
        for number in (2, 1, 3)
    ]
    for review in said:
        store.add_review(review)
    assert store.reviews(selection) == said
    with pytest.raises(UnknownName):
        store.add_review(replace(said[0], id="new", selection="gone"))


def test_a_version_of_a_decision_is_signed_once(store: Store) -> None:
    selection = store.create_selection("one").id
    first = Decision(selection, 1, "run", "trial", "Åsa", "cheapest", {"metrics": [0.5, None]}, "2026-01-01")
    second = replace(first, version=2, trial="other")
    store.add_decision(first)
    with pytest.raises(UserError, match="Version 1 of this decision has been signed"):
        store.add_decision(replace(first, author="Bo"))
    store.add_decision(second)
    assert store.decisions(selection) == [first, second]
