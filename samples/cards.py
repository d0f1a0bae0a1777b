"""Model cards as the Hub has them, and the table of the samples' README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from samples.classifiers import Classifier
from samples.summarizers import Summarizer

TABLE_START, TABLE_END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Measured:
    """What `samples.make` found out about one saved model."""

    spec: Classifier | Summarizer
    metric: str
    parameters: int
    weight_bytes: int
    reported: float
    """On tickets like those it was trained on: what its card claims."""
    measured: float
    """On the evaluation file."""


def write_card(measured: Measured, models: Path) -> None:
    """Writes the README.md of one model."""
    spec = measured.spec
    matter = yaml.safe_dump(_front_matter(measured), sort_keys=False, allow_unicode=True)
    body = f"""# {spec.id.partition("/")[2]}

{spec.about}

A {spec.architecture} model with {measured.parameters:,} parameters, trained from scratch on {spec.rows:,} generated
help-desk tickets for {spec.epochs} epochs, from a fixed seed. Made by `python -m samples.make`.

**Reported score.** {measured.metric} {measured.reported:.3f} on validation tickets that are worded like the training
tickets. Yours are worded differently: measure on your own rows.

**Limits.** It knows an invented shop and nothing else. It belongs to the examples of Shortlist and is of no use outside
them.
"""
    (models / spec.id / "README.md").write_text(f"---\n{matter}---\n\n{body}", encoding="utf-8")


def _front_matter(measured: Measured) -> dict[str, Any]:
    spec = measured.spec
    classifier = spec if isinstance(spec, Classifier) else None
    task, data = (
        ("text-classification", "helpdesk-lab/tickets")
        if classifier
        else ("summarization", "helpdesk-lab/ticket-summaries")
    )
    matter: dict[str, Any] = {
        "license": spec.license,
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": task,
        "tags": [spec.architecture, "customer-support", "shortlist-sample"],
        "datasets": [data],
    }
    if classifier and classifier.teacher:
        matter["base_model"] = classifier.teacher
    result = {
        "task": {"type": task},
        "dataset": {"name": f"{data} (validation)", "type": data, "split": "validation"},
        "metrics": [{"type": measured.metric, "value": round(measured.reported, 4)}],
    }
    matter["model-index"] = [{"name": spec.id.partition("/")[2], "results": [result]}]
    return matter | (dict(classifier.card) if classifier else {})


def write_table(rows: Sequence[Measured], readme: Path) -> None:
    """Replaces the table between the markers of the README."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(TABLE_START)
    _, _, after = rest.partition(TABLE_END)
    readme.write_text(f"{before}{TABLE_START}\n{table(rows)}\n{TABLE_END}{after}", encoding="utf-8")


def table(rows: Sequence[Measured]) -> str:
    """The models with size, reported and measured score, as Markdown."""
    lines = [
        "| model | architecture | licence | parameters | weights, KB | metric | reported | measured | note |",
        "|---|---|---|--:|--:|---|--:|--:|---|",
    ]
    lines += [
        f"| {row.spec.id} | {row.spec.architecture} | {row.spec.license} | {row.parameters:,} | "
        f"{row.weight_bytes / 1000:,.0f} | {row.metric} | {row.reported:.3f} | {row.measured:.3f} | {_note(row.spec)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _note(spec: Classifier | Summarizer) -> str:
    if isinstance(spec, Summarizer):
        return ""
    notes = {
        "gated": "extra_gated_prompt" in spec.card,
        "pickle only": spec.pickled,
        "`LABEL_0` …": not spec.named_labels,
        "distilled": spec.teacher is not None,
    }
    return ", ".join(note for note, holds in notes.items() if holds)
