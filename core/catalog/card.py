"""The facts a model card claims, from its YAML front matter. Everything here is *reported*, nothing is verified."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.catalog.license import classify
from core.records import ReportedScore

_MARKER = "---"


def read_front_matter(path: Path) -> dict[str, Any]:
    """The YAML block at the top of a model card; empty where the file or the block is missing or is not valid YAML."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    head, _, rest = text.partition("\n")
    block, end, _ = rest.partition(f"\n{_MARKER}")
    if head.strip() != _MARKER or not end:
        return {}
    try:
        card = yaml.safe_load(block)
    except yaml.YAMLError:
        return {}
    return card if isinstance(card, dict) else {}


def card_facts(card: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Candidate` that a card's metadata tells; fields it is silent on are left out."""
    license_tag = next(iter(_texts(card.get("license"))), None)
    facts: dict[str, Any] = {
        "task": next(iter(_texts(card.get("pipeline_tag"))), None),
        "license": license_tag and classify(license_tag).tag,
        "languages": _texts(card.get("language")),
        "library": next(iter(_texts(card.get("library_name"))), None),
        "base_model": next(iter(_texts(card.get("base_model"))), None),
        "datasets": _texts(card.get("datasets")),
        "reported": reported_scores(card.get("model-index")),
    }
    return {name: value for name, value in facts.items() if value}


def is_gated(card: Mapping[str, Any]) -> bool:
    """Whether the card asks people to accept terms (`extra_gated_prompt`, `extra_gated_fields`, …)."""
    return any(str(key).startswith("extra_gated_") for key in card)


def reported_scores(index: Any) -> tuple[ReportedScore, ...]:
    """The scores of a card's `model-index`, in its order. What is not of the documented shape is passed over."""
    return tuple(
        ReportedScore(metric["type"], float(metric["value"]), str(dataset.get("name") or dataset.get("type") or ""))
        for model in _mappings(index)
        for result in _mappings(model.get("results"))
        for dataset in (_mappings([result.get("dataset")]) or [{}])
        for metric in _mappings(result.get("metrics"))
        if isinstance(metric.get("type"), str) and _is_number(metric.get("value"))
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them. YAML reads the language tag `no` as False, which is why other values appear."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(
        "no" if item is False else item for item in values if (isinstance(item, str) and item) or item is False
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
