"""Candidates × variants before anything is planned: what can run on this machine, and what stands against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import registry
from core.catalog import stored
from core.catalog.fit import fits
from core.data import LabelTable
from core.engine import environment
from core.records import Candidate, PlanCandidate, Variant


@dataclass(frozen=True)
class Cell:
    """One candidate in one variant."""

    variant: Variant
    warning: str | None
    """Why it may fail, in a sentence; None where nothing speaks against it."""
    obstacle: str | None = None
    """Why it cannot run here, in a sentence: mostly a package that is not installed."""


@dataclass(frozen=True)
class GridRow:
    """One candidate in every variant that this machine can run."""

    candidate: Candidate
    obstacle: str | None
    """Why it cannot run at all, in a sentence; None where it can."""
    cells: tuple[Cell, ...]
    """In the usual runtime."""
    further: tuple[Cell, ...] = ()
    """In the other runtimes, whether or not they are installed."""


def variants() -> tuple[Variant, ...]:
    """Every variant of the usual runtime that this machine can run: devices, the CPU first, each with its types."""
    return tuple(variant for variant in _usual_variants() if _unsupported(variant) is None)


def further() -> tuple[Variant, ...]:
    """What the other runtimes do on the CPU: number types as they are, quantized weights at full precision."""
    return tuple(
        Variant("cpu", dtype, backend.name, quantization)
        for backend in registry.backends().values()
        if backend.name != Variant().backend
        for quantization in backend.quantizations
        for dtype in (backend.dtypes[:1] if quantization else backend.dtypes)
    )


def missing_devices() -> dict[str, str]:
    """Device → why nothing runs on it here."""
    reasons: dict[str, str] = {}
    present = {variant.device for variant in variants()}
    for variant in _usual_variants():
        reason = _unsupported(variant)
        if reason and variant.device not in present:
            reasons.setdefault(variant.device, reason)
    return reasons


def grid(candidates: Sequence[Candidate], labels: Sequence[LabelTable] = ()) -> list[GridRow]:
    """The candidates, in their order, with what stands against each.

    Args:
        candidates: With all facts.
        labels: Their labels against those of the data; empty for a task without labels.
    """
    missing = {table.candidate: table.missing for table in labels}
    machine = environment.memory()
    rows = []
    for candidate in candidates:
        if candidate.source == stored.SOURCE:
            rows.append(GridRow(candidate, candidate.blocked, (Cell(stored.VARIANT, None),)))
            continue
        cells = tuple(Cell(variant, _warning(candidate, variant, machine)) for variant in variants())
        others = tuple(Cell(one, _warning(candidate, one, machine), _unsupported(one)) for one in further())
        rows.append(GridRow(candidate, candidate.blocked or _unmatched(missing.get(candidate.id, ())), cells, others))
    return rows


def lay_out(
    ticks: Sequence[tuple[Candidate, Sequence[Variant]]], labels: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[PlanCandidate, ...], tuple[Variant, ...]]:
    """The ticked cells as a plan says them: `candidates` and `variants`.

    A candidate that ticks everything that any candidate ticks has no variants of its own, as a person would write it.

    Args:
        ticks: Each candidate with its variants; without any it stays out of the plan.
        labels: Candidate id → (model label → data set label).
    """
    order = [variant for variant in (*variants(), *further()) if any(variant in ticked for _, ticked in ticks)]
    planned = tuple(
        PlanCandidate(
            model=candidate.id,
            source=candidate.source,
            revision=candidate.revision,
            labels=dict(labels.get(candidate.id, {})),
            variants=None if _has_all(ticked, order) else tuple(one for one in order if one in ticked),
        )
        for candidate, ticked in ticks
        if ticked
    )
    # Of predictions made elsewhere alone, the plan has the variant that every plan has.
    return planned, tuple(order) or ((Variant(),) if planned else ())


def _has_all(ticked: Sequence[Variant], order: Sequence[Variant]) -> bool:
    return stored.VARIANT in ticked or set(ticked) == set(order)


def _usual_variants() -> list[Variant]:
    backend = registry.backend(Variant().backend)
    return [Variant(device, dtype, backend.name) for device in backend.devices for dtype in backend.dtypes]


def _unsupported(variant: Variant) -> str | None:
    return registry.backend(variant.backend).unsupported(variant)


def _warning(candidate: Candidate, variant: Variant, machine: Mapping[str, float | None]) -> str | None:
    fit = fits(candidate, variant, machine)
    return fit.reason if fit.verdict in ("tight", "no") else None


def _unmatched(labels: Sequence[str]) -> str | None:
    if not labels:
        return None
    shown = ", ".join(map(repr, labels[:5])) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    return f"No label of this model stands for {shown}. Match them on the Data page."
