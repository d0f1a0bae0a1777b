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
SST2 = SHARED / "data/text-classification/sst2/test.tsv"
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
    """Texts of a labelled file: SST-2, else the sample tickets. Rows are drawn with a seed, and repeat if too few."""
    path = file or (SST2 if SST2.is_file() else REPO / "samples/data/tickets.csv")
    task = registry.task("text-classification")
    _, everything = data.load(DatasetSpec(path=str(path)), task)
    size = min(rows, len(everything.ids))
    _, evalset = data.load(DatasetSpec(path=str(path), sample=Sample(size, stratify=False)), task)
    texts = [row["text"] for row in evalset.inputs]
    return [texts[index % size] for index in range(rows)]


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
