"""Where the wall time of a run of ten candidates goes: the share that models run, and what the rest is.

    python -m bench.runner [--rows 9610] [--candidates 10] [--rounds 1] [--models FOLDER] [--data FILE …]

Shortlist's own runner, store and fork server, all candidates in one run, in full: once for quality alone, and once with
the joint latency pass at batch sizes 1 and 8. Ten seconds of wall time in which a model ran for nine are a share of
0.9. The fork server is warm, as in any runner that has worked before. The second and later trials also say how long it
took from asking the store for a trial until its model ran, the reading of the checkpoint not counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

FORWARD = ("quality forward", "latency forward", "first call")
"""What counts as a model that runs."""
PARTS = (
    ("model, quality pass", ("quality forward",)),
    ("model, latency pass", ("latency forward",)),
    ("model, first call", ("first call",)),
    ("tokenise", ("quality encode",)),
    ("pad", ("quality collate",)),
    ("decode", ("quality decode",)),
    ("latency, before and after the model", ("latency pre- and postprocessing",)),
    ("latency, asking and telling", ("latency pipes",)),
    ("start a process", ("start",)),
    ("read a checkpoint", ("reading",)),
    ("load, the rest", ("load",)),
    ("end a process", ("end",)),
    ("claim", ("claim",)),
)
"""Line of the profile → what it adds up. Commits are apart: the next batches run meanwhile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the profile."""
    parser = argparse.ArgumentParser(prog="python -m bench.runner", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=9610, help="at most")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models", type=Path, help="folder of classifiers to make candidates of")
    parser.add_argument("--data", type=Path, nargs="+", help="their labelled rows; SST-2 by default")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the profile")
    options = parser.parse_args(arguments)
    # Not at the top: a trial's process begins by importing what stands there.
    from bench.document import document
    from core.engine import environment

    before = environment.load_average()
    found = _runs(options)
    if options.json:
        print(document("runner", arguments, before, rounds=options.rounds, runs=found))
        return 0
    for run in found:
        _show(run)
    print(f"load {before} before, {environment.fingerprint('cpu')}")
    return 0


def _runs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each way, `rounds` times."""
    from random import Random

    from bench import real_race
    from bench.rows import labelled
    from core.records import Protocol

    rows = labelled(options.data or ())
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-runner-") as folder:
        place = Path(folder)
        candidates = real_race.made(options.candidates, options.models, place, rows)
        real_race.warm_up(place, candidates[:1], rows[:32])
        some = Random(0).sample(rows, min(options.rows, len(rows)))
        for _ in range(options.rounds):
            for name, protocol in (
                ("quality alone", Protocol(latency_batch_sizes=())),
                ("quality and latency", Protocol()),
            ):
                file = real_race.written(place, some)
                found.append({"way": name, "rows": len(some), **_profiled(place, file, candidates, protocol)})
    return found


def _profiled(place: Path, file: Path, candidates: Sequence[Path], protocol: Any) -> dict[str, Any]:
    """One run under the stopwatch."""
    from bench import profiled, real_race

    trial: Any = import_module("core.jobs.trial")

    watch = profiled.Stopwatch()
    usual, trial.LocalWorker = trial.LocalWorker, profiled.worker_of(watch)
    began = time.perf_counter()
    try:
        real_race.run(place, file, candidates, protocol, profiled.store_of(watch))
    finally:
        trial.LocalWorker = usual
    wall = time.perf_counter() - began
    return {"candidates": len(candidates), **summary(wall, watch.seconds), "begin": beginnings(watch)}


def summary(wall: float, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The share that models run, and the seconds of each part, in order of `PARTS`.

    Args:
        wall: Seconds of the run.
        seconds: By name, as `profiled.Stopwatch` keeps them.
    """
    inner = seconds.get("first call", 0.0) + seconds.get("reading", 0.0)
    known = {**seconds, "load": seconds.get("load", 0.0) - inner}
    parts = {name: sum(known.get(one, 0.0) for one in names) for name, names in PARTS}
    parts["all else"] = wall - sum(parts.values())
    return {
        "wall": round(wall, 2),
        "share": round(sum(seconds.get(name, 0.0) for name in FORWARD) / wall, 4),
        "parts": {name: round(value, 3) for name, value in parts.items()},
        "commits": round(seconds.get("commit", 0.0), 3),
    }


def beginnings(watch: Any) -> list[float]:
    """Seconds from asking for a trial until its model runs, less its loading; the first trial's is not among them."""
    both = zip(sorted(watch.claims), sorted(watch.first_batches), watch.loads, strict=True)
    return [round(first - claimed - load, 3) for claimed, first, load in both][1:]


def _show(run: Mapping[str, Any]) -> None:
    print(f"\n{run['way']}: {run['candidates']} candidates, {run['rows']:,} rows, {run['wall']:.1f} s")
    print(f"models run for {run['share']:.1%} of it")
    for name, seconds in run["parts"].items():
        print(f"  {name:<38} {seconds:>8.2f} s {seconds / run['wall']:>7.1%}")
    print(f"  commits, while the next batches run: {run['commits']:.2f} s")
    if run["begin"]:
        most = max(run["begin"])
        print(f"  until the model runs, without loading: median {median(run['begin']):.2f} s, most {most:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
