"""What people said: the votes per trial, then one stream of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.export.text import markdown
from core.review import comments, visible, votes
from pages._ui.review.people import ICONS, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.records import Review

COLOURS = {"approve": "green", "reject": "red"}


def show(reviews: Sequence[Review], author: str, names: Mapping[str, str]) -> None:
    """Draw both. `names`: trial → name, in the order to show."""
    seen = visible(reviews, author)
    _votes(votes(reviews), votes(seen), names)
    st.markdown("**What was said**")
    said = comments(seen)
    if not said:
        st.caption("Nothing yet. A comment can be on the run, on a trial, or on a single row.")
    for review in said:
        word(review, names, link=True)


def _votes(
    cast: Mapping[str, Sequence[Review]], seen: Mapping[str, Sequence[Review]], names: Mapping[str, str]
) -> None:
    voted = [trial for trial in names if trial in cast]
    if not voted:
        return
    st.markdown("**Votes**")
    for trial in voted:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.text(names[trial])
            hidden = len(cast[trial]) - len(seen.get(trial, ()))
            for vote in seen.get(trial, ()):
                st.markdown(
                    f":{COLOURS[vote.verdict]}-badge[{ICONS[vote.verdict]} {markdown(vote.author)}]", width="content"
                )
            if hidden:
                st.caption(
                    f"{hidden} {'vote' if hidden == 1 else 'votes'}, shown after your own",
                    help="So that the first vote does not make the others.",
                    width="content",
                )
