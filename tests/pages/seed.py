"""Puts a `RunResult` into a store as a runner would have: for the tests of the pages, and to look at them with content.

python -m tests.pages.seed            fills the store of SHORTLIST_HOME with a run of made-up numbers
"""

from __future__ import annotations

from core.engine.prepare import Prepared
from core.records import Candidate, Outcome, Plan, PlanCandidate, RunResult, Selection
from core.store import Store

RUNNER = "seed"


def fill(
    store: Store, result: RunResult, name: str = "Ticket router", selection: Selection | None = None
) -> tuple[Selection, str]:
    """A selection (a new one when None) with the shortlist, rows and run of `result`; the selection and the run's id.

    Trials keep their status: queued ones are given back, running ones stay claimed with the rows they have.
    """
    selection = selection or store.create_selection(name, result.plan.task)
    prepared = _prepared(result)
    run = store.submit(prepared, selection.id)
    for candidate in prepared.candidates:
        store.add_candidate(selection.id, candidate)
    outcomes = {outcome.trial: outcome for outcome in result.outcomes}
    while claim := store.claim(RUNNER, lease_seconds=3600, run_id=run):
        _write(store, claim.trial, outcomes[claim.trial])
    for outcome in result.outcomes:
        if outcome.status == "queued":
            store.release(outcome.trial)
    filled = Selection(
        selection.id,
        selection.name,
        selection.task,
        dataset=result.plan.dataset,
        evalset=result.evalset.id,
        limits=result.plan.limits,
        created=selection.created,
    )
    store.save_selection(filled)
    return filled, run


def _prepared(result: RunResult) -> Prepared:
    """The plan that would have given these outcomes, whatever variants each model ran in."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in result.outcomes:
        groups.setdefault(outcome.spec.model, []).append(outcome)
    planned = tuple(
        PlanCandidate(model, "samples", labels=ran[0].spec.labels, variants=tuple(one.spec.variant for one in ran))
        for model, ran in groups.items()
    )
    plan = Plan(
        task=result.plan.task,
        dataset=result.plan.dataset,
        candidates=planned,
        variants=result.plan.variants,
        metrics=result.plan.metrics,
        options=result.plan.options,
        protocol=result.plan.protocol,
        limits=result.plan.limits,
    )
    facts = tuple(ran[0].candidate or Candidate("samples", model) for model, ran in groups.items())
    return Prepared(plan, result.evalset, facts, tuple(one.spec for ran in groups.values() for one in ran))


def _write(store: Store, trial: str, outcome: Outcome) -> None:
    for chunk in outcome.chunks:
        store.commit_chunk(trial, chunk)
    for series in outcome.latency:
        store.commit_latency(trial, series)
    for note in outcome.notes:
        store.add_note(trial, note)
    if outcome.server:
        store.commit_server(trial, outcome.server)
    if outcome.stage:
        store.set_stage(trial, outcome.stage)
    if outcome.failure:
        store.fail(trial, outcome.failure)
    elif outcome.status == "done":
        store.finish(
            trial,
            load_seconds=outcome.load_seconds,
            memory_mb=outcome.memory_mb,
            environment=outcome.environment,
        )
    elif outcome.status == "cancelled":
        store.cancel_trial(trial)


if __name__ == "__main__":
    from core.records import Limits
    from tests.analysis.factory import CPU, GPU, make_run, with_server

    accuracies = [0.8, 0.8, 0.87, 0.87, 0.88, 0.885]
    example = make_run(
        6, 400, 4, failed=1, variants=(CPU, GPU), accuracies=accuracies, limits=Limits(latency_p95_ms=12)
    )
    filled, run = fill(Store(), with_server(example, 60))
    print(f"selection {filled.id}, run {run}")
