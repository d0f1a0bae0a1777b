"""What the Hub says of a model, as a `Candidate`. Needs no huggingface_hub: it reads its records, and makes none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.catalog import checkpoint, safety
from core.catalog.card import card_facts
from core.catalog.license import classify
from core.records import Candidate

EXPAND = [
    "cardData",
    "downloads",
    "gated",
    "lastModified",
    "library_name",
    "likes",
    "model-index",
    "pipeline_tag",
    "safetensors",
    "sha",
    "tags",
    "trendingScore",
]
"""Properties that a search asks the Hub for: those that `from_listing` reads."""

_FORMAT_TAGS = {"safetensors": "safetensors", "pytorch": "pytorch", "onnx": "onnx", "gguf": "gguf", "tf": "tensorflow"}
_TENSOR_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def from_listing(info: Any) -> Candidate:
    """A model as the Hub lists it (`huggingface_hub.ModelInfo`)."""
    tags = info.tags or []
    card = info.card_data.to_dict() if info.card_data else {}
    card.setdefault("model-index", info.model_index)
    license_tag = next((tag for tag in tags if tag.startswith("license:")), None)
    reported = {
        **card_facts(card),
        **({"task": info.pipeline_tag} if info.pipeline_tag else {}),
        **({"library": info.library_name} if info.library_name else {}),
        **({"license": classify(license_tag).tag} if license_tag else {}),
    }
    reported.setdefault("datasets", tuple(tag.removeprefix("dataset:") for tag in tags if tag.startswith("dataset:")))
    computed: dict[str, Any] = {
        "revision": info.sha,
        "formats": tuple(sorted({_FORMAT_TAGS[tag] for tag in tags if tag in _FORMAT_TAGS})),
        "remote_code": "custom_code" in tags,
        "downloads": info.downloads,
        "likes": info.likes,
        "trending": info.trending_score,
        "updated": info.last_modified.isoformat(timespec="seconds") if info.last_modified else None,
    }
    if info.safetensors:
        computed["parameters"] = info.safetensors.total
        computed["download_bytes"] = _tensor_bytes(info.safetensors.parameters)
    return Candidate(
        source="hub",
        id=info.id,
        license_class=classify(reported.get("license")).license_class,
        gated=bool(info.gated),
        origins=checkpoint.origins(reported, computed),
        blocked=safety.check_tags(tags),
        **reported,
        **computed,
    )


def from_snapshot(id: str, revision: str | None, folder: Path) -> Candidate:
    """A model from its snapshot in the local cache: what the Hub counts and dates is not known."""
    facts = checkpoint.describe(folder) | {"updated": None}
    license_class = classify(facts.get("license")).license_class
    return Candidate(source="hub", id=id, revision=revision, license_class=license_class, **facts)


def _tensor_bytes(counts: Mapping[str, int]) -> int:
    """Bytes of the weights, from the number of values per tensor type."""
    return sum(count * _TENSOR_BYTES.get(kind, 1) for kind, count in counts.items())
