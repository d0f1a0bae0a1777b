"""Models that write: when the first token comes, and how fast the others do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core.analysis import writing
from core.analysis.wording import NOTHING, three_digits
from core.export.text import markdown
from pages._ui import cached

if TYPE_CHECKING:
    from core.analysis.intervals import Interval
    from core.records import Limits


def show(run: str, limits: Limits, batch_size: int) -> None:
    """A line per trial; nothing where none writes."""
    found = writing.table(cached.analysis(run), cached.ranking(run, limits), batch_size)
    if found is None:
        return
    st.markdown("**When the words come**, with 95 % intervals", help=writing.WORDS)
    table = pd.DataFrame([_line(row) for row in found.rows])
    empty = [name for name in table.columns if (table[name] == NOTHING).all()]
    st.dataframe(table.drop(columns=empty), hide_index=True, column_config=_columns(found.against))


def _line(row: writing.WritingRow) -> dict[str, str]:
    wrote = row.writing
    tail = wrote.first_token_ms.get(95)
    return {
        "trial": row.name,
        "first": _between(wrote.first_token_ms[50]),
        "tail": _between(tail) if tail else NOTHING,
        "token": _between(wrote.token_ms),
        "tokens": three_digits(wrote.tokens_per_row),
        "speed": _between(wrote.tokens_per_second),
        "fixed": NOTHING if math.isnan(wrote.fixed_tokens) else f"{wrote.fixed_tokens:.4g}",
        "beside": _between(row.beside),
    }


def _between(interval: Interval) -> str:
    """The value, and its interval where there are calls enough for one."""
    value = three_digits(interval.value)
    if math.isnan(interval.low) or math.isnan(interval.high):
        return value
    return f"{value} ({three_digits(interval.low)}–{three_digits(interval.high)})"


def _columns(against: str) -> dict[str, Any]:
    def text(title: str, help: str) -> Any:
        return st.column_config.TextColumn(title, alignment="right", help=help)

    return {
        "trial": st.column_config.TextColumn("Trial", width="medium", pinned=True),
        "first": text("First token (ms)", "Median, from the start of a request, preprocessing included."),
        "tail": text("First token, p95 (ms)", "95 of 100 requests wait no longer. From 100 calls on."),
        "token": text("Each further token (ms)", "(Last token − first token) / (tokens − 1), median of the calls."),
        "tokens": text("Tokens a row", "On average, where each model writes as much as it likes."),
        "speed": text(
            "Tokens/s at a fixed length", "Of whole calls, all rows of a call together; median of the calls."
        ),
        "fixed": text("That length (tokens)", "Less than the plan says where a model has no room for it."),
        "beside": text(
            f"Speed, × {markdown(against)}",
            "Its tokens per second over those of that trial, on the same requests by turns.",
        ),
    }
