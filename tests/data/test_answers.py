"""Cells as other programs write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.answers import answer, listed

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(TEXT | st.integers() | st.decimals(-1000, 1000, places=2).map(float), max_size=6))
def test_lists_that_pandas_saved_as_text_are_read_back(values: list[Any]) -> None:
    assert listed(str(values)) == values


@pytest.mark.parametrize(
    "text",
    ["['a' 'b']", "[sic] he said", "['a', b]", "['a'] and ['b']", "[01]", r"['\x']", "[" * 100_000, "__import__"],
)
def test_what_is_no_list_stays_a_text(text: str) -> None:
    assert listed(text) == text


@pytest.mark.parametrize("cell", ["1_0", 10**400, "1e999", "nan", "1,5", True, ""])
def test_what_is_no_number_is_none(cell: Any) -> None:
    assert answer("number", cell, {}) is None
