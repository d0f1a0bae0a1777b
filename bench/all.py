"""All benchmarks of `docs/performance.md`, one after the other, each as a JSON file in a folder.

    python -m bench.all --out FOLDER [--quick] [--only NAME …]
    python -m bench.page FOLDER --write

Made for a quiet machine of two cores. `--quick` only shows that everything works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Step:
    """One benchmark."""

    usual: str
    """Module and arguments."""
    quick: str
    minutes: float
    """About, on two quiet cores."""


LARGER = "quality --only short --texts tweets --sizes"
STEPS: Mapping[str, Step] = {
    "short": Step(
        "quality --only short --texts tweets --rows 1000 --rounds 4",
        "quality --only short --texts tweets --rows 24 --rounds 1",
        3,
    ),
    "long": Step(
        "quality --only long --texts tweets --rows 400 --rounds 2 --contenders ours bare 32 evaluator",
        "quality --only long --texts tweets --rows 16 --rounds 1",
        7,
    ),
    "others": Step(
        "quality --only embeddings generation --texts tweets --rows 400 --rounds 5",
        "quality --only embeddings generation --texts tweets --rows 16 --rounds 1",
        2,
    ),
    "sizes": Step(
        f"{LARGER} distilbert bert-base --rows 300 --rounds 2 --contenders exact bare evaluator",
        f"{LARGER} distilbert --rows 16 --rounds 1 --contenders exact bare evaluator",
        5,
    ),
    "questions": Step(
        "quality --only short --texts questions --rows 2000 --rounds 2 --contenders ours bare evaluator",
        "quality --only short --texts questions --rows 16 --rounds 1 --contenders ours bare",
        1,
    ),
    "many": Step(
        "quality --only compiled --texts tweets --rows 10000 --rounds 2",
        "quality --only compiled --texts tweets --rows 300 --rounds 1",
        7,
    ),
    "thousands": Step(
        "quality --only short --texts tweets --rows 4000 --rounds 2 --contenders ours bare evaluator",
        "quality --only short --texts tweets --rows 300 --rounds 1 --contenders ours bare",
        5,
    ),
    "simulated": Step("decision", "decision --rows 500 --repeats 3", 1),
    "decision": Step(
        "decision --real --repeats 5 --evaluators 1 --evaluated 2",
        "decision --real --repeats 1 --evaluators 1 --evaluated 2 --candidates 3 --rows 150",
        8,
    ),
    "overhead": Step("overhead --rows 300 --rounds 7", "overhead --rows 16 --rounds 1", 3),
    "latency": Step("latency --runs 20", "latency --runs 1 --calls 20", 4),
    "runner": Step("runner", "runner --rows 100 --candidates 2", 3),
}
"""Name of the file → what fills it."""


def command(line: str) -> list[str]:
    """What runs a step."""
    module, *words = line.split()
    return [sys.executable, "-m", f"bench.{module}", *words, "--json"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them. Returns 1 where one has failed; the others ran all the same."""
    parser = argparse.ArgumentParser(prog="python -m bench.all", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="tiny: to see that it works")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=tuple(STEPS), metavar="NAME", help=", ".join(STEPS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    steps = {name: STEPS[name] for name in options.only}
    if not options.quick:
        print(f"about {sum(step.minutes for step in steps.values()):.0f} minutes on two quiet cores", flush=True)
    failed = 0
    for name, step in steps.items():
        line = step.quick if options.quick else step.usual
        print(f"{time.strftime('%H:%M:%S')} {name}: python -m bench.{line}", flush=True)
        result = subprocess.run(command(line), cwd=REPO, stdout=subprocess.PIPE, text=True)
        if result.returncode:
            failed += 1
            print(f"  failed with exit code {result.returncode}", file=sys.stderr)
        else:
            (options.out / f"{name}.json").write_text(result.stdout, encoding="utf-8")
    print(f"{time.strftime('%H:%M:%S')} done; python -m bench.page {options.out} --write")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
