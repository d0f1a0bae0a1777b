"""People's words and signatures, shown as they were written: never as Markdown, never as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.analysis.wording import ago, moment
from core.export.text import markdown
from pages._ui import frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.records import Decision, Review

ICONS = {"approve": ":material/thumb_up:", "reject": ":material/thumb_down:", "comment": ":material/chat_bubble:"}
VERBS = {"approve": "approves", "reject": "rejects", "comment": "on"}


def name() -> str:
    """The name that this session speaks with."""
    typed = st.text_input(
        "Your name", key="author", persist_state="session", placeholder="Stands beside what you say and sign"
    )
    return typed or ""


def word(review: Review, names: Mapping[str, str], link: bool = False) -> None:
    """One entry: who, on what, when, and the text.

    Args:
        review: The entry.
        names: Trial → name.
        link: Whether a row in it can be opened.
    """
    with st.chat_message(review.author, avatar=ICONS[review.verdict]), st.container(gap="xxsmall"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**{markdown(review.author)}**", width="content")
            st.caption(markdown(_subject(review, names)), width="content")
            st.caption(ago(review.created), help=moment(review.created), width="content")
            if (
                link
                and review.row is not None
                and st.button(
                    f"Row {markdown(review.row)}",
                    icon=":material/open_in_new:",
                    type="tertiary",
                    key=f"row_{review.id}",
                )
            ):
                frame.go("compare", {"tab": "Rows", "filter": "all", "row": review.row})
        if review.text:
            st.text(review.text)


def signed_line(decision: Decision) -> None:
    """Who signed, and when."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f":green-badge[:material/draw: Version {decision.version}]", width="content")
        st.markdown(f"signed by **{markdown(decision.author)}**", width="content")
        st.caption(ago(decision.created), help=moment(decision.created), width="content")


def _subject(review: Review, names: Mapping[str, str]) -> str:
    if review.trial is None:
        about = "the run"
    else:
        about = names.get(review.trial, f"a trial of another run ({review.trial[:8]})")
    return f"{VERBS[review.verdict]} {about}"
