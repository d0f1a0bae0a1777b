"""How far the latency ratio of two near-equal models is off while a neighbour comes and goes on the same machine.

    python -m bench.latency [--runs 30] [--calls 100] [--threads 1] [--models FOLDER FOLDER]

In each run the two are timed one after the other, as benchmarks of one model do, and together, as Shortlist does
(`core.engine.latency`), in random order, with the same requests and as many calls of each. One after the other, the
ratio is that of the medians, its interval a bootstrap that resamples both series. The neighbour is one process per core
that computes for a while, rests for a while, and again. It changes the ratio itself by a few percent, so truth is a
long joint measurement beside it, before and after all runs; that of the quiet machine is told, too. Without `--models`,
two BERT classifiers of MiniLM's width with random weights are made, of 6 and of 4 layers.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.document import document
from core.analysis.intervals import Interval
from core.analysis.latency_ratio import NoiseFloor, against_itself, median_interval, paired_ratios
from core.engine import environment, latency
from core.engine.request import Call, Request, requests
from core.engine.worker import Job
from core.jobs.local import LocalWorker
from core.records import Failure, Protocol, TrialSpec, Variant

REPO = Path(__file__).resolve().parent.parent
ROWS = REPO / "samples/data/tickets.csv"
TOKENIZER = REPO / "samples/models/helpdesk-lab/ticket-router-bert-mini"
APART, TOGETHER = "one after the other", "together"
BUSY_SECONDS, REST_SECONDS = 1.0, 1.5
"""Of a neighbour's process, on average; both are drawn anew each time."""
TRUTH_CALLS = 600
CLEAR = 1.15
"""A true ratio that must never come out the wrong way round."""
RESAMPLES = 1000

Measure = Callable[[Sequence[LocalWorker], int, str], "Found"]


@dataclass(frozen=True)
class Found:
    """One measurement of the ratio."""

    ratio: Interval
    floor: NoiseFloor | None = None


def alone(workers: Sequence[LocalWorker], calls: int, session: str) -> Found:
    """The first model's median time over the second's, timed one after the other."""
    first, second = (_calls(worker, calls) for worker in workers)
    generator = np.random.default_rng(0)
    drawn = [np.median(one[generator.integers(calls, size=(RESAMPLES, calls))], axis=1) for one in (first, second)]
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    return Found(Interval(float(np.median(first) / np.median(second)), float(low), float(high)))


def _calls(worker: LocalWorker, calls: int) -> NDArray[np.float64]:
    """Nanoseconds of each call, after ten that warm up."""
    warm_up = Protocol().warmup
    asked = islice(requests(len(_texts()), 1), warm_up + calls)
    return np.array([_timed(worker)(request).total for request in asked], dtype=np.float64)[warm_up:]


def together(workers: Sequence[LocalWorker], calls: int, session: str) -> Found:
    """The same ratio from calls paired by request, timed by turns."""
    protocol = Protocol(min_calls=calls, min_seconds=0, max_seconds=600)
    subjects = [latency.Subject(_timed(worker)) for worker in workers]
    first, second = latency.joint(subjects, requests(len(_texts()), 1), protocol, session=session)
    if first is None or second is None:
        raise RuntimeError("a model does not fit in memory")
    return Found(median_interval(paired_ratios(first, second)), against_itself("first", first))


def _timed(worker: LocalWorker) -> Callable[[Request], Call]:
    def timed(request: Request) -> Call:
        answer = worker.time(request)
        if isinstance(answer, Failure):
            raise latency.Dropout
        return answer

    return timed


@cache
def _texts() -> list[str]:
    with ROWS.open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


@dataclass(frozen=True)
class Line:
    """One way to measure, over all runs."""

    method: str
    runs: int
    median_error: float
    """Of the ratio, as a share of the true one."""
    worst_error: float
    wrong_order: int | None
    """Runs in which the slower model came out faster; None where the true ratio is too near to 1 to count them."""
    coverage: float
    """Share of runs whose 95 % interval holds the true ratio."""
    noisy: int | None
    """Runs that were said to be too noisy to trust; None where nothing would say it."""


def summarise(method: str, found: Sequence[Found], truth: float) -> Line:
    """What a method's runs are worth; `truth` is above 1."""
    ratios = [one.ratio for one in found]
    errors = [abs(one.value / truth - 1) for one in ratios]
    wrong = sum(one.value <= 1 for one in ratios) if truth >= CLEAR else None
    covered = sum(one.low <= truth <= one.high for one in ratios)
    noisy = [one.floor.noisy for one in found if one.floor]
    return Line(
        method, len(found), float(np.median(errors)), max(errors), wrong, covered / len(found),
        sum(noisy) if noisy else None,
    )  # fmt: skip


