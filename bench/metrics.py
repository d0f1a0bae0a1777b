"""How long scoring takes: 10,000 rows with their 1,000-fold bootstrap interval, beside one pass of the field's library.

    python -m bench.metrics [--rows N] [--rounds N] [NAME …]

Every metric runs in a process of its own, library and ours in turns. The mark is a time for all of it where ours
replaces the library (accuracy, F1, seqeval, EM/F1), and a time beyond the library's pass where that pass is the work
(ROUGE, BLEU, chrF, WER).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import registry
from core.analysis.intervals import score
from core.metrics.base import resolve_options

Rows = tuple[list[dict[str, Any]], list[Any], tuple[str, ...]]
"""Predictions, references, labels."""

LABELS = tuple(f"topic {number:02}" for number in range(20))
TYPES = ("LOC", "MISC", "ORG", "PER")
WORDS = [f"word{number}" for number in range(5000)]
MEMORY_MB = 1000.0
"""Most that scoring may take beyond the rows themselves."""


@dataclass(frozen=True)
class Case:
    """A metric, rows for it, and what the field would call."""

    task: str
    metric: str
    rows: Callable[[int], Rows]
    library: Callable[[Rows], Any]
    seconds: float
    beyond: bool
    """Whether the mark counts from the library's own pass."""


def labels(count: int) -> Rows:
    """One of twenty labels, four of five right, with probabilities."""
    generator = np.random.default_rng(0)
    wanted = generator.integers(len(LABELS), size=count)
    said = np.where(generator.random(count) < 0.8, wanted, generator.integers(len(LABELS), size=count))
    noise = generator.dirichlet(np.full(len(LABELS), 0.3), size=count)
    shares = 0.5 * noise + 0.5 * np.eye(len(LABELS))[said]
    predictions = [
        {"answer": LABELS[one], "probabilities": row} for one, row in zip(said, shares.round(4).tolist(), strict=True)
    ]
    return predictions, [LABELS[one] for one in wanted], LABELS


def sentences(count: int) -> Rows:
    """Twenty words each, every fifth in an entity, nine of ten tags right."""
    generator = np.random.default_rng(0)

    def tags() -> list[str]:
        kinds = generator.choice(["O", *TYPES], size=20, p=[0.8, 0.05, 0.05, 0.05, 0.05]).tolist()
        return [kind if kind == "O" else f"B-{kind}" for kind in kinds]

    references = [tags() for _ in range(count)]
    answers = [
        [one if keep else "O" for one, keep in zip(row, generator.random(20) < 0.9, strict=True)] for row in references
    ]
    return [{"answer": answer} for answer in answers], references, TYPES


