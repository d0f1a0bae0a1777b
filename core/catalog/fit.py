"""Will it fit? An estimate before anything is downloaded; the trial itself measures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.errors import UserError
from core.records import Candidate, Variant

BYTES_PER_PARAMETER = {
    **{"float32": 4.0, "tf32": 4.0, "bfloat16": 2.0, "float16": 2.0},
    **{"int8": 1.0, "int8-weight-only": 1.0, "int4": 0.5, "nf4": 0.5},
}

ACTIVATIONS = 1.2
"""Inference needs about the weights and a fifth more (EleutherAI, "Transformer Math 101", 2023)."""

RUNTIME_MB = {"cpu": 500, "cuda": 600, "mps": 500}
"""What Python, torch and transformers (on CUDA: the context) take before the first weight is loaded."""

TIGHT = 0.8
"""Above this share of the memory the machine may swap or run out on a long text."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_PARAMS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([kmbgt]?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Fit:
    """Whether a candidate fits a machine."""

    verdict: Literal["yes", "tight", "no", "unknown"]
    reason: str
    needed_mb: float | None
    """Estimated peak, MB of 10^6 bytes."""


def fits(candidate: Candidate, variant: Variant, machine: Mapping[str, float | None]) -> Fit:
    """Whether `candidate`, run as `variant`, fits the memory of `machine`.

    Args:
        candidate: Its `parameters` decide; without them the verdict is `unknown`.
        variant: Device, dtype and quantization.
        machine: Device name (`cpu`, `cuda`, `mps`) → its memory, MB of 10^6 bytes (`engine.environment.devices`).
            None: not known. A device that is not named is not there.
    """
    alone = model_mb(candidate, variant)
    if alone is None:
        return Fit("unknown", "The number of parameters is not known.", None)
    needed = alone + RUNTIME_MB.get(variant.device, 500)
    if variant.device not in machine:
        return Fit("no", f"This machine has no {variant.device!r} device.", needed)
    available = machine[variant.device]
    if not available:
        return Fit("unknown", f"Needs about {needed:,.0f} MB; the memory of {variant.device!r} is not known.", needed)
    reason = f"Needs about {needed:,.0f} MB of {available:,.0f} MB on {variant.device}."
    if needed > available:
        return Fit("no", reason, needed)
    return Fit("tight" if needed > TIGHT * available else "yes", reason, needed)


def model_mb(candidate: Candidate, variant: Variant) -> float | None:
    """Estimated peak of the model without its runtime, MB of 10^6 bytes: what a trial will measure as `peak`.

    None where the number of parameters is not known.
    """
    if candidate.parameters is None:
        return None
    size = BYTES_PER_PARAMETER.get(variant.quantization or variant.dtype, 4.0)
    return candidate.parameters * size * ACTIVATIONS / 1e6


def parse_params(text: str) -> int:
    """Number of parameters written as people write it: `"150M"`, `"1.5B"`, `"66,000,000"`.

    Raises:
        UserError: Not a positive number with an optional K, M, B or T.
    """
    match = _PARAMS.fullmatch(text.strip().replace(",", "").replace("_", ""))
    count = round(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if count <= 0:
        raise UserError(f"{text!r} is not a number of parameters.", "Write it like 150M, 1.5B or 66000000.")
    return count


def format_params(count: int) -> str:
    """Number of parameters to three digits: `66_955_010` → `"67M"`."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size * 0.9995:
            return f"{float(f'{count / size:.3g}'):g}{unit}"
    return str(count)
