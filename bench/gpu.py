"""The same models on a CPU and on a GPU: speed, answers, latency and memory.

    python bench/gpu.py --models FOLDER [--data FILE] [--devices cpu cuda] [--dtypes float32 tf32 bfloat16 float16]
                        [--rows 1821] [--rounds 3] [--out result.json]

Needs torch, transformers and numpy beside this repository, and nothing from the network. FOLDER holds checkpoints of
text classifiers, one per folder; FILE is a table (.csv or .tsv): its column `text` or `sentence`, else the first one.

Each model, device and precision has a process of its own. Rows per second are of whole passes from texts to answers,
tokenising and the search for a batch size counted, loading not; the ways to pass take turns, in an order drawn anew in
each round, after one pass each that is not counted: median [least, most]. Labels and logits are compared with those of
float32 on the CPU. A request is timed with the device synchronised, which is what a caller waits; beside it stands what
the GPU's own clock counted of it, from the model's first command to its last.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core import registry
from core.engine import environment, latency
from core.engine.backends.base import Session
from core.engine.backends.torch_copy import lowered
from core.engine.budget import Budget
from core.engine.memory import peak_resident_bytes
from core.engine.passage import Passage
from core.engine.quality import QualityPass
from core.engine.request import Model, call, first_call, requests
from core.engine.screening import LOW
from core.errors import AppError, TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Answered, Context

TASK = "text-classification"
DTYPES = ("float32", "tf32", "bfloat16", "float16")
LATENCY_BATCHES = (1, 8, 32)
REFERENCE = Variant("cpu", "float32")
TEXT_COLUMNS = ("text", "sentence")
SAMPLE = Path(__file__).resolve().parent.parent / "samples/data/tickets.csv"
MB = 1_000_000

EXACT, SCREENED, ONE_BY_ONE, PIPELINE = "exact", "screened", "exact, nothing ahead", "pipeline(32)"
Way = Callable[[], object]


@dataclass(frozen=True)
class Cell:
    """One model, device and precision."""

    folder: Path
    variant: Variant
    texts: tuple[str, ...]
    rounds: int
    """0: only its answers are wanted."""
    calls: int
    """Requests of each batch size, at least."""


@dataclass(frozen=True)
class Measured:
    """What a cell's process hands back."""

    line: dict[str, Any]
    logits: Any
    """Float array (rows, labels)."""


def read_texts(file: Path, rows: int) -> tuple[str, ...]:
    """So many texts of a table, drawn with a seed; all of them, in order, where there are fewer.

    Raises:
        ValueError: There is no text in it.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        # A quote in a TSV file of this field is a character like any other.
        is_tsv = file.suffix == ".tsv"
        read = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if is_tsv else csv.reader(lines)
        found = [row for row in read if row]
    header = [name.strip().lower() for name in found[0]] if found else []
    column = next((header.index(name) for name in TEXT_COLUMNS if name in header), None)
    body = found if column is None else found[1:]
    texts = [row[column or 0] for row in body if len(row) > (column or 0) and row[column or 0].strip()]
    if not texts:
        raise ValueError(f"{str(file)!r} holds no texts: a column {' or '.join(TEXT_COLUMNS)} is wanted.")
    return tuple(random.Random(0).sample(texts, rows) if rows < len(texts) else texts)


def measure(cell: Cell) -> Measured:
    """Everything about one cell, in the present process. Raises TrialFailed."""
    task, backend = registry.task(TASK), registry.backend(cell.variant.backend)
    backend.start()
    before = peak_resident_bytes()
    started = time.perf_counter()
    session = backend.load(cell.folder, task, cell.variant)
    load_seconds = time.perf_counter() - started
    labels = session.model_labels
    context = Context(labels=labels, model_labels=labels, protocol=_protocol(cell))
    rows = [{"text": text} for text in cell.texts]
    model = Model(session, task, context)
    first = first_call(model, rows)

    session.reset_device_peak()
    logits = _logits(session, context, rows, cell.variant.device)
    allocated = session.device_peak_bytes()
    memory = (peak_resident_bytes() - before if allocated is None else allocated) / MB
    if not cell.rounds:
        return Measured({}, logits)
    facts: dict[str, Any] = {}
    speeds = _speeds(_ways(session, context, cell, rows, facts), len(rows), cell.rounds)
    line = {
        "model": cell.folder.name,
        "device": cell.variant.device,
        "dtype": cell.variant.dtype,
        "rows_per_second": speeds,
        "latency_ms": {str(size): _latency(model, rows, size) for size in LATENCY_BATCHES},
        "memory_mb": round(memory, 1),
        "load_seconds": round(load_seconds, 3),
        "first_call_ms": round(first / 1e6, 2),
        "facts": {**session.environment, **facts},
        "error": None,
    }
    return Measured(line, logits)


def _protocol(cell: Cell) -> Protocol:
    return Protocol(latency_batch_sizes=LATENCY_BATCHES, min_calls=cell.calls, min_seconds=0.0)


def _logits(session: Session, context: Context, rows: Sequence[Mapping[str, Any]], device: str) -> Any:
    """Of every row, shape (rows, labels), by the engine's own batches."""
    import numpy as np

    found: dict[int, Any] = {}

    def keep(answered: Mapping[int, Answered], seconds: float) -> None:
        found.update({position: row.outputs[0] for position, row in answered.items()})

    encoded = registry.task(TASK).encode(session.processor, rows, context)
    passage = Passage(session, context, Budget(context.protocol, device=device), time.perf_counter)
    passage.run(dict(enumerate(encoded)), keep)
    return np.stack([found[position] for position in range(len(rows))]).astype(np.float64)


