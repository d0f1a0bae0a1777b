"""One card per use of an export: what it is for, a preview to read or copy, and the file."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.errors import UserError
from pages._ui import cached, frame

if TYPE_CHECKING:
    from pages._ui.export.choice import Choice

HEIGHT = 340
LANGUAGES = {"plan": "yaml", "script": "python", "md": "markdown", "json": "json", "csv": None, "predictions": None}
SHARED = ("html", "md", "csv", "predictions", "json")
MOST_LINES = 200


def rerun(choice: Choice) -> None:
    """The pinned plan."""
    _card(choice, "plan", "Re-run it", ":material/replay:")


def use(choice: Choice) -> None:
    """The script."""
    _card(choice, "script", "Use it", ":material/terminal:")


def share(choice: Choice) -> None:
    """The report, in the form that is wanted."""
    with st.container(border=True, key="card_share"):
        _title("Share it", ":material/ios_share:")
        name = st.segmented_control(
            "Form",
            SHARED,
            default=SHARED[0],
            format_func=lambda name: registry.format(name).title,
            required=True,
            key="form",
            bind="query-params",
            label_visibility="collapsed",
        )
        _file(choice, name)


def _card(choice: Choice, name: str, title: str, icon: str) -> None:
    with st.container(border=True, key=f"card_{name}"):
        _title(title, icon)
        _file(choice, name)


def _title(title: str, icon: str) -> None:
    st.markdown(f"{icon} **{title}**")


def _file(choice: Choice, name: str) -> None:
    """Description, preview and download of one format."""
    format = registry.format(name)
    st.caption(format.description)
    try:
        content = cached.exported(choice.run, choice.trial, name, choice.limits)
    except UserError as error:
        frame.show_error(error)
        return
    if name == "html":
        _page(content)
    else:
        _text(content.decode(), LANGUAGES[name])
    st.download_button(
        format.filename,
        content,
        format.filename,
        format.media_type,
        icon=":material/download:",
        on_click="ignore",
        key=f"download_{name}",
    )


def _page(content: bytes) -> None:
    """The report as it looks. A `data:` address has no origin: nothing in it could reach the app."""
    st.iframe(f"data:text/html;charset=utf-8;base64,{base64.b64encode(content).decode()}", height=2 * HEIGHT)


def _text(text: str, language: str | None) -> None:
    lines = text.splitlines()
    st.code("\n".join(lines[:MOST_LINES]), language=language, height=HEIGHT)
    if len(lines) > MOST_LINES:
        st.caption(f"The first {MOST_LINES} of {len(lines):,} lines. The file has all.")
