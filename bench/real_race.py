"""Real models until the winner is known, by Shortlist's own runner and by the evaluator in a loop."""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bench.rows import REPO, SENTIMENTS, TASK, classifiers, labelled
from core.engine import environment
from core.records import DatasetSpec, Plan, PlanCandidate, Protocol, RunResult

if TYPE_CHECKING:
    from core.store import Store

NOISE = (0.0, 0.4)
"""Least and most noise on the weights of a candidate, over their standard deviation."""
ROUTERS = ("helpdesk-lab/ticket-router-bert-tiny", "helpdesk-lab/ticket-router-bert-mini",
           "opendesk/distil-ticket-router", "northgate/ticket-roberta-deep", "quietmail/ticket-electra-small",
           "quietmail/ticket-albert-shared", "aurora-nlp/ticket-router-pro")  # fmt: skip


@dataclass(frozen=True)
class Way:
    """One way to the winner."""

    seconds: float
    answered: int
    """Rows, over all candidates."""
    accuracies: Mapping[str, float]
    winner: str


def main(options: Namespace, arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    from bench.document import document

    load = environment.load_average()
    rows = labelled(options.data or ())
    size = min((options.rows or [len(rows)])[0], len(rows))
    lines = []
    with tempfile.TemporaryDirectory(prefix="bench-decision-") as folder:
        place = Path(folder)
        candidates = made(options.candidates, options.models, place, rows)
        warm_up(place, candidates[:1], rows[:32])
        for repeat in range(options.repeats or 5):
            draw = Random(repeat)
            file = written(place, draw.sample(rows, size))
            order = draw.sample(candidates, len(candidates))
            ways = {
                "full": partial(ours, place, file, order, Protocol(latency_batch_sizes=(), screen=not options.exact))
            }
            ways["raced"] = partial(
                ours, place, file, order, Protocol(latency_batch_sizes=(), screen=not options.exact, race=True)
            )
            if repeat < options.evaluators:
                ways["evaluator"] = partial(theirs, file, candidates, options.evaluated or len(candidates))
            found = {way: ways[way]() for way in draw.sample(list(ways), len(ways))}
            lines.append(found)
            if not options.json:
                print(_line(repeat, found), file=sys.stderr, flush=True)
    if options.json:
        repeats = [{way: vars(one) for way, one in found.items()} for found in lines]
        facts = {"rows": size, "candidates": len(candidates), "screened": not options.exact, "repeats": repeats}
        print(document("decision", arguments, load, **facts))
    else:
        _show(lines, size, len(candidates), screened=not options.exact)
    return 0


def ours(place: Path, file: Path, candidates: Sequence[Path], protocol: Protocol) -> Way:
    """By Shortlist."""
    started = time.perf_counter()
    result = run(place, file, candidates, protocol)
    return _way(time.perf_counter() - started, result)


def theirs(file: Path, candidates: Sequence[Path], measured: int) -> Way:
    """By the evaluator, over the first `measured` candidates; what all take follows from them. Imports count once."""
    started = time.perf_counter()
    with get_context("spawn").Pool(1) as pool:
        accuracies, spent = pool.apply(_evaluated, (file, list(candidates[:measured])))
    seconds = time.perf_counter() - started + spent * (len(candidates) / measured - 1)
    answered = len(labelled([file])) * measured
    return Way(seconds, answered, accuracies, max(accuracies, key=accuracies.__getitem__))


def run(
    place: Path,
    file: Path,
    candidates: Sequence[Path],
    protocol: Protocol,
    open_store: Callable[[], Store] | None = None,
) -> RunResult:
    """As `python -m core run`, in a store of its own, so that nothing is known from before. Raises RuntimeError."""
    from core.engine.prepare import prepare
    from core.jobs.runner import Runner
    from core.store import Store

    planned = tuple(PlanCandidate(str(folder)) for folder in candidates)
    plan = Plan(TASK, DatasetSpec(path=str(file)), planned, metrics=("accuracy",), protocol=protocol)
    with _home(place):
        store = (open_store or Store)()
        name = store.submit(prepare(plan))
        Runner(store).work(name)
        result = store.run(name)
        store.close()
    failed = [outcome.failure.message for outcome in result.outcomes if outcome.failure]
    if failed:
        raise RuntimeError(failed[0])
    return result


def _way(seconds: float, result: RunResult) -> Way:
    from core.analysis.ranking import choose
    from core.analysis.summary import analyse

    analysis = analyse(result)
    accuracies = {Path(one.outcome.spec.model).name: one.scores["accuracy"].value for one in analysis.trials}
    leader = choose(analysis).leader
    assert leader is not None
    winner = Path(analysis.trial(leader).outcome.spec.model).name
    return Way(seconds, sum(one.rows_done for one in result.outcomes), accuracies, winner)


def _evaluated(file: Path, candidates: Sequence[Path]) -> tuple[dict[str, float], float]:
    """Accuracies by the evaluator, model after model, and the seconds that the models took, their loading included.

    In a process of its own: its imports count, as ours do.
    """
    from bench.contenders import evaluator

    rows = labelled([file])
    evaluator(candidates[0], [rows[0][0]])()  # what is imported late
    accuracies, spent = {}, 0.0
    for folder in candidates:
        started = time.perf_counter()
        answers = evaluator(folder, [text for text, _ in rows])().said
        spent += time.perf_counter() - started
        accuracies[folder.name] = statistics.fmean(a == label for a, (_, label) in zip(answers, rows, strict=True))
    return accuracies, spent


def written(place: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """The rows as a file."""
    file = place / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


def made(count: int, models: Path | None, place: Path, rows: Sequence[tuple[str, str]]) -> list[Path]:
    """Noisy copies of the checkpoints at hand; the sample models where the rows are not about sentiment."""
    if models is None and not {label for _, label in rows} <= set(SENTIMENTS):
        return [REPO / "samples/models" / name for name in ROUTERS][:count]
    folders = classifiers(models)
    low, high = NOISE
    return [
        _noisy(folders[index % len(folders)], place, low + (high - low) * index / count, index)
        for index in range(count)
    ]


def _noisy(folder: Path, place: Path, noise: float, seed: int) -> Path:
    """A copy that is a little worse, with Gaussian noise on every matrix, and with names for the labels of SST-2."""
    import torch
    from safetensors.torch import load_file, save_file

    copy = place / f"{folder.name}-{seed}"
    shutil.copytree(folder, copy)
    settings = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    settings["id2label"] = dict(enumerate(SENTIMENTS))
    settings["label2id"] = {label: index for index, label in enumerate(SENTIMENTS)}
    (copy / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    file, generator = copy / "model.safetensors", torch.Generator().manual_seed(seed)
    weights = load_file(file)
    for name, values in weights.items():
        if values.ndim == 2:
            weights[name] = values + noise * values.std() * torch.randn(values.shape, generator=generator)
    save_file(weights, file, {"format": "pt"})
    return copy


def warm_up(place: Path, candidates: Sequence[Path], rows: Sequence[tuple[str, str]]) -> None:
    """Start the fork server, which takes seconds once in the life of a runner."""
    run(place, written(place, rows), candidates, Protocol(latency_batch_sizes=()))


@contextmanager
def _home(place: Path) -> Iterator[None]:
    before = os.environ.get("SHORTLIST_HOME")
    os.environ["SHORTLIST_HOME"] = tempfile.mkdtemp(dir=place)
    try:
        yield
    finally:
        os.environ.pop("SHORTLIST_HOME")
        if before is not None:
            os.environ["SHORTLIST_HOME"] = before


def _behind(way: Way, full: Way) -> float:
    return max(full.accuracies.values()) - full.accuracies[way.winner]


def _line(repeat: int, found: Mapping[str, Way]) -> str:
    parts = [f"{way} {one.seconds:.1f} s ({one.answered:,} rows)" for way, one in sorted(found.items())]
    accuracies = sorted(found["full"].accuracies.values())
    behind = f"winner {100 * _behind(found['raced'], found['full']):.2f} points behind"
    return f"repeat {repeat}: {', '.join(parts)}; {behind}; accuracies {accuracies[0]:.3f} to {accuracies[-1]:.3f}"


def _show(lines: Sequence[Mapping[str, Way]], rows: int, candidates: int, *, screened: bool) -> None:
    how = "screened where that is exact" if screened else "float32 throughout"
    print(f"{candidates} candidates, {rows:,} rows, {len(lines)} repeats, {how}")
    print(f"load {environment.load_average()}, {environment.fingerprint('cpu')}")
    print(f"{'':<12} {'seconds':>9} {'rows answered':>14}   {'evaluator / this [min, max]':<28} {'within 1 point':>14}")
    slow = [one["evaluator"].seconds for one in lines if "evaluator" in one]
    for way in ("full", "raced", "evaluator"):
        taken = [one[way] for one in lines if way in one]
        if not taken:
            continue
        ratios = [statistics.median(slow) / one.seconds for one in taken] if slow else []
        times = f"{statistics.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]" if ratios else ""
        # Of an evaluator that ran some of them nothing can be said.
        whole = [one for one in lines if way in one and (way != "evaluator" or len(one[way].accuracies) == candidates)]
        near = f"{statistics.fmean(_behind(one[way], one['full']) <= 0.01 for one in whole):.0%}" if whole else ""
        print(
            f"{way:<12} {statistics.median(one.seconds for one in taken):>9.1f} "
            f"{statistics.median(one.answered for one in taken):>14,.0f}   {times:<28} {near:>14}"
        )
