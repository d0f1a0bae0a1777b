"""Wall time of the quality pass beside `evaluate.evaluator` and `transformers.pipeline(batch_size=32)`.

    python -m bench.quality [--rows 300] [--rounds 5] [--data FILE] [--models FOLDER]

Each contender has a process of its own, loads the model once, and runs the same rows in turn with the others, in an
order drawn anew each round. A pass goes from texts to labels: tokenising counts, loading does not. All of them wait
passively in OpenMP, so that a busy neighbour does not decide the comparison. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from core import data, registry
from core.engine import environment, quality
from core.engine.events import Event, Rows
from core.records import DatasetSpec, Sample, Variant
from core.tasks.base import Context

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"
OURS = "shortlist"
TASK = "text-classification"

Pass = Callable[[], list[str]]
"""Predicts every row once; returns the model's labels in row order."""


def shortlist(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist's quality pass at its default protocol."""
    task = registry.task(TASK)
    session = registry.backend("torch").load(folder, task, Variant())
    context = Context(model_labels=session.model_labels)
    rows = [{"text": text} for text in texts]

    def run() -> list[str]:
        answers = [""] * len(rows)

        def emit(event: Event) -> None:
            if isinstance(event, Rows):
                for position, prediction in zip(event.positions, event.predictions, strict=True):
                    answers[position] = prediction["answer"]

        quality.run(session, task, rows, context, done=(), emit=emit)
        return answers

    return run


def pipeline_32(folder: Path, texts: Sequence[str]) -> Pass:
    """`transformers.pipeline(batch_size=32)` over the texts in their order."""
    pipeline = _pipeline(folder)
    return lambda: [answer["label"] for answer in pipeline(list(texts), batch_size=32, truncation=True)]


def evaluator(folder: Path, texts: Sequence[str]) -> Pass:
    """The evaluator of text-classification, as its documentation shows it, around the same pipeline."""
    import datasets
    import evaluate

    _mend_evaluator()
    pipeline = _pipeline(folder)
    labels = pipeline.model.config.label2id
    answers: list[str] = []

    class Collect(evaluate.Metric):  # type: ignore[misc]
        """Stands in for a metric, whose code `evaluate` would fetch from the Hub; keeps the predictions."""

        def _info(self) -> Any:
            features = datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            )
            return evaluate.MetricInfo(description="", citation="", features=features)

        def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
            names = {index: name for name, index in labels.items()}
            answers[:] = [names[int(index)] for index in predictions]
            return {"rows": float(len(references))}

    rows = datasets.Dataset.from_dict({"text": list(texts), "label": [0] * len(texts)})
    judge, metric = evaluate.evaluator(TASK), Collect()
    pipeline._preprocess_params["truncation"] = True

    def run() -> list[str]:
        judge.compute(model_or_pipeline=pipeline, data=rows, metric=metric, label_mapping=labels)
        return list(answers)

    return run


CONTENDERS: Mapping[str, Callable[[Path, Sequence[str]], Pass]] = {
    OURS: shortlist,
    "evaluate.evaluator": evaluator,
    "pipeline(batch_size=32)": pipeline_32,
}


def _pipeline(folder: Path) -> Any:
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(environment.cores())
    return transformers.pipeline(TASK, model=str(folder), dtype=torch.float32, device="cpu")


def _mend_evaluator() -> None:
    """Version 0.4.6 asks transformers for a TensorFlow class that version 5 no longer has."""
    import importlib

    base = importlib.import_module("evaluate.evaluator.base")

    class Transformers:
        TFPreTrainedModel = type("TFPreTrainedModel", (), {})

        def __init__(self, module: Any) -> None:
            self._module = module

        def __getattr__(self, name: str) -> Any:
            return getattr(self._module, name)

    base.transformers = Transformers(base.transformers)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Round:
    """Seconds and labels of each contender in one round."""

    seconds: Mapping[str, float]
    labels: Mapping[str, Sequence[str]]


