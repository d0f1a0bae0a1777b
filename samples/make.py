"""Rebuilds the bundled catalogue: `python -m samples.make`.

    data        samples/data/*                    from samples.tickets
    media       samples/media/*                   from samples.media_files
    models      samples/models/<org>/<name>/      trained from scratch (half an hour on one core)
    cards       README.md of each model, and the table of samples/README.md, from what was measured

The text is the same everywhere. The weights are the same on one machine with the pinned libraries; elsewhere the scores
differ by about a point, because floating-point sums do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import logging

from samples import ROOT, cards, classifiers, media_files, summarizers, tickets
from samples.cards import Measured
from samples.classifiers import CLASSIFIERS, Classifier, train_classifier
from samples.summarizers import SUMMARIZERS, Summarizer, train_summarizer

MODELS = ROOT / "models"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and makes everything, or trains only the models asked for."""
    parser = argparse.ArgumentParser(prog="python -m samples.make", description="Rebuild the bundled samples.")
    parser.add_argument(
        "--train", nargs="*", metavar="PART", help="train only models whose id has one of these parts; none when empty"
    )
    parts = parser.parse_args(arguments).train
    logging.disable_progress_bar()
    tickets.write_data(ROOT / "data")
    media_files.write_media(ROOT / "media")
    for spec in (*CLASSIFIERS, *SUMMARIZERS):
        if parts is None or any(part in spec.id for part in parts):
            _train(spec)
    rows = measure()
    for row in rows:
        cards.write_card(row, MODELS)
    cards.write_table(rows, ROOT / "README.md")
    print(cards.table(rows))


def _train(spec: Classifier | Summarizer) -> None:
    print(f"training {spec.id} …", end=" ", file=sys.stderr, flush=True)
    began = time.monotonic()
    if isinstance(spec, Classifier):
        train_classifier(spec, MODELS)
    else:
        train_summarizer(spec, MODELS)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


def measure() -> list[Measured]:
    """Scores every saved model on what its card reports on and on the evaluation file."""
    return [_measure_classifier(spec) for spec in CLASSIFIERS] + [_measure_summarizer(spec) for spec in SUMMARIZERS]


def _measure_classifier(spec: Classifier) -> Measured:
    folder, (texts, labels) = MODELS / spec.id, classifiers.validation_rows()
    usable = [row for row in tickets.ticket_rows() if row["text"].strip() and row["label"]]
    return Measured(
        spec=spec,
        metric="accuracy",
        parameters=classifiers.load(folder, spec.pickled)[1].num_parameters(),
        weight_bytes=_weight_bytes(folder),
        reported=classifiers.accuracy(folder, texts, labels, pickled=spec.pickled),
        measured=classifiers.accuracy(
            folder, [row["text"] for row in usable], [row["label"] for row in usable], pickled=spec.pickled
        ),
    )


def _measure_summarizer(spec: Summarizer) -> Measured:
    folder, rows = MODELS / spec.id, tickets.summary_rows()
    return Measured(
        spec=spec,
        metric="rougeL",
        parameters=summarizers.load(folder)[1].num_parameters(),
        weight_bytes=_weight_bytes(folder),
        reported=summarizers.rouge_l(folder, *summarizers.validation_rows()),
        measured=summarizers.rouge_l(folder, [row["text"] for row in rows], [row["summary"] for row in rows]),
    )


def _weight_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".safetensors", ".bin"))


if __name__ == "__main__":
    main()
