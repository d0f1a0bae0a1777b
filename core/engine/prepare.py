"""From a plan to trials that can start: rows loaded, models pinned, labels matched, every guess told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core import codec, options, registry
from core.catalog import locate, stored
from core.catalog.fit import fits
from core.data import Loaded, complete, load_rows, reconcile
from core.engine import environment, race, serving
from core.errors import DatasetMismatch, LabelMismatch, RefusedModel, UserError
from core.metrics.base import resolve_options
from core.metrics.scoring import statistics
from core.records import Candidate, EvalSet, Failure, FailureKind, Limits, Plan, PlanCandidate, TrialSpec, Variant
from core.tasks.base import Task

LIMITS_AFTER_RACE = (
    "Limits are checked after the race: a model that breaks one may have stopped others that do not. "
    "Where that matters, leave such models out, or measure all in full."
)


@dataclass(frozen=True)
class Blocked:
    """A candidate that cannot run as planned, and why."""

    model: str
    """As the plan names it."""
    variant: Variant
    failure: Failure


@dataclass(frozen=True)
class Prepared:
    """A plan with everything it left open filled in."""

    plan: Plan
    """Pinned: running it again measures the same thing."""
    evalset: EvalSet
    candidates: tuple[Candidate, ...]
    """Parallel to `plan.candidates`; one that was not found has only its name and why it is blocked."""
    specs: tuple[TrialSpec, ...]
    """In plan order: candidates first, variants within."""
    notes: tuple[str, ...] = ()
    """What was guessed or looks wrong, in sentences."""
    blocked: tuple[Blocked, ...] = ()


def prepare(
    plan: Plan, *, token: str | None = None, repeat: int = 0, strict: bool = True, rows: Loaded | None = None
) -> Prepared:
    """Load the rows, pin the candidates and match their labels.

    Args:
        plan: What to measure.
        token: For the Hub.
        repeat: Raised to measure again what has been measured before.
        strict: Raise for the first candidate that cannot run, instead of collecting it in `blocked`.
        rows: The plan's rows where they have been loaded before; they are not read again.

    Raises:
        UserError: The data cannot be used; with `strict`, also a model that is unknown, gated or refused, or whose
            labels do not meet the data's.
    """
    rows = rows or load_rows(plan.dataset, registry.task(plan.task), token)
    return _assemble(plan, rows, lambda planned: _describe(planned, token), repeat, strict)


def draft(plan: Plan, rows: Loaded, candidates: Sequence[Candidate]) -> Prepared:
    """As `prepare` without `strict`, from facts at hand instead of the catalogues: for an estimate while planning.

    Args:
        plan: What to measure.
        rows: Its rows.
        candidates: Facts of its candidates.

    Raises:
        KeyError: The plan has a candidate without facts.
    """
    facts = {(one.source, one.id): one for one in candidates}

    def look_up(planned: PlanCandidate) -> Candidate:
        return _not_refused(facts[planned.source or "", planned.model], planned.model)

    return _assemble(plan, rows, look_up, repeat=0, strict=False)


def repeated(prepared: Prepared, repeat: int) -> Prepared:
    """The same trials as new ones, to measure again what has been measured `repeat` times."""
    specs = tuple(replace(spec, repeat=spec.repeat + repeat) for spec in prepared.specs)
    return replace(prepared, specs=specs)


def _assemble(
    plan: Plan, rows: Loaded, describe: Callable[[PlanCandidate], Candidate], repeat: int, strict: bool
) -> Prepared:
    task = registry.task(plan.task)
    evalset, notes = rows.evalset, list(rows.notes)
    metrics = plan.metrics or task.default_metrics
    plan = replace(plan, dataset=rows.spec, metrics=metrics, options=_options(task, metrics, plan.options))
    serving.check(plan.protocol)
    if plan.protocol.race:
        race.check(task, registry.metric(metrics[0], task))
        if plan.limits != Limits():
            notes.append(LIMITS_AFTER_RACE)
    statistics(task, metrics, plan.options, evalset.labels, (), ())  # says now what does not suit these labels

    pinned: list[PlanCandidate] = []
    candidates: list[Candidate] = []
    specs: list[TrialSpec] = []
    blocked: list[Blocked] = []
    for planned in plan.candidates:
        variants = variants_of(planned, plan)
        candidate = Candidate(planned.source or "", planned.model)
        try:
            candidate = describe(planned)
            labels = _labels(planned, candidate, plan, task, evalset, notes)
        except UserError as error:
            if strict:
                raise
            candidate = replace(candidate, blocked=error.message)
            failure = Failure(_failure_kind(error), error.message, error.hint)
            blocked += [Blocked(planned.model, variant, failure) for variant in variants]
        else:
            planned = replace(planned, revision=candidate.revision, labels=labels)
            specs += [_spec(plan, evalset, candidate, variant, labels, repeat) for variant in variants]
            notes += _candidate_notes(candidate, task, variants)
        pinned.append(planned)
        candidates.append(candidate)
    return Prepared(
        plan=replace(plan, candidates=tuple(pinned)),
        evalset=evalset,
        candidates=tuple(candidates),
        specs=tuple(_against_each_other(list(_apart(specs)))),
        notes=tuple(notes),
        blocked=tuple(blocked),
    )


def _options(task: Task, metrics: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The flat options of the task and these metrics, complete; None says nothing and is left out."""
    chosen = [registry.metric(name, task) for name in metrics]
    scoring = {f"{one.name}_{key}": value for one in chosen for key, value in resolve_options(one, given).items()}
    resolved = options.resolve(task.options, given) | scoring
    return {name: value for name, value in resolved.items() if value is not None}


