"""The tab that says what the differences are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.analysis import versus
from core.analysis.answer import difference_in_words, enough_rows_in_words
from core.analysis.wording import enumerate_words
from core.export.text import markdown
from pages._ui import cached
from pages._ui.compare import pictures

if TYPE_CHECKING:
    from core.analysis.ranking import Ranking
    from core.analysis.summary import Analysis
    from core.records import Limits


def show(run: str, limits: Limits) -> None:
    """Whether the rows suffice, who is tied, who differs from a baseline, and from every other."""
    analysis, ranking = cached.analysis(run), cached.ranking(run, limits)
    if len(analysis.finished) < 2:
        st.info("A second finished trial is needed for a comparison.", icon=":material/balance:")
        return
    left, right = st.columns([1, 2], gap="medium")
    with left:
        _enough(analysis, ranking)
        _tied(analysis, ranking)
    with right:
        names = {trial.id: trial.name for trial in analysis.finished}
        start = ranking.winner if ranking.winner in names else next(iter(names))
        baseline = st.selectbox(
            "Against", list(names), list(names).index(start), format_func=names.__getitem__, key=f"baseline_{run}"
        )
        pictures.show(run, limits, pictures.forest, baseline, alt="Differences to the baseline with intervals")
    with st.expander("Every pair", icon=":material/grid_on:", key="every_pair", on_change="rerun") as pairs:
        if pairs.open:
            st.caption(
                "The line's trial minus the column's. Colourless where chance may explain it (Holm over all pairs)."
            )
            pictures.show(run, limits, pictures.differences, alt="Differences of all pairs of trials")
    st.caption(
        "Paired by row. Right-or-wrong metrics: exact McNemar test, Newcombe's interval. Others: permutation test, "
        "bootstrap interval. p values are corrected by Holm over the comparisons shown."
    )


def _enough(analysis: Analysis, ranking: Ranking) -> None:
    st.markdown("**Are there enough rows?**")
    enough = versus.enough_rows(analysis, ranking)
    if enough is None:
        st.write("Only one trial is within the limits: there is nothing to tell it from.")
        return
    st.markdown(markdown(enough_rows_in_words(enough, analysis.headline)))
    if enough.detectable is not None:
        least = difference_in_words(enough.detectable, analysis.headline).lstrip("+")
        st.caption(f"With {enough.rows:,} rows a difference between these two shows from {least} on.")


def _tied(analysis: Analysis, ranking: Ranking) -> None:
    st.markdown("**Who is tied with the best?**")
    if len(ranking.tied) < 2:
        st.write("Nobody: all others are significantly worse.")
        return
    names = [markdown(analysis.trial(trial).name) for trial in ranking.tied]
    st.markdown(f"{enumerate_words(names)}: chance may explain that the best of them is ahead.")
    st.caption("Among these, the cheapest is chosen: latency first, then memory, then size.")
