"""What the quality pass is measured on: real rows and checkpoints beside the repository, else the samples."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from core import data, registry
from core.records import DatasetSpec, Sample

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"
TEXTS = SHARED / "data/text-classification"
SST2 = TEXTS / "sst2/test.tsv"
NAMED = {
    "sst2": SST2,
    "tweets": TEXTS / "tweeteval/sentiment/test_text.txt",
    "questions": TEXTS / "banking77/test.csv",
}
"""Texts by name. The engine was developed on the first; the others have not been seen before the final figures."""
TASK = "text-classification"
SENTIMENTS = ("negative", "positive")
TICKETS = REPO / "samples/data/tickets.csv"
TAIL = 1.54
"""Exponent of the Pareto law of a long tail: one text of 20 is seven rows long or longer."""
MOST_ROWS = 40
"""Rows in one text at most; every encoder cuts long before."""


def classifiers(folder: Path | None = None) -> list[Path]:
    """Checkpoints below a folder, else those beside the repository, else two of the samples."""
    if folder is None and (SHARED / "models").is_dir():
        folder = SHARED / "models"
    if folder is not None:
        return sorted(file.parent for file in folder.glob("*/config.json"))
    models = REPO / "samples/models"
    return [models / "opendesk/distil-ticket-router", models / "helpdesk-lab/ticket-router-bert-mini"]


def short_texts(rows: int, file: Path | None = None) -> list[str]:
    """Texts of a file: SST-2, else the sample tickets. Rows are drawn with a seed, and repeat if too few.

    A labelled file is read as Shortlist reads it; one that ends in `.txt` holds a text on each line.
    """
    path = file if file and (file.is_file() or file not in NAMED.values()) else SST2 if SST2.is_file() else TICKETS
    if path.suffix == ".txt":
        known = list(dict.fromkeys(filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines()))))
        some = random.Random(0).sample(known, min(rows, len(known)))
        return [some[index % len(some)] for index in range(rows)]
    task = registry.task(TASK)
    _, everything = data.load(DatasetSpec(path=str(path)), task)
    size = min(rows, len(everything.ids))
    _, evalset = data.load(DatasetSpec(path=str(path), sample=Sample(size, stratify=False)), task)
    texts = [row["text"] for row in evalset.inputs]
    return [texts[index % size] for index in range(rows)]


def labelled(files: Sequence[Path] = ()) -> list[tuple[str, str]]:
    """Texts and labels: of these files, else all of SST-2, else the sample tickets."""
    files = files or [SST2.with_name(f"{part}.tsv") for part in ("train", "dev", "test")]
    if not all(file.is_file() for file in files):
        files = [TICKETS]
    task, found = registry.task(TASK), []
    for file in files:
        _, evalset = data.load(DatasetSpec(path=str(file)), task)
        found += [(row["text"], _label(label)) for row, label in zip(evalset.inputs, evalset.references, strict=True)]
    return found


def _label(label: str) -> str:
    """SST-2 numbers its labels."""
    return SENTIMENTS[int(label)] if label in ("0", "1") else label


def long_tailed(texts: Sequence[str], seed: int = 0) -> list[str]:
    """As many texts, each of one or several of these: most are short, a few are very long."""
    draw = random.Random(seed)
    counts = [min(int(draw.paretovariate(TAIL)), MOST_ROWS) for _ in texts]
    return [" ".join(draw.choices(texts, k=count)) for count in counts]


def summarization(rows: int) -> tuple[Path, list[str]]:
    """The sample summarizer and its tickets."""
    lines = (REPO / "samples/data/ticket_summaries.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    return REPO / "samples/models/helpdesk-lab/ticket-summary-t5-tiny", [
        texts[index % len(texts)] for index in range(rows)
    ]