@contextmanager
def neighbour() -> Iterator[None]:
    """Somebody else's work: a process per core that comes and goes."""
    context = get_context("spawn")
    processes = [context.Process(target=_burn, args=(seed,), daemon=True) for seed in range(environment.cores())]
    for process in processes:
        process.start()
    time.sleep(1)  # they are up
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _burn(seed: int) -> None:
    draw = random.Random(seed)
    while True:
        time.sleep(draw.expovariate(1 / REST_SECONDS))
        end = time.monotonic() + draw.expovariate(1 / BUSY_SECONDS)
        while time.monotonic() < end:
            sum(range(10_000))


@contextmanager
def loaded(folders: Sequence[Path], threads: int) -> Iterator[list[LocalWorker]]:
    """Both models in processes of their own, idle."""
    inputs = tuple({"text": text} for text in _texts())
    variant, protocol = Variant(threads=threads), Protocol(timeout_seconds=1e6)
    with ExitStack() as stack:
        workers = []
        for folder in folders:
            spec = TrialSpec("", folder.name, "", "text-classification", "", variant, ("accuracy",), protocol=protocol)
            worker = stack.enter_context(closing(LocalWorker(protocol, lambda: False)))
            worker.load(Job(spec, str(folder), inputs), lambda _: None)
            workers.append(worker)
        yield workers


def make(folder: Path, layers: int) -> Path:
    """A BERT classifier of MiniLM's width with random weights: what it says does not matter here."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(TOKENIZER)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=384, num_hidden_layers=layers, num_attention_heads=12,
        intermediate_size=1536, max_position_embeddings=512,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def compare(workers: Sequence[LocalWorker], runs: int, calls: int) -> dict[str, Any]:
    """The ratio on the quiet machine; then, beside the neighbour, truth, `runs` rounds of both methods, truth again."""
    quiet = together(workers, TRUTH_CALLS, "quiet")
    methods: dict[str, Measure] = {APART: alone, TOGETHER: together}
    found: dict[str, list[Found]] = {name: [] for name in methods}
    draw = random.Random(0)
    with neighbour():
        truths = [together(workers, TRUTH_CALLS, "before")]
        for run in range(runs):
            for name in draw.sample(list(methods), len(methods)):
                found[name].append(methods[name](workers, calls, f"run {run}"))
            print(f"\r{run + 1} of {runs} runs", end="", file=sys.stderr, flush=True)
        truths.append(together(workers, TRUTH_CALLS, "after"))
    print(file=sys.stderr)
    truth = float(np.mean([one.ratio.value for one in truths]))
    return {
        "quiet": asdict(quiet),
        "truth": truth,
        "truths": [asdict(one) for one in truths],
        "lines": [asdict(summarise(name, values, truth)) for name, values in found.items()],
        "ratios": {name: [asdict(one) for one in values] for name, values in found.items()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--calls", type=int, default=100, help="of each model in a run")
    parser.add_argument("--threads", type=int, default=1, help="of each model")
    parser.add_argument("--models", type=Path, nargs=2, help="two text classifiers, the slower one first")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args(arguments)
    started, load = time.monotonic(), environment.load_average()
    place = Path(tempfile.mkdtemp(prefix="shortlist-bench-"))
    try:
        folders = options.models or [make(place / f"{layers} layers", layers) for layers in (6, 4)]
        with loaded([folder.resolve() for folder in folders], options.threads) as workers:
            result = compare(workers, options.runs, options.calls)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    result |= {"seconds": time.monotonic() - started, "load_before": load}
    print(
        document("latency", arguments, load, **result)
        if options.json
        else _table(result, [one.name for one in folders])
    )
    return 0


def _table(result: dict[str, Any], names: Sequence[str]) -> str:
    ratios = [one["ratio"] for one in result["truths"]]
    truths = " and ".join(f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})" for one in ratios)
    varies, quiet = max(one["floor"]["cv"] for one in result["truths"]), result["quiet"]["ratio"]["value"]
    lines = [
        f"{names[0]} over {names[1]}, batch 1, {environment.fingerprint('cpu')}, load before {result['load_before']}",
        f"true ratio {result['truth']:.3f}, from {truths} before and after; {quiet:.3f} without the neighbour",
        f"the same request varied by {varies:.0%}",
        f"{'measured':<22} {'runs':>5} {'median error':>13} {'worst':>8} {'wrong order':>12} "
        f"{'holds truth':>12} {'said noisy':>11}",
    ]
    for line in result["lines"]:
        wrong = "-" if line["wrong_order"] is None else f"{line['wrong_order']} of {line['runs']}"
        noisy = "-" if line["noisy"] is None else line["noisy"]
        lines.append(
            f"{line['method']:<22} {line['runs']:>5} {line['median_error']:>13.1%} {line['worst_error']:>8.1%} "
            f"{wrong:>12} {line['coverage']:>12.0%} {noisy:>11}"
        )
    return "\n".join([*lines, f"{result['seconds']:.0f} seconds in all"])


if __name__ == "__main__":
    sys.exit(main())
