"""Wall time of the quality pass beside other ways to the same answers.

    python -m bench.quality [--rows 400] [--rounds 5] [--only short long embeddings generation compiled]
                            [--sizes minilm distilbert bert-base] [--texts tweets | --data FILE] [--contenders WORD …]

All contenders live in one process, each with a model of its own that is loaded once, and run the same rows in turn, in
an order drawn anew each round. A pass goes from texts to answers: tokenising counts, and so does our calibration;
loading does not. All of them wait passively in OpenMP, so that a busy neighbour does not decide the comparison. Ratios
are taken within a round; the table gives their median [least, most]. Beside them: the share of answers that are those
of our exact pass, and the largest difference of a logit (of an embedding's value) from it.

`compiled` shows what compiled layers are worth once the compiler is done; a trial has to wait for it.
The checkpoints at hand, or those of `--models`, stand for `minilm`; larger ones are grown from one (`bench.sized`).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from bench import contenders, rows, sized
from bench.document import document
from core.engine import environment

EXACT, SCREENED = contenders.OURS, "ours, screened"
TABLES = ("short", "long", "embeddings", "generation", "compiled")
SIZES = tuple(sized.SHAPES)


@dataclass(frozen=True)
class Round:
    """Seconds and answers of each contender in one round."""

    seconds: Mapping[str, float]
    answers: Mapping[str, contenders.Answers]


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
    """One line per contender: seconds, how many times faster we are, the share of answers like ours, and the largest
    difference of an output; None where it gives none out.
    """
    return [_line(name, rounds) for name in sorted(rounds[0].seconds, key=_place)] if rounds else []


def _line(name: str, rounds: Sequence[Round]) -> dict[str, Any]:
    seconds = [one.seconds[name] for one in rounds]
    pairs = [(one.answers[name], one.answers[EXACT]) for one in rounds]
    equal = [a == b for theirs, ours in pairs for a, b in zip(theirs.said, ours.said, strict=True)]
    differences = [difference(theirs, ours) for theirs, ours in pairs]
    line: dict[str, Any] = {
        "contender": name,
        "seconds": _spread(seconds, 3),
        "equal": round(statistics.fmean(equal), 4),
        "difference": None if None in differences else max(one for one in differences if one is not None),
    }
    for ours in (EXACT, SCREENED):
        if ours in rounds[0].seconds:
            line[ours] = _spread([one.seconds[name] / one.seconds[ours] for one in rounds], 2)
    return line


def difference(theirs: contenders.Answers, ours: contenders.Answers) -> float | None:
    """Largest between two outputs of the same row; None where either gives none out."""
    if theirs.outputs is None or ours.outputs is None:
        return None
    expected = ours.outputs.max(axis=1) if theirs.outputs.ndim == 1 else ours.outputs
    return float(np.abs(theirs.outputs - expected).max())


def _spread(values: Sequence[float], digits: int) -> list[float]:
    """Median, least, most."""
    return [round(pick(values), digits) for pick in (statistics.median, min, max)]


def _place(name: str) -> int:
    known = [*contenders.COMPILERS, *contenders.CLASSIFIERS, *contenders.ENCODERS, *contenders.SUMMARIZERS]
    return known.index(name)


def show(table: Mapping[str, Any]) -> None:
    """Print a table."""
    words = "words median {}, p95 {}".format(*table["words"])
    load = "{} to {}".format(*table["load"])
    print(f"\n{table['table']}: {table['model']}, {table['rows']} rows, {words}, load {load}")
    print(
        f"{'':<22} {'seconds':>8}   {'× our exact pass':<22} {'× our screened pass':<22} {'same answers':>12} differ by"
    )
    for line in table["lines"]:
        ratios = ["{:.2f} [{:.2f}, {:.2f}]".format(*line[ours]) if ours in line else "" for ours in (EXACT, SCREENED)]
        differs = "" if line["difference"] is None else f"{line['difference']:.1e}"
        print(
            f"{line['contender']:<22} {line['seconds'][0]:>8.3f}   {ratios[0]:<22} {ratios[1]:<22} "
            f"{line['equal']:>12.2%} {differs:>9}"
        )


@dataclass(frozen=True)
class Work:
    """A table to be."""

    table: str
    model: str
    folder: Path
    source: str
    """Where the texts are from."""
    texts: Sequence[str]
    makers: Mapping[str, contenders.Make]


def works(options: argparse.Namespace, place: Path) -> Iterator[Work]:
    """The tables that are asked for, models that have to be made in `place` included."""
    texts = rows.short_texts(options.rows, options.data or rows.NAMED[options.texts])
    classifiers = _classifiers(options, place) if set(options.only) - {"generation"} else {}
    source = options.data.name if options.data else options.texts
    tailed = rows.long_tailed(texts)
    for table, some, makers in (
        ("short", texts, contenders.CLASSIFIERS),
        ("long", tailed, contenders.CLASSIFIERS),
        ("compiled", texts, contenders.COMPILERS),
    ):
        if table in options.only:
            for name, folder in classifiers.items():
                yield Work(table, name, folder, source, some, makers)
    if "embeddings" in options.only:
        for name, folder in classifiers.items():
            bare = sized.encoder(place / f"{name} encoder", folder)
            yield Work("embeddings", name, bare, source, tailed[: len(tailed) // 2 * 2], contenders.ENCODERS)
    if "generation" in options.only:
        summarizer, tickets = rows.summarization(options.rows)
        yield Work("generation", summarizer.name, summarizer, "sample tickets", tickets, contenders.SUMMARIZERS)
        writer = sized.writer(place / "llama", summarizer)
        yield Work("generation", "llama, random weights", writer, "sample tickets", tickets, contenders.WRITERS)


def _classifiers(options: argparse.Namespace, place: Path) -> dict[str, Path]:
    """What is measured, by name."""
    at_hand = rows.classifiers(options.models)
    found = {folder.name: folder for folder in at_hand} if "minilm" in options.sizes else {}
    larger = [size for size in options.sizes if size != "minilm"]
    seed = next(filter(sized.can_grow, at_hand), None) if larger else None
    if seed is None:
        for size in larger:
            print(f"left out: {size}: there is no classifier of MiniLM's shape to grow it from", file=sys.stderr)
        return found
    labelled = rows.labelled()
    return found | {size: sized.classifier(size, place / size, seed, labelled) for size in larger}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES[:-1])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=("minilm",))
    parser.add_argument("--contenders", nargs="+", default=(), metavar="WORD", help="those with this in their name")
    parser.add_argument("--texts", choices=rows.NAMED, default="sst2", help="by name; the sample tickets if not there")
    parser.add_argument("--data", type=Path, help="labelled texts of your own, or a text on each line of a .txt")
    parser.add_argument("--models", type=Path, help="folder of classifiers")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the tables")
    options = parser.parse_args(arguments)
    if not rows.classifiers(options.models):
        print(f"error: no checkpoints below {options.models}", file=sys.stderr)
        return 2

    tables, before = [], environment.load_average()
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as place:
        for work in works(options, Path(place)):
            tables.append(measured(work, options.rounds, options.contenders))
            if not options.json:
                show(tables[-1])
    if options.json:
        print(document("quality", arguments, before, rounds=options.rounds, tables=tables))
    else:
        print(f"\n{options.rounds} rounds, median [least, most], {environment.fingerprint('cpu')}")
    return 0


def measured(work: Work, rounds: int, wanted: Sequence[str]) -> dict[str, Any]:
    """One table; `wanted` are words in the names of contenders, all when empty. Ours is always there."""
    chosen = {
        name: make
        for name, make in work.makers.items()
        if name == EXACT or not wanted or any(word in name for word in wanted)
    }
    before = environment.load_average()
    found = lines(compare(made(chosen, work.folder, work.texts), rounds))
    words = sorted(len(text.split()) for text in work.texts)
    return {
        "table": work.table,
        "model": work.model,
        "texts": work.source,
        "rows": len(work.texts),
        "words": [words[len(words) // 2], words[len(words) * 95 // 100]],
        "load": [before, environment.load_average()],
        "lines": found,
    }


if __name__ == "__main__":
    sys.exit(main())
