"""What leaves the house with the bundle, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core import registry
from core.export.bundle import left_behind

if TYPE_CHECKING:
    from core.records import RunResult


def show(run: RunResult) -> None:
    """The files of the bundle, then what stays on this machine."""
    title = "What travels in the bundle, and what does not"
    with st.expander(title, icon=":material/luggage:"), st.container(gap="xsmall"):
        for format in registry.formats().values():
            st.markdown(f"`{format.filename}` {format.description}")
        rows = f"{len(run.evalset.ids):,} rows"
        st.markdown(f":material/warning: **Your data travels**: the {rows}, with their texts, are in the bundle.")
        st.markdown(":material/block: **Weights do not**: models of the Hub are fetched at their pinned revisions.")
        for model, folder in left_behind(run).items():
            st.text(f"{model} lies only on this machine, in {folder}: copy that folder along.")
