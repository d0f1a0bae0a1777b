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
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from bench import contenders, rows
from core import registry
from core.engine import environment
from core.engine.memory import MB, MemoryMeter, peak_resident_bytes, resident_bytes

OURS, LOOP = "ours", "bare loop"
PROCESSES = 3
"""Fresh processes of each, for memory."""


def passes(folder: Path, texts: Sequence[str]) -> dict[str, Callable[[], list[str]]]:
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
    ours, loop = (one() for one in both.values())
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data", type=Path, help="labelled texts; SST-2 by default, else the sample tickets")
    parser.add_argument("--models", type=Path, help="folder of classifiers")
    options = parser.parse_args(arguments)
    short = rows.short_texts(options.rows, options.data)
    print(f"{'model':<24} {'texts':<6} {'wall, ours / loop':<22} {'processor time':<22} peak MB, ours / loop")
    for folder in rows.classifiers(options.models):
        for kind, texts in (("short", short), ("long", rows.long_tailed(short))):
            found = times(folder, texts, options.rounds)
            columns = []
            for which in (0, 1):
                ratios = [ours[which] / loop[which] for ours, loop in zip(found[OURS], found[LOOP], strict=True)]
                columns.append(f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")
            ours, loop = (fresh_peaks(name, folder, texts) for name in (OURS, LOOP))
            memory = f"{statistics.median(ours):.0f} / {statistics.median(loop):.0f}"
            ratio = statistics.median(ours) / statistics.median(loop)
            spread = f"[{min(ours):.0f}–{max(ours):.0f}, {min(loop):.0f}–{max(loop):.0f}]"
            print(f"{folder.name:<24} {kind:<6} {columns[0]:<22} {columns[1]:<22} {memory} = {ratio:.2f} {spread}")
    machine, load = environment.fingerprint("cpu"), environment.load_average()
    print(f"{len(short)} rows, {options.rounds} rounds, {machine}, load {load}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
