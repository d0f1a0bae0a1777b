"""`demo`: search, run, ranking, exported folder, on the bundled samples and without a browser."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from core.cli.find import print_candidates
from core.cli.output import console
from core.cli.results import print_ranking
from core.cli.run import run_plan

if TYPE_CHECKING:
    from argparse import Namespace


def demo(options: Namespace) -> int:
    """The whole journey, offline."""
    from core.analysis.ranking import rank
    from core.catalog import open_catalog
    from core.example import PLAN
    from core.export.bundle import write
    from core.records import ModelQuery
    from core.store import Store

    console.rule("1 Find", align="left")
    print_candidates(open_catalog("samples").search(ModelQuery(task="text-classification", sort="size")))
    console.rule(f"2 Benchmark {PLAN.name}", align="left")
    with closing(Store()) as store:
        run = run_plan(store, PLAN)
    console.rule("3 Compare", align="left")
    print_ranking(run)
    winner = rank(run).winner
    if winner is None:
        return 1
    console.rule("4 Export", align="left")
    for path in write(run, winner, options.out):
        console.print(str(path), markup=False)
    console.print(f"\nRun it again: python -m core run {options.out}/plan.yaml", markup=False)
    return 0
