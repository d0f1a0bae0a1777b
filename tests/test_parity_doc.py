"""docs/parity.md says what the libraries say, today."""

from __future__ import annotations

import pytest

from tests import parity


@pytest.mark.parametrize("case", parity.CASES, ids=lambda case: f"{case.metric}-{case.library}")
def test_our_value_is_the_librarys(case: parity.Case) -> None:
    ours, theirs = parity.both(case)
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_page_holds_these_values() -> None:
    assert parity.PAGE.read_text(encoding="utf-8") == parity.document(), "run python -m tests.parity --write"
