"""The bundled selection: real trials of the sample models, so that nobody starts on empty pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.records import DatasetSpec
    from core.store import Store

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
PLAN = SAMPLES / "tickets.yaml"
NAME = "Support tickets (example)"


def submit_example(store: Store) -> str:
    """Put the example selection into the store and queue its run; the run's id.

    The shortlist, the rows and the labels are those of the plan, as if a person had gone through the pages.
    """
    from core.engine import plan as plans
    from core.engine.prepare import prepare

    prepared = prepare(plans.read(PLAN), strict=False)
    plan = prepared.plan
    selection = store.create_selection(NAME, plan.task, example=True)
    for candidate in prepared.candidates:
        store.add_candidate(selection.id, candidate)
    store.save_evalset(prepared.evalset)
    store.save_selection(
        dataclasses.replace(
            selection,
            dataset=plan.dataset,
            evalset=prepared.evalset.id,
            labels={one.model: dict(one.labels) for one in plan.candidates},
            limits=plan.limits,
        )
    )
    return store.submit(prepared, selection.id)


def data_sets(task: str) -> list[DatasetSpec]:
    """The bundled rows for a task, as the example plans name them."""
    from core.engine import plan as plans

    found = [plans.read(path) for path in sorted(SAMPLES.glob("*.yaml"))]
    return [plan.dataset for plan in found if plan.task == task]
