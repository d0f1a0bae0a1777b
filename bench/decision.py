"""Time until the winner is known: the full run, the race, and the evaluator in a loop.

    python -m bench.decision               simulated: K = 10, N = 2,000 and 10,000, 200 races each; one minute
    python -m bench.decision --real [--rows 9000] [--repeats 5] [--candidates 10] [--evaluators 1] [--evaluated 10]

Simulated candidates have true accuracies drawn between 0.80 and 0.93 and trip over the same rows. Real ones are run by
Shortlist's own runner, process starts and loading included, in an order and on rows drawn anew for each repeat.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from core.engine import environment

SIZES = (2_000, 10_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.decision", description=__doc__.splitlines()[0])
    parser.add_argument("--real", action="store_true", help="models instead of drawn rows")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--rows", type=int, nargs="+", help="of each race")
    parser.add_argument("--repeats", type=int, help="races of each size")
    parser.add_argument("--evaluators", type=int, default=1, help="repeats in which the evaluator runs too; it is slow")
    parser.add_argument(
        "--evaluated", type=int, help="candidates that the evaluator runs, its seconds then scaled up; all by default"
    )
    parser.add_argument("--models", type=Path, help="folder of classifiers to make candidates of")
    parser.add_argument("--data", type=Path, nargs="+", help="their labelled rows; SST-2 by default")
    parser.add_argument("--exact", action="store_true", help="without screening at low precision")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args(arguments)
    # Each by itself: a trial's process begins by importing what stands at the top of this file.
    if options.real:
        from bench import real_race

        return real_race.main(options, arguments)
    from bench import simulation
    from bench.document import document

    started, load, found = time.perf_counter(), environment.load_average(), {}
    if not options.json:
        print(f"{options.repeats or 200} races each, seeds 0 …; full / raced: rows, median [10 %, 90 %]")
        print(simulation.HEADING)
    for rows in options.rows or SIZES:
        found[rows] = [simulation.simulate(options.candidates, rows, seed) for seed in range(options.repeats or 200)]
        if not options.json:
            print(simulation.line(options.candidates, rows, found[rows]), flush=True)
    seconds = round(time.perf_counter() - started, 1)
    if options.json:
        races = {rows: [asdict(one) for one in results] for rows, results in found.items()}
        print(document("decision", arguments, load, candidates=options.candidates, seconds=seconds, races=races))
    else:
        print(f"within 1 pt: the race's winner, of the full run's best; of the true: of the truly best. {seconds} s,")
        print(f"{environment.fingerprint('cpu')}. best lost: stopped though best over all rows. tied lost: candidates")
        print("per race that were stopped though the full run calls them tied with its best.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
