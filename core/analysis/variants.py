"""What a candidate loses and gains in other runtimes and precisions, beside itself at float32 in PyTorch on the CPU.

Quality is compared on the rows that both answered, one family of comparisons per candidate. Speed is compared request
by request, where the trials were timed together, and not otherwise: medians of two measurements say more of what else
the machine did. Rows per second are not compared: a float32 trial may have been screened at bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.analysis.intervals import UNDEFINED, Interval
from core.analysis.latency_ratio import ratios
from core.analysis.wording import device_name, dtype_name, model_names
from core.records import Variant

if TYPE_CHECKING:
    from core.analysis.paired import Pair
    from core.analysis.summary import Analysis, TrialSummary

NAN = float("nan")


@dataclass(frozen=True)
class VariantRow:
    """One way to run a candidate."""

    trial: str
    model: str
    variant: str
    """`CPU fp32`, `CPU int8, onnxruntime`."""
    reference: bool
    """Whether this is what the others are compared with."""
    score: Interval
    """On the headline metric."""
    difference: Pair | None
    """This one minus the reference; None for the reference, and without rows in common."""
    speed: Interval
    """How many times faster a request of the smallest batch is answered."""
    no_speed: str
    """Why `speed` is not known, in a clause; empty where it is."""
    rows_per_second: float
    screened: str | None
    """As in `Throughput`."""
    memory_mb: float
    prepare_seconds: float
    """Exporting or compiling, once and ahead of time; NaN where there is none."""
    failure: str | None
    """Why it has no result, in a sentence."""


def by_variant(analysis: Analysis) -> list[VariantRow]:
    """Candidates that finished as the reference and were tried in another way too: the reference first.

    Trials that failed are rows that say why; those that have not ended are left out.
    """
    groups: dict[tuple[str, str, str], list[TrialSummary]] = {}
    for trial in analysis.trials:
        if trial.finished or trial.outcome.failure:
            spec = trial.outcome.spec
            groups.setdefault((spec.source, spec.model, spec.revision), []).append(trial)
    names = model_names([model for _, model, _ in groups])
    rows: list[VariantRow] = []
    for (_, model, _), trials in groups.items():
        reference = _reference(trials)
        if reference and len(trials) > 1:
            rows += _rows(analysis, names[model], reference, [trial for trial in trials if trial is not reference])
    return rows


def _reference(trials: list[TrialSummary]) -> TrialSummary | None:
    """The finished float32 trial in PyTorch on the CPU; of several the one with as many threads as there are cores."""
    plain = Variant()
    found = [
        trial
        for trial in trials
        if trial.finished
        and (one := trial.outcome.spec.variant)
        and (one.device, one.dtype, one.backend, one.quantization)
        == (plain.device, plain.dtype, plain.backend, plain.quantization)
    ]
    return min(found, key=lambda trial: trial.outcome.spec.variant.threads is not None, default=None)


def _rows(analysis: Analysis, model: str, reference: TrialSummary, others: list[TrialSummary]) -> list[VariantRow]:
    finished = [trial.id for trial in others if trial.finished]
    family = analysis.pairs(baseline=reference.id, among=frozenset({reference.id, *finished}))
    pairs = {pair.b: pair.seen_from(pair.b) for pair in family}
    timed = reference.smallest_batch
    paired = {one.a: one for one in ratios(analysis, reference.id, timed.batch_size)} if timed else {}
    rows = []
    for trial in (reference, *others):
        ratio = paired.get(trial.id)
        speed = Interval(1 / ratio.ratio, 1 / ratio.high, 1 / ratio.low) if ratio else UNDEFINED
        failure = trial.outcome.failure
        rows.append(
            VariantRow(
                trial=trial.id,
                model=model,
                variant=_name(trial.outcome.spec.variant),
                reference=trial is reference,
                score=trial.scores[analysis.headline.name],
                difference=pairs.get(trial.id),
                speed=Interval(1.0, 1.0, 1.0) if trial is reference else speed,
                no_speed="" if ratio or trial is reference or failure else _not_compared(reference, trial),
                rows_per_second=trial.speed.rows_per_second,
                screened=trial.speed.screened,
                memory_mb=trial.memory(),
                prepare_seconds=float(trial.outcome.environment.get("prepare_seconds", NAN)),
                failure=failure.message if failure else None,
            )
        )
    return rows


def _not_compared(reference: TrialSummary, trial: TrialSummary) -> str:
    timed = [bool(one.latency) for one in (reference, trial)]
    if all(timed):
        return "timed at another time than CPU fp32"
    return "CPU fp32 was not timed" if timed[1] else "not timed"


def _name(variant: Variant) -> str:
    parts = [f"{device_name(variant.device)} {dtype_name(variant)}"]
    parts += [] if variant.backend == Variant().backend else [variant.backend]
    parts += [f"{variant.threads} thread{'s' if variant.threads > 1 else ''}"] if variant.threads else []
    return ", ".join(parts)
