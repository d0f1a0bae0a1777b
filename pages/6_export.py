"""Export: the choice leaves the house, to be run again, used, and shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.export import bundle
from core.export.text import markdown
from pages._ui import cached, frame
from pages._ui.export import cards, choice, travels

if TYPE_CHECKING:
    from core.records import Selection


def page(selection: Selection) -> None:
    chosen = choice.choose(selection)
    if chosen is None:
        return
    run = cached.run(chosen.run)
    with st.container(border=True, key="whole"):
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = ":material/draw:" if chosen.signed else ":material/edit_note:"
            st.markdown(f"{icon} {markdown(chosen.note)}", width="stretch")
            if not chosen.signed and st.button("Review and sign", icon=":material/how_to_vote:", key="to_review"):
                frame.go("review")
            st.download_button(
                "Download everything",
                lambda: cached.bundle(chosen.run, chosen.trial, chosen.limits),
                bundle.name(run, chosen.trial),
                "application/zip",
                type="primary",
                icon=":material/folder_zip:",
                on_click="ignore",
                key="download_all",
            )
        travels.show(run)
    left, right = st.columns(2, gap="medium")
    with left:
        cards.rerun(chosen)
    with right:
        cards.use(chosen)
    cards.share(chosen)


frame.run(page)
