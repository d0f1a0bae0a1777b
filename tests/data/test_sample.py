"""The seeded draw."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.sample import draw
from core.errors import PlanError
from core.records import Sample

LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
SEED = st.integers(0, 2**32)


@given(LABELS, st.integers(1, 60), SEED, st.booleans())
def test_the_draw_is_seeded_ascending_without_repeats_and_of_the_asked_size(
    labels: list[str], size: int, seed: int, stratify: bool
) -> None:
    drawn = draw(labels, Sample(size, seed), stratify)

    assert drawn == draw(labels, Sample(size, seed), stratify)
    assert drawn == sorted(set(drawn))
    assert len(drawn) == min(size, len(labels))
    assert set(drawn) <= set(range(len(labels)))


@given(LABELS, st.integers(1, 60), SEED)
def test_every_label_gets_its_share_within_one_row(labels: list[str], size: int, seed: int) -> None:
    drawn = Counter(labels[position] for position in draw(labels, Sample(size, seed), True))

    for label, count in Counter(labels).items():
        assert abs(drawn[label] - min(size, len(labels)) * count / len(labels)) < 1


@given(LABELS, st.integers(1, 60), SEED, st.randoms())
def test_how_many_rows_a_label_gets_does_not_depend_on_their_order(
    labels: list[str], size: int, seed: int, random: object
) -> None:
    shuffled = list(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    sample = Sample(size, seed)

    one = Counter(labels[position] for position in draw(labels, sample, True))
    other = Counter(shuffled[position] for position in draw(shuffled, sample, True))

    assert one == other


def test_another_seed_draws_other_rows() -> None:
    labels = ["a", "b"] * 100

    assert draw(labels, Sample(20, seed=1), True) != draw(labels, Sample(20, seed=2), True)


def test_strata_can_be_turned_off_and_need_labels() -> None:
    labels = ["a"] * 99 + ["b"]

    assert draw(labels, Sample(50, 3, stratify=False), True) == draw(labels, Sample(50, 3), False)


def test_lists_of_references_are_drawn_from() -> None:
    assert len(draw([["x", "y"], ["z"], ["w"]], Sample(2), False)) == 2


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(PlanError, match="sample of 0"):
        draw(["a"], Sample(0), True)
