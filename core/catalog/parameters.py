"""How many numbers a model is made of, from the headers of its weights: all, those in tables, those used per token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from core.errors import RefusedModel

Tensor = tuple[str, tuple[int, ...]]
"""Name and shape."""

_TABLE = re.compile(r"(^|\.)(\w*embeddings?|embed_tokens|embed_positions|embed_in|shared|wte|wpe)\.weight$")
"""Names that transformers gives to look-up tables. They have two dimensions; the embedding of a patch is a convolution,
and has more."""
_EXPERT = re.compile(r"\.experts\.")
"""One expert, or all of a layer in one tensor. `shared_experts` are used for every token."""
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_EXPERTS_PER_TOKEN = ("num_experts_per_tok", "experts_per_token")


def tensors(weights: Iterable[Path]) -> list[Tensor]:
    """Every tensor of these safetensors files. Raises RefusedModel where a header is damaged."""
    from safetensors import SafetensorError, safe_open

    found: list[Tensor] = []
    for path in weights:
        try:
            with safe_open(path, framework="np") as file:
                found += [(name, tuple(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise RefusedModel(
                f"{path.name} is not a valid safetensors file: {error}",
                "The weights are damaged or cut short: save or download them again.",
            ) from error
    return found


def count(found: Sequence[Tensor], config: Mapping[str, Any]) -> dict[str, int | None]:
    """`parameters`, `embedding_parameters` and `active_parameters` of a `Candidate`.

    Args:
        found: Of the whole model.
        config: Its config.json, which says how many experts there are and how many of them answer for a token.
    """
    tables = sum(prod(shape) for name, shape in found if len(shape) == 2 and _TABLE.search(name))
    total = sum(prod(shape) for _, shape in found)
    experts = sum(prod(shape) for name, shape in found if _EXPERT.search(name))
    share = _asked(config) if experts else None
    return {
        "parameters": total,
        "embedding_parameters": tables,
        "active_parameters": None if share is None else total - round(experts * (1 - share)),
    }


def _asked(config: Mapping[str, Any]) -> float | None:
    """Share of the experts that answer for a token; None where the configuration does not say."""
    text = config.get("text_config")
    told = {**config, **text} if isinstance(text, Mapping) else config
    experts, asked = (
        next((told[name] for name in names if isinstance(told.get(name), int)), None)
        for names in (_EXPERTS, _EXPERTS_PER_TOKEN)
    )
    return asked / experts if experts and asked and asked <= experts else None