def texts(count: int, words: int = 25, alternatives: int = 1) -> Rows:
    """Texts of about as many words; an answer changes every fifth of them."""
    generator = np.random.default_rng(0)
    references, answers = [], []
    for _ in range(count):
        said = generator.choice(WORDS, size=generator.integers(words // 2, words * 3 // 2)).tolist()
        changed = [one if keep else "other" for one, keep in zip(said, generator.random(len(said)) < 0.8, strict=True)]
        references.append([" ".join(said)] * alternatives if alternatives > 1 else " ".join(said))
        answers.append({"answer": " ".join(changed)})
    return answers, references, ()


def answers(count: int) -> Rows:
    """Short answers with three accepted ones each."""
    predictions, references, _ = texts(count, words=4, alternatives=3)
    return predictions, references, ()


def _accuracy(rows: Rows) -> Any:
    from sklearn.metrics import accuracy_score

    return accuracy_score(rows[1], [one["answer"] for one in rows[0]])


def _f1(rows: Rows) -> Any:
    from sklearn.metrics import f1_score

    return f1_score(rows[1], [one["answer"] for one in rows[0]], average="macro")


def _roc_auc(rows: Rows) -> Any:
    from sklearn.metrics import roc_auc_score

    shares = np.array([one["probabilities"] for one in rows[0]])
    return roc_auc_score(rows[1], shares / shares.sum(axis=1, keepdims=True), multi_class="ovr", labels=list(LABELS))


def _seqeval(rows: Rows) -> Any:
    from seqeval.metrics import f1_score

    return f1_score(rows[1], [one["answer"] for one in rows[0]])


def _squad(rows: Rows) -> None:
    """There is none to install: the official script is the definition."""


def _rouge(name: str) -> Callable[[Rows], Any]:
    def run(rows: Rows) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([name])
        return [scorer.score(wanted, one["answer"]) for one, wanted in zip(rows[0], rows[1], strict=True)]

    return run


def _sacrebleu(name: str) -> Callable[[Rows], Any]:
    def run(rows: Rows) -> Any:
        import sacrebleu

        metric = {"bleu": sacrebleu.BLEU, "chrf": sacrebleu.CHRF}[name]()
        return metric.corpus_score([one["answer"] for one in rows[0]], [rows[1]]).score

    return run


def _wer(rows: Rows) -> Any:
    import jiwer

    return jiwer.wer(rows[1], [one["answer"] for one in rows[0]])


CASES = {
    "accuracy": Case("text-classification", "accuracy", labels, _accuracy, 1.0, False),
    "f1": Case("text-classification", "f1", labels, _f1, 1.0, False),
    "roc_auc": Case("text-classification", "roc_auc", labels, _roc_auc, 5.0, True),
    "seqeval": Case("token-classification", "f1", sentences, _seqeval, 1.0, False),
    "squad em": Case("question-answering", "exact_match", answers, _squad, 1.0, False),
    "squad f1": Case("question-answering", "f1", answers, _squad, 1.0, False),
    "rougeL": Case("summarization", "rougeL", texts, _rouge("rougeL"), 5.0, True),
    "rouge2": Case("summarization", "rouge2", texts, _rouge("rouge2"), 5.0, True),
    "bleu": Case("translation", "bleu", texts, _sacrebleu("bleu"), 5.0, True),
    "chrf": Case("translation", "chrf", texts, _sacrebleu("chrf"), 5.0, True),
    "wer": Case("automatic-speech-recognition", "wer", texts, _wer, 5.0, True),
}


def measure(case: Case, count: int, rounds: int) -> dict[str, float]:
    """Seconds of the library's pass and of ours, medians over rounds in turns; MB that ours took at its peak."""
    rows = case.rows(count)
    metric = registry.metric(case.metric, registry.task(case.task))
    options = resolve_options(metric, {})
    few: Rows = (rows[0][:500], rows[1][:500], rows[2])

    def scored(one: Rows) -> Any:
        return score(metric, metric.rows(one[0], one[1], one[2], options), one[2], options)

    for work in (case.library, scored):
        work(few)  # imports
    theirs, ours = [], []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        started = time.perf_counter()
        case.library(rows)
        middle = time.perf_counter()
        scored(rows)
        ours.append(time.perf_counter() - middle)
        theirs.append(middle - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "library": statistics.median(theirs),
        "ours": statistics.median(ours),
        "low": min(ours),
        "high": max(ours),
        "mb": peak / 1000,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line per metric."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    names = given.names or list(CASES)
    if len(names) == 1:
        _print_one(names[0], given.rows, given.rounds)
        return
    print(f"{given.rows:,} rows, 1,000 resamples, median of {given.rounds} rounds; load {os.getloadavg()[0]:.1f}")
    print(f"{'metric':10} {'library s':>10} {'ours s':>8} {'[min, max]':>16} {'mark':>22} {'peak MB':>8}")
    for name in names:
        command = [sys.executable, "-m", "bench.metrics", name]
        subprocess.run([*command, "--rows", str(given.rows), "--rounds", str(given.rounds)], check=True)


def _print_one(name: str, rows: int, rounds: int) -> None:
    case = CASES[name]
    found = measure(case, rows, rounds)
    counted = found["ours"] - (found["library"] if case.beyond else 0)
    kept = "met" if counted <= case.seconds and found["mb"] <= MEMORY_MB else "MISSED"
    mark = f"{counted:.2f} ≤ {case.seconds:g} s {kept}"
    spread = f"[{found['low']:.2f}, {found['high']:.2f}]"
    print(
        f"{name:10} {found['library']:10.2f} {found['ours']:8.2f} {spread:>16} {mark:>22} {found['mb']:8.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
