"""The tab on mistakes: which labels a trial mixes up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.analysis import classes
from core.analysis.wording import quality
from pages._ui import cached
from pages._ui.compare import pictures

if TYPE_CHECKING:
    from core.records import Limits


def show(run: str, limits: Limits) -> None:
    """Confusion matrix and per-class scores of one trial."""
    analysis, ranking = cached.analysis(run), cached.ranking(run, limits)
    names = {id: analysis.trial(id).name for id in ranking.order if len(analysis.trial(id).positions)}
    if not names:
        st.info("No trial has answered a row yet.", icon=":material/hourglass_empty:")
        return
    trial = st.selectbox("Trial", list(names), format_func=names.__getitem__, key=f"errors_of_{run}")
    matrix, per_class = classes.confusion(analysis, trial), classes.per_class(analysis, trial)
    if matrix is None and per_class:
        _per_class(per_class)
        threshold = classes.best_threshold(analysis, trial)
        if threshold is not None:
            st.caption(f"Over all these rows F1 is highest at `threshold: {threshold:g}`.")
        return
    if matrix is None:
        st.info(
            f"{analysis.task.title} has no classes to mix up. Read the answers themselves under Rows.",
            icon=":material/menu_book:",
        )
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        pictures.show(run, limits, pictures.confusion, trial, alt=f"Confusion matrix of {names[trial]}")
    with right:
        _per_class(per_class)
        mistakes = classes.most_confused(matrix)
        if mistakes:
            st.markdown("**Commonest mistakes**")
            st.dataframe(
                pd.DataFrame(mistakes, columns=["reference", "answer", "rows"]),
                hide_index=True,
                column_config={
                    "reference": st.column_config.TextColumn("Reference"),
                    "answer": st.column_config.TextColumn("Answered as"),
                    "rows": st.column_config.NumberColumn("Rows", format="localized"),
                },
            )


def _per_class(rows: list[classes.ClassRow]) -> None:
    st.markdown("**Per label**")
    table = pd.DataFrame(rows)
    shown = table.style.format(quality, subset=["precision", "recall", "f1"])
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "label": st.column_config.TextColumn("Label", pinned=True),
            "support": st.column_config.NumberColumn("References", help="How often it is right."),
            "predicted": st.column_config.NumberColumn("Answers", help="How often the model gave it."),
            "precision": st.column_config.NumberColumn("Precision"),
            "recall": st.column_config.NumberColumn("Recall"),
            "f1": st.column_config.NumberColumn("F1"),
        },
    )