def _describe(planned: PlanCandidate, token: str | None) -> Candidate:
    catalog, model = locate(planned.model, planned.source, token)
    return _not_refused(catalog.describe(model, planned.revision), planned.model)


def _not_refused(candidate: Candidate, model: str) -> Candidate:
    if candidate.blocked:
        raise RefusedModel(f"{model!r} is refused: {candidate.blocked}", "Choose another model.")
    return candidate


def variants_of(planned: PlanCandidate, plan: Plan) -> tuple[Variant, ...]:
    """The variants that a candidate of the plan is measured in; predictions made elsewhere are one trial."""
    return (stored.VARIANT,) if planned.source == stored.SOURCE else planned.variants or plan.variants


def _labels(
    planned: PlanCandidate, candidate: Candidate, plan: Plan, task: Task, evalset: EvalSet, notes: list[str]
) -> dict[str, str]:
    """Label as the candidate says it → data set label. A file of predictions may use the values of the data file."""
    if candidate.source == stored.SOURCE:
        return {**plan.dataset.labels, **planned.labels}
    return _match_labels(planned, candidate, task, evalset, notes)


def _match_labels(
    planned: PlanCandidate, candidate: Candidate, task: Task, evalset: EvalSet, notes: list[str]
) -> dict[str, str]:
    """Model label → data set label, complete; what was matched by itself goes into the notes."""
    if not task.labelled:
        return {}
    wanted = task.wanted_labels(evalset.labels)
    matches = reconcile(task.known_labels(candidate.labels) or tuple(planned.labels), wanted, planned.labels)
    try:
        labels = complete(matches, planned.model, wanted)
    except LabelMismatch as mismatch:
        if not _is_other_task(candidate, task):
            raise
        raise LabelMismatch(
            f"{planned.model!r} is a {candidate.task} model, not one for {task.name}; its labels do not fit the rows.",
            mismatch.hint,
        ) from None
    for match in matches:
        partner = labels.get(match.model_label)
        if partner is None:
            notes.append(
                f"{planned.model}: the label {match.model_label!r} has no partner in the data; it counts as wrong."
            )
        elif match.model_label not in planned.labels and partner != match.model_label:
            notes.append(f"{planned.model}: the label {match.model_label!r} is taken as {partner!r} ({match.reason}).")
    return labels


def _is_other_task(candidate: Candidate, task: Task) -> bool:
    return candidate.task is not None and candidate.task not in task.tags


def _failure_kind(error: UserError) -> FailureKind:
    if isinstance(error, RefusedModel):
        return "unsupported"
    return "data" if isinstance(error, LabelMismatch | DatasetMismatch) else "load"


def _spec(
    plan: Plan, evalset: EvalSet, candidate: Candidate, variant: Variant, labels: dict[str, str], repeat: int
) -> TrialSpec:
    return TrialSpec(
        source=candidate.source,
        model=candidate.id,
        revision=candidate.revision or "",
        task=plan.task,
        evalset=evalset.id,
        variant=variant,
        metrics=plan.metrics,
        options=plan.options,
        labels=labels,
        protocol=plan.protocol,
        hardware=environment.fingerprint(variant.device or "cpu"),
        repeat=repeat,
    )


def _apart(specs: Sequence[TrialSpec]) -> Iterator[TrialSpec]:
    """A candidate named twice is measured twice, which shows the noise: the second one is a repeat of the first."""
    seen: Counter[str] = Counter()
    for spec in specs:
        name = codec.identity(spec)
        yield replace(spec, repeat=spec.repeat + seen[name])
        seen[name] += 1


def _against_each_other(specs: Sequence[TrialSpec]) -> Sequence[TrialSpec]:
    """What comes out of a race depends on all who take part: beside others a trial is another one."""
    if not any(spec.protocol.race for spec in specs):
        return specs
    name = codec.identity([codec.encode(spec) for spec in specs])
    return [replace(spec, race=name) for spec in specs]


def _candidate_notes(candidate: Candidate, task: Task, variants: Sequence[Variant]) -> Iterator[str]:
    if _is_other_task(candidate, task):
        yield f"{candidate.id} calls itself a {candidate.task} model; the plan's task is {task.name}."
    for variant in variants:
        fit = fits(candidate, variant, environment.memory())
        if fit.verdict in ("no", "tight"):
            yield f"{candidate.id} at {variant.dtype} may not fit. {fit.reason}"
