"""Predictions made elsewhere on the pages after the benchmark: nothing is shown that they do not have."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.catalog import open_catalog, stored
from core.engine.prepare import prepare
from core.jobs.runner import Runner
from core.records import DatasetSpec, Plan, PlanCandidate, Sample
from core.store import Store
from tests.conftest import REPO

TICKETS = REPO / "samples/data/tickets.csv"


@pytest.fixture
def selection(store: Store, tmp_path: Path) -> str:
    """A finished run of two files: one is nearly right, one says the same of every row."""
    with TICKETS.open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    answers = {"good.txt": [*labels[:-9], *["billing"] * 9], "flat.txt": ["billing"] * len(labels)}
    selection = store.create_selection("router", "text-classification")
    for name, lines in answers.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        store.add_candidate(selection.id, open_catalog(stored.SOURCE).describe(str(tmp_path / name)))
    candidates = tuple(PlanCandidate(str(tmp_path / name), stored.SOURCE) for name in answers)
    dataset = DatasetSpec(path=str(TICKETS), sample=Sample(80))
    prepared = prepare(Plan("text-classification", dataset, candidates, metrics=("accuracy",)))
    store.save_evalset(prepared.evalset)
    store.save_selection(replace(selection, dataset=prepared.plan.dataset, evalset=prepared.evalset.id))
    store.submit(prepared, selection.id)
    Runner(store).work()
    return selection.id


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("1_find", "good.txt"),
        ("3_benchmark", "2 of 2 trials have ended"),
        ("4_compare", "Ship **good.txt**, predictions made elsewhere"),
        ("5_review", "Ship good.txt, predictions made elsewhere"),
        ("6_export", "holds predictions made elsewhere: there is no model to run"),
    ],
)
def test_every_page_can_show_them(
    open_page: Callable[..., AppTest], words: Callable[[AppTest], str], selection: str, page: str, said: str
) -> None:
    app = open_page(page, selection=selection)
    assert not app.exception, app.exception[0].message
    assert said in words(app).replace("\\", "")


def test_the_plan_is_one_tick_per_file(open_page: Callable[..., AppTest], selection: str) -> None:
    app = open_page("3_benchmark", selection=selection, view="plan")
    assert not app.exception, app.exception[0].message
    ticks = [box for box in app.checkbox if "tick_" in str(box.key)]
    assert [(box.label, box.value) for box in ticks] == [("score them", True)] * 2
