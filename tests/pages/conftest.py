"""What every test of a page needs: an own store, and the page opened as a person would find it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.store import Store
from tests.conftest import REPO

SECONDS = 30


@pytest.fixture(autouse=True)
def _own_caches(home: object) -> Iterator[None]:
    """The store of a test is not the one of the test before."""
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """AppTest leaves the page behind as `__main__`, where a process that a later test spawns would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def store() -> Iterator[Store]:
    """The store that the page under test opens too."""
    opened = Store()
    yield opened
    opened.close()


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """`open_page("5_review", selection=…, trial=…)`: that page alone, run once, with these in its address."""

    def open_(page: str, **address: str) -> AppTest:
        app = AppTest.from_file(str(REPO / "pages" / f"{page}.py"), default_timeout=SECONDS)
        app.session_state["_framed"] = True
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return open_


@pytest.fixture
def gone_to(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that were opened; a page alone cannot open another."""
    opened: list[str] = []

    def switch_page(path: str, **_: object) -> None:
        opened.append(path.rpartition("/")[2])
        st.stop()

    monkeypatch.setattr(st, "switch_page", switch_page)
    return opened


@pytest.fixture
def words() -> Callable[[AppTest], str]:
    """Everything the page says, as one text."""
    kinds = ("title", "subheader", "markdown", "caption", "text", "code", "info", "warning", "error", "success")

    def words_(app: AppTest) -> str:
        return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))

    return words_
