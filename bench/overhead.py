"""What the engine costs over a bare loop: sorted batches of 2,048 tokens over rows that are tokenised already.

    python -m bench.overhead [--rows 1000] [--rounds 9] [--data FILE] [--models FOLDER]

Time: both run in one process on the same model, in turn, in an order drawn anew each round; ours tokenises, the loop
does not. Processor time stands beside wall time: a busy neighbour changes it less. Memory: the peak over what was held
before the model was loaded, each in processes of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from bench import contenders, rows
from bench.document import document
from core import registry
from core.engine import environment
from core.engine.memory import MB, MemoryMeter, peak_resident_bytes, resident_bytes

OURS, LOOP = "ours", "bare loop"
PROCESSES = 3
"""Fresh processes of each, for memory."""


def passes(folder: Path, texts: Sequence[str]) -> dict[str, contenders.Pass]:
    """Both, ready to run; each has loaded the model."""
    model, tokenizer = contenders.load(folder)
    encoded = tokenizer(list(texts), truncation=True)
    return {
        OURS: contenders.exact(folder, texts),
        LOOP: lambda: contenders.bare(model, tokenizer, encoded),
    }


def times(folder: Path, texts: Sequence[str], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of each, round by round. The first pass is not counted, and answers must be equal."""
    both = passes(folder, texts)
    ours, loop = (one().said for one in both.values())
    if ours != loop:
        raise AssertionError(f"{sum(a != b for a, b in zip(ours, loop, strict=True))} answers differ")
    draw = random.Random(0)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in both}
    for _ in range(rounds):
        for name in draw.sample(list(both), len(both)):
            wall, processor = time.perf_counter(), time.process_time()
            both[name]()
            found[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return found


def peak_mb(name: str, folder: Path, texts: Sequence[str]) -> float:
    """MB that one of them takes, loading included, in this process."""
    registry.backend("torch").start()
    registry.task(contenders.CLASSIFICATION)
    baseline = resident_bytes()
    MemoryMeter()  # the peak starts here
    if name == OURS:
        contenders.exact(folder, texts)()
    else:
        contenders.bare_loop(folder, texts)()
    return (peak_resident_bytes() - baseline) / MB


def fresh_peaks(name: str, folder: Path, texts: Sequence[str]) -> list[float]:
    """The same, in processes of its own."""
    context = get_context("spawn")
    found = []
    for _ in range(PROCESSES):
        with context.Pool(1) as pool:
            found.append(pool.apply(peak_mb, (name, folder, texts)))
    return found


def measured(kind: str, folder: Path, texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """One line: ours over the loop, median, least and most; MB of each."""
    found = times(folder, texts, rounds)
    line: dict[str, Any] = {"model": folder.name, "texts": kind, "rows": len(texts)}
    for place, name in enumerate(("wall", "processor")):
        ratios = [ours[place] / loop[place] for ours, loop in zip(found[OURS], found[LOOP], strict=True)]
        line[name] = [statistics.median(ratios), min(ratios), max(ratios)]
    for name, key in ((OURS, "mb"), (LOOP, "loop_mb")):
        peaks = fresh_peaks(name, folder, texts)
        line[key] = [statistics.median(peaks), min(peaks), max(peaks)]
    return line


def _show(line: Mapping[str, Any]) -> None:
    wall, processor = ("{:.3f} [{:.3f}, {:.3f}]".format(*line[name]) for name in ("wall", "processor"))
    ours, loop = line["mb"], line["loop_mb"]
    memory = f"{ours[0]:.0f} / {loop[0]:.0f} = {ours[0] / loop[0]:.2f}"
    spread = f"[{ours[1]:.0f}–{ours[2]:.0f}, {loop[1]:.0f}–{loop[2]:.0f}]"
    print(f"{line['model']:<24} {line['texts']:<6} {wall:<22} {processor:<22} {memory} {spread}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data", type=Path, help="labelled texts; SST-2 by default, else the sample tickets")
    parser.add_argument("--models", type=Path, help="folder of classifiers")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args(arguments)
    load, lines = environment.load_average(), []
    short = rows.short_texts(options.rows, options.data)
    if not options.json:
        print(f"{'model':<24} {'texts':<6} {'wall, ours / loop':<22} {'processor time':<22} peak MB, ours / loop")
    for folder in rows.classifiers(options.models):
        for kind, texts in (("short", short), ("long", rows.long_tailed(short))):
            lines.append(measured(kind, folder, texts, options.rounds))
            if not options.json:
                _show(lines[-1])
    if options.json:
        print(document("overhead", arguments, load, rounds=options.rounds, processes=PROCESSES, lines=lines))
        return 0
    machine, after = environment.fingerprint("cpu"), environment.load_average()
    print(f"{len(short)} rows, {options.rounds} rounds, {machine}, load {after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
