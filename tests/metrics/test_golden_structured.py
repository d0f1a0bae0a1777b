"""Published scores of answers, transcripts and likelihoods, reproduced from the published predictions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.metrics import perplexity, squad, wer
from core.metrics.base import overall, resolve_options

EM, F1 = squad.METRIC[:2]
WER = wer.METRIC[0]


def value(metric: Any, predictions: list[dict[str, Any]], references: list[Any], **options: Any) -> float:
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    return overall(metric, metric.rows(predictions, references, (), complete), (), complete)


@pytest.mark.parametrize(
    ("file", "exact_match", "f1", "missing"),
    [
        ("pred_BERT_ensemble.json", 86.206, 92.196, 0),
        ("pred_LogisticRegression.json", 40.142, 50.982, 13),
        ("pred_CAG9_BERT.json", 66.575, 76.838, 0),
    ],
)
def test_squad_1(shared: Path, file: str, exact_match: float, f1: float, missing: int) -> None:
    folder = shared / "data" / "question-answering" / "squad_v1.1"
    articles = json.loads((folder / "dev-v1.1.json").read_text(encoding="utf-8"))["data"]
    questions = [one for article in articles for paragraph in article["paragraphs"] for one in paragraph["qas"]]
    said = json.loads((folder / file).read_text(encoding="utf-8"))
    assert sum(one["id"] not in said for one in questions) == missing
    predictions = [{"answer": said.get(one["id"], "")} for one in questions]
    references = [[answer["text"] for answer in one["answers"]] for one in questions]
    assert round(100 * value(EM, predictions, references), 3) == exact_match
    assert round(100 * value(F1, predictions, references), 3) == f1


def test_xquad_in_english(shared: Path) -> None:
    folder = shared / "data" / "question-answering" / "explainaboard_xquad"
    rows = json.loads((folder / "test-en_8113_mt5base.json").read_text(encoding="utf-8"))["predictions"]
    predictions = [{"answer": row["predicted_answers"]["text"]} for row in rows]
    references = [row["answers"]["text"] for row in rows]
    assert round(value(EM, predictions, references), 5) == 0.68571
    assert round(value(F1, predictions, references), 5) == 0.81136


def utterances(path: Path) -> dict[str, str]:
    """The lines of a trn file by the id in brackets at their ends, whatever its case."""
    lines = (line.rsplit("(", 1) for line in path.read_text(encoding="utf-8").splitlines() if line.rstrip()[-1:] == ")")
    return {name.rstrip(") ").lower(): text for text, name in lines}


def test_word_error_rate_of_sclite(shared: Path) -> None:
    folder = shared / "data" / "speech" / "sclite_golden"
    said, wanted = utterances(folder / "csrnab.hyp"), utterances(folder / "csrnab.ref")
    predictions, references = [{"answer": said[name]} for name in wanted], list(wanted.values())
    options = resolve_options(WER, {"wer_normalizer": "lower", "wer_alternatives": True})
    hits, substitutions, deletions, insertions, rows = WER.rows(predictions, references, (), options).sum(axis=0)
    assert rows == 51
    assert hits + substitutions + deletions == 1406
    assert substitutions + deletions + insertions == 169
    found = value(WER, predictions, references, normalizer="lower", alternatives=True)
    assert round(100 * found, 1) == 12.0
    first = [re.sub(r"{ (\S+) /[^}]*}", r"\1", text) for text in references]
    assert round(100 * value(WER, predictions, first, normalizer="lower"), 2) == 12.38


def test_alternatives_of_sclite(shared: Path) -> None:
    """All cases of its test of alternatives whose transcripts have none themselves, with its report of edits."""
    folder = shared / "data" / "speech" / "sclite_golden"
    said, wanted = utterances(folder / "tests.hyp"), utterances(folder / "tests.ref")
    report = (folder / "base" / "test7.pra").read_text(encoding="utf-8")
    found = re.findall(r"id: \(([fgh]_\d)\)\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", report)
    checked = [(name, [int(count) for count in counts]) for name, *counts in found if "{" not in said[name]]
    assert len(checked) == 11
    options = resolve_options(WER, {"wer_alternatives": True})
    for name, counts in checked:
        assert WER.rows([{"answer": said[name]}], [wanted[name]], (), options)[0, :4].tolist() == counts, name


@pytest.mark.parametrize(("system", "wanted"), [("sys1", 736.76), ("sys2", 429.89)])
def test_perplexity_of_wikitext(shared: Path, system: str, wanted: float) -> None:
    path = shared / "data" / "text-generation" / "wikitext_likelihoods" / f"ll_test.{system}.likelihood"
    lines = [[float(one) for one in line.split()] for line in path.read_text(encoding="utf-8").splitlines()]
    predictions = [{"answer": "", "nll": -sum(line), "tokens": len(line)} for line in lines]
    assert sum(map(len, lines)) == 85071
    assert round(value(perplexity.METRIC[0], predictions, [None] * len(lines)), 2) == wanted
