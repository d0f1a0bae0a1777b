"""What Shortlist refuses to download or load, and the rule behind each refusal.

`trust_remote_code=False` and safetensors are not enough: transformers 5.23 still hands a `config.json` value such
as `"_attn_implementation": "org/kernel"` to its loader of Hub kernels. So the configuration is read before
anything else is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

ALLOW_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.spm", "*.jinja", "*.md")
"""Files a trial may need. No pickle (`.bin`, `.pt`), no `.py`."""

IGNORE_PATTERNS = ("[!0-9]*/*.safetensors",)
"""Weights in subfolders are training checkpoints or other formats, but for the numbered modules of
sentence-transformers (`2_Dense`)."""

CONFIG_PATTERNS = ("config.json", "*_config.json")
"""Configurations that transformers reads, checked before the weights are fetched."""

_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")
_PICKLE_RULE = "files that can run code when they are opened are never loaded."
_KERNEL_KEYS = ("attn_implementation", "experts_implementation")


def is_allowed(name: str) -> bool:
    """Whether a file of a model repository (posix path) may be fetched."""
    return _matches(name, ALLOW_PATTERNS) and not _matches(name, IGNORE_PATTERNS)


def is_config(name: str) -> bool:
    """Whether a file at the top of a repository is a configuration to check."""
    return "/" not in name and _matches(name, CONFIG_PATTERNS)


def check_files(names: Iterable[str]) -> str | None:
    """Why a repository with these files is refused; None where nothing stands against it."""
    files = list(names)
    if "config.json" not in files:
        return "It has no config.json, so transformers cannot tell what kind of model it is."
    if any(name.endswith(".safetensors") and "/" not in name for name in files):
        return None
    pickles = sorted(name for name in files if name.endswith(_PICKLES))
    found = f" (found {', '.join(pickles[:3])})" if pickles else ""
    return f"No safetensors weights{found}: {_PICKLE_RULE}"


def check_tags(tags: Iterable[str]) -> str | None:
    """Why the Hub's tags of a model already say that it will be refused; None where they do not."""
    found = set(tags)
    if "custom_code" in found:
        return "Remote code: it needs Python code of its repository (tag custom_code)."
    return None if "safetensors" in found else f"No safetensors weights: {_PICKLE_RULE}"


def check_config(config: Any) -> str | None:
    """Why a model with this configuration, as JSON holds it, is refused; None where nothing stands against it."""
    for path, key, value in _walk(config):
        if key == "auto_map":
            return f"Remote code: its configuration names Python code of the repository ({path} = {value!r:.80})."
        if key == "trust_remote_code":
            return f"Remote code: its configuration sets {path} = {value!r:.80}."
        if any(word in key for word in _KERNEL_KEYS) and (kernel := _with_slash(value)):
            return f"Foreign kernel: its configuration loads compiled code from the Hub ({path} = {kernel!r:.80})."
    return None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every (dotted path, key, value) of nested mappings and lists, outer first."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            yield here, str(key).lower(), inner
            yield from _walk(inner, here)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, path)


def _with_slash(value: Any) -> str | None:
    """The first text with a slash in a value, which may be a text or one text per part of the model."""
    if isinstance(value, str):
        return value if "/" in value else None
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((text for item in inner if (text := _with_slash(item))), None)
