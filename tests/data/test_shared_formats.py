"""The data sets beside the repository load by naming columns or a reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core import registry
from core.data import load_rows, read_file
from core.records import DatasetSpec, Sample

IRONY = {"0": "non_irony", "1": "irony"}
TREC = {"0": "description", "1": "entity", "2": "abbreviation", "3": "human", "4": "location", "5": "number"}
WMT = "generaltest2022.liv-en"


@dataclass(frozen=True)
class Case:
    path: str
    task: str
    rows: int
    """That can be scored."""
    first: dict[str, Any]
    """Beginnings of the first row's inputs; of a file, of its name."""
    reference: Any
    reader: str | None = None
    columns: dict[str, str | int | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    sample: int | None = None
    """Rows to draw; `rows` are then as many."""


CASES = (
    # --- text classification
    Case("text-classification/sst2/dev.tsv", "text-classification", 872, {"text": "one long string of cl"}, "0"),
    Case(
        "text-classification/sst2/glue_format_dev_with_header.tsv",
        "text-classification",
        872,
        {"text": "it 's a charming"},
        "positive",
        labels={"0": "negative", "1": "positive"},
    ),
    Case("text-classification/sst2/SST-2-val.parquet", "text-classification", 872, {"text": "it 's a charming"}, "1"),
    Case(
        "text-classification/banking77/test.csv",
        "text-classification",
        3080,
        {"text": "How do I locate my card?"},
        "card_arrival",
    ),
    Case(
        "text-classification/explainaboard_sst2/sst2-dataset.tsv",
        "text-classification",
        1821,
        {"text": "if you sometimes like to go"},
        "positive",
    ),
    Case(
        "text-classification/tweeteval/irony",
        "text-classification",
        784,
        {"text": "@user Can U Help?"},
        "non_irony",
        reader="parallel",
        columns={"text": "test_text.txt", "label": "test_labels.txt"},
        labels=IRONY,
    ),
    Case(
        "text-classification/tweeteval/emotion/val_text.txt",
        "text-classification",
        374,
        {"text": "@user @user Oh, hidden revenge"},
        "0",
        reader="parallel",
        columns={"text": "val_text.txt", "label": "val_labels.txt"},
    ),
    Case(
        "text-classification/goemotions/test.tsv",
        "multi-label-classification",
        5427,
        {"text": "I’m really sorry about your situation"},
        ["sadness"],
        columns={"text": 0, "labels": 1},
    ),
    # --- other texts with labels
    Case(
        "zero-shot-classification/trec6/TREC.test.all",
        "zero-shot-classification",
        500,
        {"text": "How far is it from Denver to Aspen ?"},
        "number",
        reader="lines",
        labels=TREC,
    ),
    Case(
        "zero-shot-classification/explainaboard_snli/snli-dataset.tsv",
        "text-classification",
        10_000,
        {"text": "This church choir sings", "text_pair": "The church has cracks"},
        "neutral",
        columns={"text": 0, "text_pair": 1, "label": 2},
    ),
    # --- words, questions, pairs
    Case(
        "token-classification/germeval2014/NER-de-dev.tsv",
        "token-classification",
        2200,
        {"words": ["Gleich", "darauf", "entwirft"]},
        ["O"] * 7 + ["B-OTH", "I-OTH"],
        reader="conll",
        columns={"tags": 2},
    ),
    Case(
        "question-answering/squad_v1.1/dev-v1.1.json",
        "question-answering",
        10_570,
        {"question": "Which NFL team represented the AFC", "context": "Super Bowl 50 was"},
        ["Denver Broncos"],
    ),
    Case(
        "question-answering/xquad/xquad.en.json",
        "question-answering",
        1190,
        {"question": "How many points did the Panthers"},
        ["308"],
        reader="squad",
    ),
    Case(
        "question-answering/explainaboard_xquad/test-en_8113_mt5base.json",
        "question-answering",
        1190,
        {"question": "How many points did the Panthers"},
        ["308"],
    ),
    Case(
        "sentence-similarity/stsb/stsb-en-test.csv",
        "sentence-similarity",
        1379,
        {"sentence1": "A girl is styling her hair.", "sentence2": "A girl is brushing her hair."},
        2.5,
        columns={"sentence1": 0, "sentence2": 1, "score": 2},
    ),
    Case(
        "sentence-similarity/stsb/stsb-de-test.csv",
        "sentence-similarity",
        1379,
        {"sentence1": "Ein Mädchen frisiert", "sentence2": "Ein Mädchen bürstet"},
        2.5,
    ),
    *(
        Case(
            f"sentence-similarity/sts2016/{name}.test.tsv",
            "sentence-similarity",
            rows,
            {},
            None,
            columns={"score": 0, "sentence1": 1, "sentence2": 2},
            skipped=skipped,
        )
        for name, rows, skipped in (
            ("answer-answer", 254, 1318),
            ("headlines", 249, 1249),
            ("plagiarism", 230, 1041),
            ("question-question", 209, 1346),
        )
    ),
    # --- written texts
    Case(
        "summarization/samsum/samsum-test.csv",
        "summarization",
        816,
        {"text": "Hannah: Hey, do you have Betty's number?"},
        "Hannah needs Betty's number",
        skipped=1,
    ),
    Case(
        "summarization/samsum/filtered_reference_summaries.csv",
        "summarization",
        73,
        {"text": "Hannah: Hey, do you have"},
        "Hannah",
    ),
    Case(
        "summarization/cnndm_mini/cnndm_mini-dataset.tsv",
        "summarization",
        100,
        {"text": "washington ( cnn ) president"},
        "in an interview with the new york times",
    ),
    Case(
        "summarization/compare_mt_sum",
        "text2text-generation",
        2000,
        {"text": "central europe leaders meet"},
        "eu leaders meet to discuss poverty of gypsies",
        reader="parallel",
        columns={"text": "sum.sys1.eng", "target": "sum.ref.eng"},
    ),
    Case(
        "text-generation/e2e/testset_w_refs.csv",
        "text2text-generation",
        4693,
        {"text": "name[Blue Spice], eatType"},
        "A coffee shop in the city centre area",
        columns={"text": "mr", "target": "ref"},
    ),
    Case(
        "text-generation/e2e_metrics_example",
        "text2text-generation",
        10,
        {"text": "Alimentum is located in the city centre"},
        ["There is a place in the city centre, Alimentum, that is not family-friendly."],
        reader="parallel",
        columns={"text": "baseline-output.txt", "target": "devel-conc.txt"},
    ),
    Case(
        "text-generation/e2e/system_outputs/harv.tsv",
        "text2text-generation",
        630,
        {"text": "name[Blue Spice], eatType"},
        "Blue Spice is a coffee shop located",
        columns={"text": "MR", "target": "output"},
    ),
    Case(
        "text-generation/wikitext_likelihoods/ll_test.txt",
        "text-generation",
        928,
        {"text": "= homarus gammarus ="},
        None,
    ),
    Case(
        "translation/multi30k",
        "translation",
        1000,
        {"text": "A man in an orange hat"},
        "Ein Mann mit einem orangefarbenen Hut",
        reader="parallel",
        columns={"text": "test_2016_flickr.en.gz", "translation": "test_2016_flickr.de.gz"},
    ),
    Case(
        "translation/ted_slk_eng",
        "translation",
        2445,
        {"text": "Koncom tohto roka"},
        "By the end of this year",
        reader="parallel",
        columns={"text": "ted.orig.slk", "translation": "ted.ref.detok.eng"},
    ),
    Case(
        "translation/wmt22/liv-en",
        "translation",
        420,
        {"text": "Meg tiennõm iļ amād"},
        "We welcome any comments",
        reader="parallel",
        columns={"text": f"{WMT}.src.liv", "translation": f"{WMT}.ref.A.en"},
    ),
    # --- sound
    Case(
        "speech/fsdd",
        "audio-classification",
        40,
        {"audio": "0_jackson_2.wav"},
        "0",
        reader="folder",
        columns={"label": "part 0"},
        sample=40,
    ),
    Case("speech/pocketsphinx_cards", "automatic-speech-recognition", 5, {"audio": "001.wav"}, "ten of clubs"),
    # --- pictures
    Case("image-classification/cifar10", "image-classification", 30, {"image": "airplane_"}, "airplane", sample=30),
    Case("image-classification/mnist_t10k", "image-classification", 50, {"image": "4f28155906c6"}, "4", sample=50),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_data_set_loads_without_code(shared: Path, case: Case) -> None:
    spec = DatasetSpec(
        path=str(shared / "data" / case.path),
        reader=case.reader,
        columns=case.columns,
        labels=case.labels or _label_names(shared / "data" / case.path),
        sample=case.sample and Sample(case.sample, seed=1),
    )

    loaded = load_rows(spec, registry.task(case.task))

    rows = loaded.evalset
    assert (len(rows.ids), len(rows.skipped)) == (case.rows, case.skipped)
    for word, beginning in case.first.items():
        value = rows.inputs[0][word]
        assert _shown(value)[: len(beginning)] == beginning
    if case.reference is not None:
        assert _begins(rows.references[0], case.reference)
    assert rows.id
    assert loaded.spec.revision


def _label_names(path: Path) -> dict[str, str]:
    """The names of class numbers, one per line, where a data set has them beside it."""
    names = path.parent / "labels.txt"
    return {str(number): name for number, name in enumerate(names.read_text().split())} if names.is_file() else {}


def _shown(value: Any) -> Any:
    return Path(value["file"]).name if isinstance(value, dict) else value


def _begins(found: Any, wanted: Any) -> bool:
    return found[: len(wanted)] == wanted if isinstance(wanted, str | list) else found == wanted


@pytest.mark.parametrize(
    ("path", "reader", "rows", "columns", "first"),
    [
        ("speech/sclite_golden/csrnab.ref", "trn", 51, ["text", "id"], "4T0C0201"),
        ("speech/sclite_golden/test.vietnamese.ref.trn", None, 8, ["text", "id"], "SPK1-LC1"),
        ("speech/pocketsphinx_cards/cards.hyp", "trn", 5, ["text", "id"], "001"),
        ("translation/wmt22/automatic-scores.tsv", None, 1174, None, None),
        ("image-classification/cifar10/cifar10_test_labels.npy", None, 10_000, [0], 3),
        ("image-classification/cifar10/model_predictions/vgg16_keras_predictions.json", None, 10_000, [0], 3),
        ("text-classification/tweeteval/irony/roberta_retrained_predictions.txt", None, 784, ["line"], "0"),
    ],
)
def test_predictions_and_scores_are_tables_too(
    shared: Path, path: str, reader: str | None, rows: int, columns: list[str | int] | None, first: object
) -> None:
    frame = read_file(shared / "data" / path, reader).frame

    assert len(frame) == rows
    if columns is not None:
        assert list(frame.columns) == columns
        assert frame[columns[-1]].iloc[0] == first


def test_a_score_that_is_empty_is_no_score(shared: Path) -> None:
    path = shared / "data" / "sentence-similarity" / "sts2016" / "headlines.test.tsv"

    rows = load_rows(DatasetSpec(path=str(path)), registry.task("sentence-similarity")).evalset

    assert {skip.reason for skip in rows.skipped} == {"empty score"}
    assert sum(score == 0 for score in rows.references) < len(rows.references) / 2