def _ways(
    session: Session, context: Context, cell: Cell, rows: Sequence[Mapping[str, Any]], facts: dict[str, Any]
) -> dict[str, Way]:
    """Ways to answer all rows. Our passes leave in `facts` what they found out about batches and screening."""
    task, device = registry.task(TASK), cell.variant.device

    def shortlist(model: Session, copy: Callable[[], Session | None] | None = None) -> Way:
        def run() -> None:
            work = QualityPass(model, task, context, lambda event: None, device=device, copy=copy)
            work.run(rows)
            work.close()
            facts.update(work.facts)

        return run

    ways = {EXACT: shortlist(session)}
    if cell.variant.dtype == "float32" and (device == "cuda" or environment.version("psutil")):
        ways[SCREENED] = shortlist(session, lambda: lowered(session, LOW))
    if device == "cuda":
        ways[ONE_BY_ONE] = shortlist(_WithoutAhead(session))
    ways[PIPELINE] = _pipeline(cell, session.processor.model_max_length)
    return ways


class _WithoutAhead:
    """A session whose batches are padded and copied one after the other, so that it shows what overlapping gives."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def forward(self, batch: Any, context: Context, ahead: Any = ()) -> Any:
        return self._session.forward(batch, context)


def _pipeline(cell: Cell, longest: int) -> Way:
    """`transformers.pipeline` over the texts in their order, in batches of 32, on the same device and precision."""
    import torch
    import transformers

    dtype = getattr(torch, "float32" if cell.variant.dtype == "tf32" else cell.variant.dtype)
    classes = transformers.AutoModelForSequenceClassification, transformers.AutoTokenizer
    model = classes[0].from_pretrained(cell.folder, dtype=dtype, local_files_only=True).eval()
    tokenizer = classes[1].from_pretrained(cell.folder, local_files_only=True)
    tokenizer.model_max_length = longest
    one = transformers.pipeline(TASK, model=model, tokenizer=tokenizer, device=cell.variant.device)
    return lambda: one(list(cell.texts), batch_size=32, truncation=True)


def _speeds(ways: Mapping[str, Way], rows: int, rounds: int) -> dict[str, list[float]]:
    """Way → rows per second: median, least, most."""
    draw = random.Random(0)
    for run in ways.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in draw.sample(list(ways), len(ways)):
            started = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - started)
    return {
        name: [round(rows / pick(took), 1) for pick in (statistics.median, max, min)] for name, took in seconds.items()
    }


def _latency(model: Model, rows: Sequence[Mapping[str, Any]], size: int) -> dict[str, float | int | None] | None:
    """Of requests of so many rows, milliseconds; None where they do not fit."""

    def timed(request: Sequence[int]) -> Any:
        try:
            return call(model, [rows[position] for position in request])
        except TrialFailed:
            raise latency.Dropout from None

    found = latency.joint([latency.Subject(timed)], requests(len(rows), size), model.context.protocol)[0]
    if found is None:
        return None
    stages = zip(found.preprocess_ns, found.forward_ns, found.postprocess_ns, strict=True)
    totals = sorted(sum(one) / 1e6 for one in stages)
    return {
        "calls": len(totals),
        "median": round(statistics.median(totals), 3),
        "p95": round(totals[int(0.95 * len(totals))], 3) if len(totals) >= 100 else None,
        "on_gpu": round(statistics.median(found.device_ns) / 1e6, 3) if found.device_ns else None,
    }


def run_apart(cell: Cell) -> Measured:
    """`measure` in a fresh process. A cell that cannot be measured is a line that says why."""
    nothing = {"model": cell.folder.name, "device": cell.variant.device, "dtype": cell.variant.dtype}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        try:
            return fresh.submit(measure, cell).result()
        except AppError as error:
            return Measured({**nothing, "error": str(error)}, None)
        except BrokenProcessPool:
            return Measured({**nothing, "error": "Its process died: out of memory, most likely."}, None)


def compared(measured: Measured, reference: Any) -> dict[str, Any]:
    """The line with how far its answers are from those of the reference, logits (rows, labels)."""
    if measured.logits is None or reference is None:
        return measured.line
    import numpy as np

    equal = measured.logits.argmax(axis=1) == reference.argmax(axis=1)
    difference = float(np.abs(measured.logits - reference).max())
    return {**measured.line, "labels_equal": float(equal.mean()), "logit_difference": difference}


def table(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines as Markdown."""
    every = (EXACT, ONE_BY_ONE, SCREENED, PIPELINE)
    ways = [name for name in every if any(name in line.get("rows_per_second", {}) for line in lines)]
    head = ["model", "device", "dtype", *(f"{name}, rows/s" for name in ways), "labels as CPU float32", "logits within"]
    head += [f"ms at {size}, p95 (on GPU)" for size in LATENCY_BATCHES] + ["MB", "load s"]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * 3}{'---:|' * (len(head) - 3)}"
    for line in lines:
        cells = [line["model"], line["device"], line["dtype"]]
        if line["error"]:
            yield f"| {' | '.join(cells)} | {line['error']} |" + " |" * (len(head) - 4)
            continue
        cells += [_spread(line["rows_per_second"].get(name)) for name in ways]
        cells += [f"{line['labels_equal']:.2%}", f"{line['logit_difference']:.1e}"]
        cells += [_milliseconds(line["latency_ms"][str(size)]) for size in LATENCY_BATCHES]
        yield f"| {' | '.join([*cells, format(line['memory_mb'], ',.0f'), format(line['load_seconds'], '.2f')])} |"


