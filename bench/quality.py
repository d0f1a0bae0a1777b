"""Wall time of the quality pass beside other ways to the same answers.

    python -m bench.quality [--rows 400] [--rounds 5] [--only short long generation] [--data FILE] [--models FOLDER]

All contenders live in one process, each with a model of its own that is loaded once, and run the same rows in turn, in
an order drawn anew each round. A pass goes from texts to answers: tokenising counts, and so does our calibration;
loading does not. All of them wait passively in OpenMP, so that a busy neighbour does not decide the comparison. Ratios
are taken within a round; the table gives their median [least, most].
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from bench import contenders, rows
from core.engine import environment

EXACT, SCREENED = "ours, exact", "ours, screened"
TABLES = ("short", "long", "generation")


@dataclass(frozen=True)
class Round:
    """Seconds and answers of each contender in one round."""

    seconds: Mapping[str, float]
    answers: Mapping[str, Sequence[str]]


def compare(passes: Mapping[str, contenders.Pass], rounds: int, seed: int = 0) -> list[Round]:
    """Run every contender `rounds` times, in turn. The first pass of each is not counted."""
    draw = random.Random(seed)
    for one in passes.values():
        one()
    result = []
    for _ in range(rounds):
        seconds, answers = {}, {}
        for name in draw.sample(list(passes), len(passes)):
            started = time.perf_counter()
            answers[name] = passes[name]()
            seconds[name] = time.perf_counter() - started
        result.append(Round(seconds, answers))
    return result


def made(makers: Mapping[str, contenders.Make], folder: Path, texts: Sequence[str]) -> dict[str, contenders.Pass]:
    """The contenders, ready. One whose packages are missing is left out, with a line that says so."""
    passes = {}
    for name, make in makers.items():
        try:
            passes[name] = make(folder, texts)
        except ImportError as error:
            print(f"left out: {name}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
    return passes


def lines(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """One line per contender: median seconds, how many times faster we are, and the share of answers like ours."""
    result = []
    for name in rounds[0].seconds if rounds else ():
        equal = [a == b for one in rounds for a, b in zip(one.answers[name], one.answers[EXACT], strict=True)]
        line: dict[str, Any] = {
            "contender": name,
            "seconds": round(statistics.median(one.seconds[name] for one in rounds), 3),
            "equal": round(statistics.fmean(equal), 4),
        }
        for ours in (EXACT, SCREENED):
            if ours in rounds[0].seconds:
                ratios = [one.seconds[name] / one.seconds[ours] for one in rounds]
                line[ours] = [round(pick(ratios), 2) for pick in (statistics.median, min, max)]
        result.append(line)
    order = [*contenders.CLASSIFIERS, *contenders.GENERATORS]
    return sorted(result, key=lambda line: order.index(line["contender"]))


def show(title: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Print a table."""
    print(f"\n{title}")
    print(f"{'':<22} {'seconds':>8}   {'× our exact pass':<22} {'× our screened pass':<22} {'same answers':>12}")
    for line in found:
        ratios = [
            f"{line[ours][0]:.2f} [{line[ours][1]:.2f}, {line[ours][2]:.2f}]" if ours in line else ""
            for ours in (EXACT, SCREENED)
        ]
        print(
            f"{line['contender']:<22} {line['seconds']:>8.3f}   {ratios[0]:<22} {ratios[1]:<22} {line['equal']:>12.2%}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--contenders", nargs="+", default=(), metavar="WORD", help="those with this in their name")
    parser.add_argument("--data", type=Path, help="labelled texts; SST-2 by default, else the sample tickets")
    parser.add_argument("--models", type=Path, help="folder of classifiers")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the tables")
    options = parser.parse_args(arguments)
    folders = rows.classifiers(options.models)
    if not folders:
        print(f"error: no checkpoints below {options.models}", file=sys.stderr)
        return 2

    short = rows.short_texts(options.rows, options.data)
    writer, tickets = rows.summarization(options.rows)
    work = [
        *(("short", folder, short, contenders.CLASSIFIERS) for folder in folders),
        *(("long", folder, rows.long_tailed(short), contenders.CLASSIFIERS) for folder in folders),
        ("generation", writer, tickets, contenders.GENERATORS),
    ]
    tables = []
    for kind, folder, texts, makers in work:
        if kind not in options.only:
            continue
        chosen = {
            name: make
            for name, make in makers.items()
            if name == EXACT or not options.contenders or any(word in name for word in options.contenders)
        }
        before = environment.load_average()
        found = lines(compare(made(chosen, folder, texts), options.rounds))
        load = [before, environment.load_average()]
        tables.append({"table": kind, "model": folder.name, "rows": len(texts), "load": load, "lines": found})
        if not options.json:
            words = sorted(len(text.split()) for text in texts)
            spread = f"words median {words[len(words) // 2]}, p95 {words[len(words) * 95 // 100]}"
            show(f"{kind}: {folder.name}, {len(texts)} rows, {spread}, load {load[0]} to {load[1]}", found)
    if options.json:
        described = {"environment": environment.describe(), "rounds": options.rounds, "tables": tables}
        print(json.dumps(described, indent=2))
    else:
        print(f"\n{options.rounds} rounds, median [least, most], {environment.fingerprint('cpu')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
