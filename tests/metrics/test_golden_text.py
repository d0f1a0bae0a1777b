"""BLEU, chrF and ROUGE give the published figures of real systems.

WMT22: the official table of the shared task, to 4 decimals. E2E: the figures of the challenge, lower-cased, to 0.01.
TED and the summaries: no figure was published; theirs are those of sacrebleu 2.6.0 and rouge_score 0.1.2.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from core.metrics.bleu import METRIC as BLEU
from core.metrics.chrf import METRIC as CHRFS
from core.metrics.rouge import METRIC as ROUGES
from tests.metrics.texts import score

CHRF, _ = CHRFS
ROUGE_1, ROUGE_2, ROUGE_L, _ = ROUGES

WMT22 = {
    "fr-de": ("Lan-Bridge", "Online-A", "Online-B", "Online-G", "Online-W", "Online-Y", "eTranslation"),
    "liv-en": ("HuaweiTSC", "Liv4ever", "NiuTrans", "TAL-SJTU", "TartuNLP"),
}


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[tuple[str, str, str], float]:
    """Language pair, system and metric → figure."""
    with (shared / "data/translation/wmt22/automatic-scores.tsv").open(encoding="utf-8") as file:
        return {
            (row["pair"], row["system"], row["metric"]): float(row["score"])
            for row in csv.DictReader(file, delimiter="\t")
        }


@pytest.mark.parametrize(("pair", "system"), [(pair, system) for pair, systems in WMT22.items() for system in systems])
def test_wmt22(shared: Path, published: dict[tuple[str, str, str], float], pair: str, system: str) -> None:
    folder, language = shared / "data/translation/wmt22" / pair, pair.split("-")[1]
    references: list[Any] = lines(folder / f"generaltest2022.{pair}.ref.A.{language}")
    answers = lines(folder / f"generaltest2022.{pair}.hyp.{system}.{language}")
    assert score(BLEU, answers, references) == pytest.approx(published[pair, system, "bleu-A"], abs=5e-5)
    assert score(CHRF, answers, references) == pytest.approx(published[pair, system, "chrf-A"], abs=5e-5)


@pytest.mark.parametrize(("system", "bleu"), [("tgen", 65.93), ("slug", 66.19), ("harv", 64.96)])
def test_e2e_has_several_references(shared: Path, system: str, bleu: float) -> None:
    folder = shared / "data/text-generation/e2e"
    references: dict[str, list[str]] = {}
    with (folder / "testset_w_refs.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            references.setdefault(row["mr"], []).append(row["ref"])
    with (folder / f"system_outputs/{system}.tsv").open(encoding="utf-8") as file:
        _, *outputs = [row for row in csv.reader(file, delimiter="\t") if row]
    assert len(outputs) == 630
    found = score(BLEU, [text for _, text in outputs], [references[mr] for mr, _ in outputs], lowercase=True)
    assert found == pytest.approx(bleu, abs=0.005)


@pytest.mark.parametrize(("system", "bleu"), [("sys1", 21.7106), ("sys2", 23.0512)])
def test_ted(shared: Path, system: str, bleu: float) -> None:
    folder = shared / "data/translation/ted_slk_eng"
    answers, references = lines(folder / f"ted.{system}.detok.eng"), lines(folder / "ted.ref.detok.eng")
    assert score(BLEU, answers, references) == pytest.approx(bleu, abs=5e-5)


@pytest.mark.parametrize(("system", "rouge"), [("sys1", (37.62, 17.20, 35.61)), ("sys2", (39.06, 18.27, 37.05))])
def test_compare_mt_summaries(shared: Path, system: str, rouge: tuple[float, float, float]) -> None:
    folder = shared / "data/summarization/compare_mt_sum"
    assert_rouge(lines(folder / f"sum.{system}.eng"), lines(folder / "sum.ref.eng"), rouge)


def test_cnn_dailymail(shared: Path) -> None:
    folder = shared / "data/summarization/cnndm_mini"
    references = [line.split("\t")[1] for line in lines(folder / "cnndm_mini-dataset.tsv")]
    assert_rouge(lines(folder / "cnndm_mini-bart-output.txt"), references, (33.22, 13.17, 23.54))


def assert_rouge(answers: list[str], references: list[str], published: tuple[float, float, float]) -> None:
    """With stemmed words, in percent."""
    found = [100 * score(metric, answers, references, use_stemmer=True) for metric in (ROUGE_1, ROUGE_2, ROUGE_L)]
    assert found == pytest.approx(published, abs=0.005)
