"""Will it fit? An estimate before anything is downloaded; the trial itself measures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from core.errors import UserError
from core.records import Candidate, Variant

BYTES_PER_PARAMETER = {
    **{"float32": 4.0, "tf32": 4.0, "bfloat16": 2.0, "float16": 2.0},
    **{"int8": 1.0, "int8-weight-only": 1.0, "int4": 0.5, "nf4": 0.5},
}

ACTIVATIONS = 0.2
"""Inference needs about the weights and a fifth more (EleutherAI, "Transformer Math 101", 2023)."""

RUN_MB, LOW_RUN_MB, BATCH_MB = 65.0, 110.0, 7.0
"""What small models need more than that on a CPU: what the runtime sets up (threads' memory, compiled kernels; at low
precision one for every shape) and a batch of the quality pass, which grows with the width of a model and so with the
square root of its weights. Fitted to 18 trials of nine encoders, 0.2 to 94 million parameters, at float32 and bfloat16
on two cores: each was within a fifth of what it predicts."""

CONVERTED = 0.25
"""A file that is larger or smaller than the weights by more than this share holds them at another precision."""

LOAD_MB = 25.0
"""What the first call leaves behind beside the weights; from the same trials."""

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
    weights = _weights_mb(candidate, variant)
    if weights is None:
        return Fit("unknown", "The number of parameters is not known.", None)
    needed = _running_mb(weights, variant) + RUNTIME_MB.get(variant.device, 500)
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

    Weights that are converted while they are loaded are there twice, once as pages of their file. These count where
    memory is measured, and not where it runs out: the system takes them back. None where the number of parameters is
    not known.
    """
    weights = _weights_mb(candidate, variant)
    if weights is None:
        return None
    running = _running_mb(weights, variant)
    file = (candidate.download_bytes or 0) / 1e6
    converted = variant.device == "cpu" and abs(file - weights) > CONVERTED * max(file, weights)
    return max(running, weights + file + LOAD_MB) if converted else running


def _weights_mb(candidate: Candidate, variant: Variant) -> float | None:
    if candidate.parameters is None:
        return None
    return candidate.parameters * BYTES_PER_PARAMETER.get(variant.quantization or variant.dtype, 4.0) / 1e6


def _running_mb(weights: float, variant: Variant) -> float:
    """Weights and what a batch takes on top. Smaller models were measured on CPUs only."""
    share = ACTIVATIONS * weights
    if variant.device != "cpu":
        return weights + share
    base = RUN_MB if variant.dtype == "float32" else LOW_RUN_MB
    return weights + max(share, base + BATCH_MB * sqrt(weights))


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
