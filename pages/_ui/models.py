"""Models as people compare them before a trial: the table of a search, the facts of one, the shortlist."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core import registry
from core.analysis import wording
from core.catalog.fit import fits, model_mb
from core.catalog.license import classify
from core.errors import UserError
from core.export.text import markdown
from core.records import Variant
from pages._ui import cached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.records import Candidate, ModelQuery

HUB = "https://huggingface.co/"
_FITS = {"yes": "✓ fits", "tight": "~ tight", "no": "✗ no", "unknown": "–"}


def machine() -> dict[str, float | None]:
    """Device → memory in MB."""
    return {device.name: device.memory_mb for device in cached.devices()}


def frame(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """One line per model, typed, in the order given."""
    memory = machine()
    return pd.DataFrame(
        [
            {
                "model": one.id,
                "can run": "✗ refused" if one.blocked else _FITS[fits(one, Variant(), memory).verdict],
                "parameters": one.parameters,
                "download": None if one.download_bytes is None else one.download_bytes / 1e6,
                "licence": f"{one.license or '?'} · {one.license_class}",
                "gated": one.gated,
                "downloads": one.downloads,
                "likes": one.likes,
                "updated": pd.to_datetime(one.updated, utc=True, errors="coerce"),
                "languages": ", ".join(one.languages[:4]),
                "reported": one.reported[0].value if one.reported else None,
                "page": HUB + one.id if one.source == "hub" else None,
            }
            for one in candidates
        ]
    )


COLUMNS = {
    "model": st.column_config.TextColumn("Model", width=265),
    "can run": st.column_config.TextColumn(
        "Fits here", help="At float32 in this machine's memory; a refused model names the rule when ticked."
    ),
    "parameters": st.column_config.NumberColumn("Parameters", format="compact"),
    "download": st.column_config.NumberColumn("Download", format="%.1f MB"),
    "licence": st.column_config.TextColumn("Licence"),
    "gated": st.column_config.CheckboxColumn("Gated", help="Its owner wants terms accepted first.", width="small"),
    "downloads": st.column_config.NumberColumn("Downloads", format="compact", help="On the Hub, last 30 days."),
    "likes": st.column_config.NumberColumn("Likes", format="compact"),
    "updated": st.column_config.DatetimeColumn("Updated", format="distance"),
    "languages": st.column_config.TextColumn("Languages"),
    "reported": st.column_config.NumberColumn(
        "Reported", format="%.3f", help="First score on the model's card. Not measured here."
    ),
    "page": st.column_config.LinkColumn("Page", display_text="open", width="small"),
}


def columns(source: str) -> list[str]:
    """The columns worth showing: only the Hub counts downloads and likes."""
    return [name for name in COLUMNS if source == "hub" or name not in ("page", "downloads", "likes")]


def with_all_facts(candidate: Candidate) -> Candidate:
    """The candidate with what a search does not tell; where its owner or the Hub says no, with that as the reason."""
    try:
        return cached.describe(candidate.source, candidate.id, candidate.revision)
    except UserError as error:
        return dataclasses.replace(candidate, blocked=f"{error.message} {error.hint}")


def in_words(count: int, title: str, query: ModelQuery) -> str:
    """What was found, as a sentence."""
    found = f"**{count} {'model' if count == 1 else 'models'}** from {markdown(title)}"
    if count == query.limit:
        found = f"**The first {count} models** from {markdown(title)}"
    parts = [f"for {registry.task(query.task).title.lower()}" if query.task else "for any task"]
    if query.text:
        parts.append(f"with “{markdown(query.text)}” in the name")
    if query.licenses:
        parts.append(f"{' or '.join(query.licenses)} licence")
    if query.min_params or query.max_params:
        low = wording.count(query.min_params) if query.min_params else "0"
        high = wording.count(query.max_params) if query.max_params else "any size"
        parts.append(f"{low}–{high} parameters")
    if query.languages:
        parts.append(f"in {markdown(', '.join(query.languages))}")
    if query.gated is False:
        parts.append("open to all")
    return f"{found} {', '.join(parts)}."


def facts(candidate: Candidate) -> None:
    """The facts of one model, each with its origin."""
    licence = classify(candidate.license)
    fit = fits(candidate, Variant(), machine())
    if candidate.blocked:
        st.error(markdown(candidate.blocked), icon=":material/block:")
    lines = [
        ("Parameters", _parameters(candidate), _origin(candidate, "parameters")),
        ("Download", wording.file_size(candidate.download_bytes), _origin(candidate, "download_bytes")),
        ("On disk", _on_disk(candidate), "computed"),
        ("Fits here", fit.reason, "estimated"),
        ("Memory of the model", _memory(candidate), "estimated"),
        ("Licence", f"{candidate.license or 'none given'}: {licence.license_class}. {licence.clause}", "reported"),
        ("Architecture", candidate.architecture or wording.NOTHING, "computed"),
        ("Weights", ", ".join(candidate.formats) or wording.NOTHING, "computed"),
        ("Labels", ", ".join(candidate.labels[:12]) or wording.NOTHING, "computed"),
        ("Languages", ", ".join(candidate.languages) or wording.NOTHING, "reported"),
        ("Trained on", ", ".join(candidate.datasets) or "not said", "reported"),
        ("Derived from", candidate.base_model or "not said", "reported"),
        ("Scores", ", ".join(f"{one.metric} {one.value:g}" for one in candidate.reported) or "none", "reported"),
        ("Revision", (candidate.revision or wording.NOTHING)[:12], "computed"),
    ]
    # Cells of st.table are Markdown, and most of these words are of the model's owner.
    table = pd.DataFrame([(fact, markdown(value), origin) for fact, value, origin in lines])
    st.table(table.set_axis(["Fact", "", "Origin"], axis=1), hide_index=True, border="horizontal")


def _parameters(candidate: Candidate) -> str:
    """22.7 M, of which 11.9 M (52 %) in tables of words and positions."""
    parts = [wording.count(candidate.parameters)]
    tables, active = candidate.embedding_parameters, candidate.active_parameters
    if tables and candidate.parameters:
        share = tables / candidate.parameters
        parts.append(f"of which {wording.count(tables)} ({share:.0%}) in tables of words and positions")
    if active is not None:
        parts.append(f"{wording.count(active)} used for a token (mixture of experts)")
    return ", ".join(parts)


def _on_disk(candidate: Candidate) -> str:
    return "not here yet" if candidate.disk_bytes is None else wording.file_size(candidate.disk_bytes)


def _memory(candidate: Candidate) -> str:
    """What a trial is predicted to measure, so that the two can be compared."""
    needed = model_mb(candidate, Variant())
    return "not known" if needed is None else f"about {wording.megabytes(needed)} at float32, besides the runtime"


def _origin(candidate: Candidate, field: str) -> str:
    return candidate.origins.get(field, "reported")


def total(candidates: Sequence[Candidate], what: str) -> str:
    """3 selected · 412 MB to download."""
    size = sum(one.download_bytes or 0 for one in candidates if one.source == "hub")
    return f"{len(candidates)} {what}" + (f" · {wording.file_size(size)} to download" if size else "")
