"""The labels of the rows, counted and named, and what each candidate calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import registry
from core.analysis.wording import enumerate_words, model_names
from core.data import label_counts, label_tables
from core.export.text import markdown
from core.tasks.base import reference_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.data import LabelTable, Loaded
    from core.records import Candidate, Selection

OPEN = "none"
_RED = "background-color: rgba(213, 94, 0, 0.28)"
_AMBER = "background-color: rgba(230, 159, 0, 0.22)"


def names(rows: Loaded, kept: Mapping[str, str], key: str) -> dict[str, str]:
    """How many rows each label has, and another name for it where its own says nothing: value → name."""
    declared = {name: value for value, name in rows.spec.labels.items()}
    counts = label_counts(rows.evalset.references, reference_column(registry.task(rows.evalset.task)).kind)
    values = [declared.get(label, label) for label in counts]
    before = [kept.get(value, label) for value, label in zip(values, counts, strict=True)]
    table = pd.DataFrame({"Value": values, "Rows": list(counts.values()), "Name": before})
    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=["Value", "Rows"],
        column_config={
            "Rows": st.column_config.ProgressColumn(format="%d", min_value=0, max_value=max(counts.values())),
            "Name": st.column_config.TextColumn(help="Two values with the same name count as one label."),
        },
        key=f"names_{key}",
        height=min(320, 38 + 35 * len(table)),
        alt="Rows per label",
    )
    given = {
        value: name.strip()
        for value, name in zip(values, edited["Name"], strict=True)
        if isinstance(name, str) and name.strip()
    }
    changed = {value: name for value, name in given.items() if name != rows.spec.labels.get(value, value)}
    return {**rows.spec.labels, **changed} if changed else {}


def match(selection: Selection, candidates: Sequence[Candidate], dataset_labels: Sequence[str]) -> list[LabelTable]:
    """What each candidate's labels stand for, with what was confirmed on this page."""
    key = f"labels_of_{selection.id}"
    given = st.session_state.get(key, selection.labels)
    task = registry.task(str(selection.task))
    tables = label_tables(candidates, dataset_labels, given, task)
    dataset_labels = task.wanted_labels(dataset_labels)
    titles = model_names([candidate.id for candidate in candidates])
    st.markdown(_in_words(tables, len(dataset_labels)))
    _matrix(tables, titles, dataset_labels)
    _proposals(tables, titles, given, key)
    _editor(tables, titles, dataset_labels, given, key)
    return tables


def forget(selection: Selection) -> None:
    """From now on the selection itself says what was confirmed."""
    st.session_state.pop(f"labels_of_{selection.id}", None)


def _in_words(tables: Sequence[LabelTable], labels: int) -> str:
    ready = sum(not table.missing for table in tables)
    models, know = ("model", "knows") if len(tables) == 1 else ("models", "know")
    if ready == len(tables):
        who = f"All {ready} models" if ready > 1 else "The model"
        return f":green[:material/check_circle:] **{who} {know} the {labels} labels.**"
    return (
        f":orange[:material/warning:] **{ready} of {len(tables)} {models} {know} all {labels} labels.** "
        "The others cannot run before each label has a partner."
    )


def _matrix(tables: Sequence[LabelTable], titles: Mapping[str, str], dataset_labels: Sequence[str]) -> None:
    """Data set labels down, candidates across; what is open is red, what waits for a word is amber."""
    table = pd.DataFrame(
        {titles[one.candidate]: [_cell(one, label) for label in dataset_labels] for one in tables},
        index=pd.Index(dataset_labels, name="Label of the rows"),
    )
    st.dataframe(
        table.style.map(_colour),
        height=min(320, 38 + 35 * len(table)),
        alt="What each candidate calls each label of the rows",
    )


def _cell(table: LabelTable, label: str) -> str:
    partners = table.partners(label)
    if not partners:
        return OPEN
    words = " / ".join(match.model_label for match in partners)
    return words if any(match.certain for match in partners) else f"{words} ?"


def _colour(cell: str) -> str:
    if cell == OPEN:
        return _RED
    return _AMBER if cell.endswith(" ?") else ""


def _proposals(
    tables: Sequence[LabelTable], titles: Mapping[str, str], given: Mapping[str, Mapping[str, str]], key: str
) -> None:
    """What is likely but not certain: it holds once a person has said so."""
    waiting = [table for table in tables if table.missing and table.proposed]
    if not waiting:
        return
    accepted: list[LabelTable] = []
    with st.container(border=True, key="proposals"):
        st.markdown(
            ":orange[:material/help:] **Likely, but a wrong order gives wrong scores.** Check before you accept."
        )
        for table in waiting:
            pairs = [f"{markdown(one.model_label)} → {markdown(one.dataset_label)}" for one in table.proposed]
            reasons = enumerate_words(list(dict.fromkeys(one.reason for one in table.proposed)))
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(
                    f"**{markdown(titles[table.candidate])}**: {', '.join(pairs)} :gray[({markdown(reasons)})]",
                    width="stretch",
                )
                if st.button("Accept", icon=":material/check:", key=f"accept_{table.candidate}"):
                    accepted = [table]
        if len(waiting) > 1 and st.button("Accept all", icon=":material/done_all:", key="accept_all"):
            accepted = waiting
    if accepted:
        st.session_state[key] = {**given, **{table.candidate: table.accepted() for table in accepted}}
        st.rerun()


def _editor(
    tables: Sequence[LabelTable],
    titles: Mapping[str, str],
    dataset_labels: Sequence[str],
    given: Mapping[str, Mapping[str, str]],
    key: str,
) -> None:
    by_name = {titles[table.candidate]: table for table in tables}
    unmatched = [name for name, table in by_name.items() if table.missing]
    with st.expander("Match labels by hand", icon=":material/edit:", expanded=False):
        names = list(by_name)
        name = st.selectbox("Model", names, names.index(unmatched[0]) if unmatched else 0, key=f"match_{key}")
        table = by_name[name]
        if not table.matches:
            st.info("This model does not say which labels it gives, so none can be matched.", icon=":material/block:")
            return
        before = [match.dataset_label for match in table.matches]
        edited = st.data_editor(
            pd.DataFrame(
                {
                    "The model says": [match.model_label for match in table.matches],
                    "which stands for": pd.Series(before, dtype=object),
                    "Reason": [
                        match.reason if match.certain else f"{match.reason} (not confirmed)" for match in table.matches
                    ],
                }
            ),
            hide_index=True,
            disabled=["The model says", "Reason"],
            column_config={
                "which stands for": st.column_config.SelectboxColumn(options=list(dataset_labels)),
                "Reason": st.column_config.TextColumn(width="large"),
            },
            key=f"match_{table.candidate}_{hash(tuple(before))}_{hash(tuple(table.mapping))}",
        )
        after = [value if isinstance(value, str) else None for value in edited["which stands for"]]
        if after != before:
            changed = {
                match.model_label: label
                for match, old, label in zip(table.matches, before, after, strict=True)
                if label is not None and (match.certain or label != old)
            }
            st.session_state[key] = {**given, table.candidate: changed}
            st.rerun()
