"""What a sentence-transformers repository says happens behind the model: pooling, dense layers, normalising.

Format: https://sbert.net/docs/package_reference/sentence_transformer/models.html. A repository without these files gets
mean pooling, as sentence-transformers itself does it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import TrialFailed

POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Ways of pooling, in the order in which several are joined, by the names that older files have for them."""
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
"""Of dense layers: names of classes in `torch.nn`."""
SENTENCE = "sentence_embedding"
"""What sentence-transformers calls what pooling makes."""


@dataclass(frozen=True)
class Dense:
    """A linear layer with its activation."""

    weight: Any
    """Tensor (out, in)."""
    bias: Any
    """Tensor (out,), or None."""
    activation: str


@dataclass(frozen=True)
class SentenceModules:
    """From token embeddings to the embedding of a sentence."""

    pooling: tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    """Whether the prompt's tokens are pooled too."""
    layers: tuple[Dense | None, ...] = ()
    """What follows, in order; None normalises to length 1."""
    prompt: str = ""
    """What stands before every sentence."""
    max_length: int | None = None
    lower_case: bool = False


@cache
def sentence_modules(folder: str) -> SentenceModules:
    """What a checkpoint's files say.

    Args:
        folder: Where its tokenizer came from (`name_or_path`); empty where it came from no folder.

    Raises:
        TrialFailed: It uses a module that is not known here (kind `unsupported`), or a dense layer without
            safetensors weights (kind `load`).
    """
    if not folder:
        return SentenceModules()
    root = Path(folder)
    modules = _json(root / "modules.json") or []
    known: dict[str, Any] = {}
    layers: list[Dense | None] = []
    for module in modules:
        kind, path = str(module.get("type", "")).rpartition(".")[2], root / str(module.get("path", ""))
        if kind == "Pooling":
            known |= _pooling(_json(path / "config.json") or {})
        elif kind == "Dense":
            layers.append(_dense(path))
        elif kind == "Normalize":
            layers.append(None)
        elif kind not in ("Transformer", "Dropout"):
            raise TrialFailed("unsupported", f"Its modules.json uses {kind!r}, which Shortlist cannot run.")
    settings = next((_json(file) for file in sorted(root.glob("sentence_*_config.json"))), None) or {}
    return SentenceModules(
        **known,
        layers=tuple(layers),
        prompt=_prompt(_json(root / "config_sentence_transformers.json") or {}),
        max_length=settings.get("max_seq_length"),
        lower_case=bool(settings.get("do_lower_case")),
    )


def embed(modules: SentenceModules, hidden: Any, mask: Any, skipped: int = 0) -> Any:
    """Embeddings of sentences, shape (n, dimension), float32.

    Args:
        modules: What to do.
        hidden: The model's last hidden states, shape (n, tokens, width), float32.
        mask: 1 for tokens, 0 for padding, shape (n, tokens).
        skipped: How many tokens at the beginning of each sentence are not pooled.
    """
    import torch

    embedding = torch.cat([pooled(mode, hidden, mask, skipped) for mode in modules.pooling], dim=-1)
    for layer in modules.layers:
        if layer is None:
            embedding = torch.nn.functional.normalize(embedding, dim=-1)
        else:
            weight = layer.weight.to(embedding.device)
            bias = None if layer.bias is None else layer.bias.to(embedding.device)
            embedding = getattr(torch.nn, layer.activation)()(torch.nn.functional.linear(embedding, weight, bias))
    return embedding


def pooled(mode: str, hidden: Any, mask: Any, skipped: int = 0) -> Any:
    """One embedding per sentence by one way of pooling, whichever side is padded. Arguments as in `embed`."""
    places = mask.cumsum(dim=1) * mask
    """1 for a sentence's first token, 2 for its second."""
    if mode in ("cls", "lasttoken"):
        place = skipped + 1 if mode == "cls" else places.amax(dim=1, keepdim=True)
        return (hidden * (places == place).unsqueeze(-1)).sum(dim=1)
    counted = places > skipped
    if mode == "max":
        return hidden.masked_fill(~counted.unsqueeze(-1), float("-inf")).amax(dim=1)
    weights = ((places if mode == "weightedmean" else 1) * counted).to(hidden.dtype).unsqueeze(-1)
    total, weight = (hidden * weights).sum(dim=1), weights.sum(dim=1).clamp(min=1e-9)
    return total / (weight.sqrt() if mode == "mean_sqrt_len_tokens" else weight)


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _pooling(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a `1_Pooling/config.json` says: `pooling_mode`, a name or several, or one boolean for each as of old."""
    named = config.get("pooling_mode") or [mode for key, mode in POOLING.items() if config.get(key)] or "mean"
    modes = (named,) if isinstance(named, str) else tuple(named)
    for mode in modes:
        if mode not in POOLING.values():
            raise TrialFailed("unsupported", f"Its pooling is {mode!r}. Known: {', '.join(POOLING.values())}.")
    return {"pooling": modes, "include_prompt": bool(config.get("include_prompt", True))}


def _dense(folder: Path) -> Dense:
    from safetensors.torch import load_file

    config = _json(folder / "config.json") or {}
    activation = str(config.get("activation_function", "torch.nn.Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise TrialFailed("unsupported", f"The activation of its dense layer is {activation!r}.")
    if config.get("use_residual") or config.get("module_input_name", SENTENCE) != SENTENCE:
        raise TrialFailed("unsupported", "Its dense layer is not one that follows pooling, without a residual.")
    file = folder / "model.safetensors"
    if not file.is_file():
        raise TrialFailed(
            "load",
            f"Its dense layer has no weights in {folder.name}/model.safetensors.",
            "Pickled weights can run code when they are opened, so they are never loaded.",
        )
    weights = load_file(file)
    bias = weights.get("linear.bias")
    return Dense(weights["linear.weight"].float(), None if bias is None else bias.float(), activation)


def _prompt(config: Mapping[str, Any]) -> str:
    name = config.get("default_prompt_name")
    return str((config.get("prompts") or {}).get(name) or "") if name else ""