def _spread(numbers: Sequence[float] | None) -> str:
    return f"{numbers[0]:,.0f} [{numbers[1]:,.0f}, {numbers[2]:,.0f}]" if numbers else "–"


def _milliseconds(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "does not fit"
    tail = "–" if found["p95"] is None else f"{found['p95']:.1f}"
    return f"{found['median']:.1f}, {tail}" + (f" ({found['on_gpu']:.1f})" if found["on_gpu"] is not None else "")


def machine() -> dict[str, Any]:
    """Where and with what the figures were taken."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        driver = None
    return {**environment.describe(), "driver": driver, "date": datetime.now(UTC).isoformat(timespec="minutes")}


def _variants(devices: Sequence[str] | None, dtypes: Sequence[str]) -> list[Variant]:
    """What can run here. Raises ValueError for a device that was named and cannot."""
    backend = registry.backend(REFERENCE.backend)
    found = []
    for device in devices or backend.devices:
        obstacle = backend.unsupported(Variant(device))
        if obstacle and devices:
            raise ValueError(obstacle)
        every = [Variant(device, dtype) for dtype in dtypes]
        found += [variant for variant in every if not obstacle and backend.unsupported(variant) is None]
    if not found:
        raise ValueError(
            f"Nothing is left to measure at {', '.join(dtypes)} on {', '.join(devices or ['any device'])}."
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write everything as JSON where a file is named."""
    parser = argparse.ArgumentParser(prog="python bench/gpu.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="table of texts; the sample tickets by default")
    parser.add_argument("--devices", nargs="+", choices=("cpu", "cuda", "mps"), help="all that are here by default")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--rows", type=int, default=1821)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=200, help="timed requests of each batch size, at least")
    parser.add_argument("--out", type=Path, help="JSON file with everything")
    options = parser.parse_args(arguments)
    try:
        variants = _variants(options.devices, options.dtypes)
        texts = read_texts(options.data, options.rows)
        folders = sorted(file.parent for file in options.models.glob("*/config.json"))
        if not folders:
            raise ValueError(f"There is no checkpoint (*/config.json) below {str(options.models)!r}.")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    described, lines = machine(), []
    for folder in folders:
        reference = None
        for variant in [REFERENCE, *(one for one in variants if one != REFERENCE)]:
            print(f"{folder.name}: {variant.dtype} on {variant.device}", file=sys.stderr, flush=True)
            rounds = options.rounds if variant in variants else 0
            measured = run_apart(Cell(folder, variant, texts, rounds, options.calls))
            reference = measured.logits if variant == REFERENCE else reference
            if variant in variants:
                lines.append(compared(measured, reference))
    where = described["gpu"] or described["cpu"]
    print(*table(lines), sep="\n")
    print(f"\n{len(texts)} rows, {options.rounds} rounds, {where}, torch {described['torch']}, {described['date']}.")
    if options.out:
        document = {"machine": described, "rows": len(texts), "rounds": options.rounds, "lines": lines}
        options.out.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any(line["error"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