def compare(folder: Path, texts: Sequence[str], rounds: int, seed: int = 0) -> list[Round]:
    """Run every contender `rounds` times on the same rows, in turn. The first pass of each is not counted."""
    draw = random.Random(seed)
    with _processes(folder, texts) as connections:
        for name in connections:
            _ask(connections[name])
        result = []
        for _ in range(rounds):
            order = draw.sample(list(connections), len(connections))
            answers = {name: _ask(connections[name]) for name in order}
            result.append(Round({k: v[0] for k, v in answers.items()}, {k: v[1] for k, v in answers.items()}))
    return result


@contextmanager
def _processes(folder: Path, texts: Sequence[str]) -> Iterator[dict[str, Connection]]:
    context = get_context("spawn")
    connections, processes = {}, []
    for name in CONTENDERS:
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(name, folder, texts, there), daemon=True)
        process.start()
        there.close()
        processes.append(process)
        connections[name] = here
    try:
        yield connections
    finally:
        for connection in connections.values():
            connection.close()
        for process in processes:
            process.join()


def _serve(name: str, folder: Path, texts: Sequence[str], connection: Connection) -> None:
    one_pass = CONTENDERS[name](folder, texts)
    while True:
        try:
            connection.recv_bytes()
        except EOFError:
            return
        started = time.perf_counter()
        labels = one_pass()
        connection.send((time.perf_counter() - started, labels))


def _ask(connection: Connection) -> tuple[float, list[str]]:
    connection.send_bytes(b"run")
    seconds, labels = connection.recv()
    return seconds, labels


def table(model: str, rows: int, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """One line per contender: median seconds, how many times our time it takes, and how often labels agree."""
    lines = []
    for name in CONTENDERS:
        ratios = [one.seconds[name] / one.seconds[OURS] for one in rounds]
        equal = [a == b for one in rounds for a, b in zip(one.labels[name], one.labels[OURS], strict=True)]
        lines.append(
            {
                "model": model,
                "contender": name,
                "seconds": round(statistics.median(one.seconds[name] for one in rounds), 3),
                "rows_per_second": round(rows / statistics.median(one.seconds[name] for one in rounds), 1),
                "ratio": round(statistics.median(ratios), 2),
                "ratio_low": round(min(ratios), 2),
                "ratio_high": round(max(ratios), 2),
                "equal_labels": round(statistics.fmean(equal), 4),
            }
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=SHARED / "data/text-classification/sst2/test.tsv")
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder of checkpoints")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args(arguments)
    folders = sorted(file.parent for file in options.models.glob("*/config.json"))
    if not folders or not options.data.is_file():
        print(f"error: no checkpoints below {options.models} or no file {options.data}", file=sys.stderr)
        return 2

    spec = DatasetSpec(path=str(options.data), sample=Sample(options.rows, stratify=False))
    _, evalset = data.load(spec, registry.task(TASK))
    texts = [row["text"] for row in evalset.inputs]
    lines = []
    for folder in folders:
        lines += table(folder.name, len(texts), compare(folder, texts, options.rounds))
    if options.json:
        print(json.dumps({"environment": environment.describe(), "rows": len(texts), "results": lines}, indent=2))
        return 0
    print(f"{len(texts)} rows of {options.data.name}, {options.rounds} rounds, {environment.fingerprint('cpu')}")
    print(f"{'model':<18} {'contender':<24} {'seconds':>8} {'rows/s':>8}  {'× our time [min, max]':<22} {'same':>8}")
    for line in lines:
        ratio = f"{line['ratio']:.2f} [{line['ratio_low']:.2f}, {line['ratio_high']:.2f}]"
        print(
            f"{line['model']:<18} {line['contender']:<24} {line['seconds']:>8.3f} {line['rows_per_second']:>8.1f}  "
            f"{ratio:<22} {line['equal_labels']:>8.2%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
