"""Windows over long sentences: nothing is lost, nothing is too long, every word has its best place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.tasks.windows import OVERLAP, windows

sizes_and_rooms = st.tuples(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 20))


@given(sizes_and_rooms)
def test_every_word_is_owned_by_one_window_that_shows_it(case: tuple[list[int], int]) -> None:
    sizes, room = case
    found = windows(sizes, room)
    assert sorted(word for window in found for word in window.owned) == list(range(len(sizes)))
    assert all(window.start <= word < window.stop for window in found for word in window.owned)


@given(sizes_and_rooms)
def test_no_window_is_too_long_unless_a_single_word_is(case: tuple[list[int], int]) -> None:
    sizes, room = case
    for window in windows(sizes, room):
        assert sum(sizes[window.start : window.stop]) <= room or window.stop - window.start == 1


@given(sizes_and_rooms)
def test_a_word_stands_where_most_is_on_both_sides_of_it(case: tuple[list[int], int]) -> None:
    sizes, room = case
    found = windows(sizes, room)

    def context(word: int, window: object) -> float:
        left = sum(sizes[window.start : word]) if window.start else float("inf")
        right = sum(sizes[word + 1 : window.stop]) if window.stop < len(sizes) else float("inf")
        return min(left, right)

    for window in found:
        for word in window.owned:
            assert context(word, window) == max(
                context(word, other) for other in found if other.start <= word < other.stop
            )


def test_what_fits_is_one_window() -> None:
    (only,) = windows([1, 2, 3], 6)
    assert (only.start, only.stop, only.owned) == (0, 3, (0, 1, 2))


def test_neighbours_share_a_quarter() -> None:
    first, second, *_ = windows([1] * 100, 20)
    assert (first.start, first.stop, second.start) == (0, 20, 20 - 20 // OVERLAP)


def test_a_word_that_is_longer_than_a_window_has_one_to_itself() -> None:
    assert [(window.start, window.stop) for window in windows([2, 30, 2], 8)] == [(0, 1), (1, 2), (2, 3)]


def test_twenty_thousand_tokens_take_few_windows() -> None:
    assert len(windows([1] * 20_000, 510)) < 54
