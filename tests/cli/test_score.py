"""`score`: the metrics of predictions made elsewhere, as scikit-learn and rouge_score compute them."""

from __future__ import annotations

import json
import re
import shlex

import numpy as np
import pytest
import yaml
from rouge_score import rouge_scorer
from sklearn import metrics

from core.cli.parser import build_parser
from core.engine.plan import parse
from tests.conftest import REPO

NAMES = ["ham", "spam", "egg"]


@pytest.fixture
def files(tmp_path):
    def write(predictions, references, ending="jsonl"):
        for name, rows in (("predictions", predictions), ("references", references)):
            (tmp_path / f"{name}.{ending}").write_text("".join(json.dumps(row) + "\n" for row in rows))
        paths = (tmp_path / f"predictions.{ending}", tmp_path / f"references.{ending}")
        return "--predictions", paths[0], "--references", paths[1]

    return write


@pytest.fixture
def drawn():
    generator = np.random.default_rng(5)
    gold = [NAMES[index] for index in generator.integers(3, size=200)]
    said = [truth if generator.random() < 0.7 else NAMES[generator.integers(3)] for truth in gold]
    return said, gold


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_scores_equal_scikit_learn_and_an_id_without_prediction_counts_as_wrong(cli, files, drawn, average):
    said, gold = drawn
    # Every seventh has no line, every eleventh a line without an answer; the order differs.
    answered = {row: said[row] for row in range(200) if row % 7}
    predictions = [{"id": f"r{row}", "prediction": answered[row] if row % 11 else None} for row in reversed(answered)]
    paths = files(predictions, [{"id": f"r{row}", "label": label} for row, label in enumerate(gold)])
    wanted = ["accuracy", "precision", "recall", "f1"]
    options = [part for name in wanted[1:] for part in ("--option", f"{name}_average={average}")]
    call = ("score", "--task", "text-classification", *paths, "--metrics", *wanted, *options, "--json")
    document = cli(*call).document
    assert (document["task"], document["rows"]) == ("text-classification", 200)
    assert document["missing"] == sum(not row % 7 or not row % 11 for row in range(200))
    assert document["metrics"]["f1"]["options"]["average"] == average

    full = [answered[row] if row in answered and row % 11 else "" for row in range(200)]
    p, r, f, _ = metrics.precision_recall_fscore_support(gold, full, average=average, zero_division=0)
    for name, value in zip(wanted, (metrics.accuracy_score(gold, full), p, r, f), strict=True):
        found = document["metrics"][name]
        assert found["value"] == pytest.approx(value)
        assert found["low"] < found["value"] < found["high"]


def test_files_without_ids_are_joined_by_position(cli, files, drawn):
    said, gold = drawn
    paths = files([{"guess": one} for one in said[:150]], [{"truth": one} for one in gold])
    columns = ("--columns", "prediction=guess", "label=truth")
    document = cli("score", "--task", "text-classification", *paths, *columns, "--json").document
    assert document["missing"] == 50
    right = sum(one == two for one, two in zip(said, gold[:150], strict=False))
    assert document["metrics"]["accuracy"]["value"] == pytest.approx(right / 200)


def test_numbers_as_labels_are_the_same_in_both_files(cli, files):
    paths = files(
        [{"id": 1, "label": 1.0}, {"id": 2, "label": 0}], [{"id": "1", "label": "1"}, {"id": "2", "label": "0"}]
    )
    document = cli("score", "--task", "text-classification", *paths, "--json").document
    assert (document["missing"], document["metrics"]["accuracy"]["value"]) == (0, 1.0)


def test_summaries_are_scored_as_rouge_score_does(cli, files):
    said, gold = ["the cat sat", "a dog"], ["the cat sat down", "the dog barked loudly"]
    paths = files([{"summary": text} for text in said], [{"summary": text} for text in gold])
    document = cli("score", "--task", "summarization", *paths, "--metrics", "rouge1", "rougeL", "--json").document
    scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"])
    each = [scorer.score(reference, answer) for reference, answer in zip(gold, said, strict=True)]
    for name in ("rouge1", "rougeL"):
        assert document["metrics"][name]["value"] == pytest.approx(np.mean([one[name].fmeasure for one in each]))


def test_a_row_without_reference_is_left_out_and_said(cli, files):
    paths = files([{"label": "ham"}] * 3, [{"label": "ham"}, {"label": None}, {"label": "spam"}])
    said = cli("score", "--task", "text-classification", *paths, "--metrics", "accuracy")
    assert said.code == 0
    assert "0.500" in said.out
    assert "1 of 3 rows cannot be used and are not scored: 1 × missing label." in said.err


ROW = {"id": "1", "label": "ham"}


@pytest.mark.parametrize(
    ("predictions", "references", "more", "error"),
    [
        ([ROW, ROW], [ROW], (), "Several predictions have the id '1'."),
        ([{"label": "ham"}] * 2, [{"label": "ham"}], (), "2 predictions, more than the references (1)"),
        ([{"a": "x", "b": "y"}], [ROW], (), "'a', 'b'"),
        ([ROW], [ROW], ("--columns", "label=gold"), "There is no column 'gold'. Columns found: 'id', 'label'."),
        ([ROW], [ROW], ("--columns", "lable=label"), "Unknown column 'lable'"),
        ([ROW], [ROW], ("--columns", "label"), "not NAME=VALUE"),
        ([ROW], [ROW], ("--metrics", "acuracy"), "'acuracy'"),
        ([ROW], [ROW], ("--option", "f1_avrage=micro"), "'f1_avrage'"),
        ([ROW], [ROW], ("--option", "f1_average=makro"), "'makro'"),
        ([ROW], [{"label": None}], (), "None of the 1 rows can be used: missing label."),
    ],
)
def test_what_cannot_be_scored_is_an_error(cli, files, predictions, references, more, error):
    assert error in cli("score", "--task", "text-classification", *files(predictions, references), *more).error


def test_a_file_that_is_not_there_is_named(cli, tmp_path):
    missing = tmp_path / "missing.csv"
    call = ("score", "--task", "text-classification", "--predictions", missing, "--references", missing)
    assert "missing.csv" in cli(*call).error


TEXTS = ("score", "--task", "summarization", "--metrics", "bleu", "--json")


@pytest.fixture
def text(tmp_path):
    def write(name, content):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return write


def test_several_reference_files_are_several_references_of_each_row(cli, text):
    said = text("said.txt", "the cat sat on the mat today\n")
    one, two = text("one.txt", "the cat sat on a mat\n"), text("two.txt", "the cat sat on the mat today\n")
    document = cli(*TEXTS, "--predictions", said, "--references", one, two).document
    assert document["metrics"]["bleu"]["value"] == pytest.approx(100)
    assert document["metrics"]["bleu"]["signature"].startswith("nrefs:2|")
    assert cli(*TEXTS, "--predictions", said, "--references", one).document["metrics"]["bleu"]["value"] < 100


def test_references_between_blank_lines_and_in_rows_of_the_same_input(cli, text):
    said = text("said.csv", "MR,output\nb,four five six seven\na,one two three four\n")
    rows = text("gold.csv", "mr,ref\na,zero\nb,four five six seven\na,one two three four\n")
    document = cli(*TEXTS, "--predictions", said, "--references", rows, "--group-by", "mr").document
    assert (document["rows"], document["metrics"]["bleu"]["value"]) == (2, pytest.approx(100))
    lines = text("said.txt", "one two three four\nfour five six seven\n")
    gold = text("gold.txt", "zero\none two three four\n\nfour five six seven\n")
    document = cli(*TEXTS, "--predictions", lines, "--references", gold, "--reader", "paragraphs").document
    assert (document["rows"], document["metrics"]["bleu"]["value"]) == (2, pytest.approx(100))


def test_labels_are_named_and_what_does_not_match_is_in_the_document(cli, text):
    said = text("said.csv", "key,guess\n1,0\n2,1\n9,1\n")
    gold = text("gold.csv", "key,label\n1,ham\n2,spam\n3,spam\n")
    call = ("score", "--task", "text-classification", "--predictions", said, "--references", gold, "--json")
    found = cli(*call, "--columns", "prediction=guess", "id=key", "--labels", "0=ham", "1=spam")
    document = found.document
    assert (document["rows"], document["missing"], document["unmatched"]) == (3, 1, 1)
    assert document["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert any("'9'" in note for note in document["notes"])
    assert all(f"note: {note}" in " ".join(found.err.split()) for note in document["notes"])


def test_a_local_module_is_a_metric_by_its_path(cli, text, tmp_path):
    folder = tmp_path / "toy_share"
    folder.mkdir()
    (folder / "toy_share.py").write_text(
        "import datasets\nimport evaluate\n\n\nclass Share(evaluate.Metric):\n"
        "    def _info(self):\n"
        "        features = {name: datasets.Value('string') for name in ('predictions', 'references')}\n"
        "        return evaluate.MetricInfo(description='', citation='', features=datasets.Features(features))\n\n"
        "    def _compute(self, predictions, references):\n"
        "        return {'share': sum(map(str.__eq__, predictions, references)) / len(references)}\n"
    )
    said, gold = text("said.txt", "ham\nspam\n"), text("gold.txt", "ham\nham\n")
    call = ("score", "--task", "text-classification", "--predictions", said, "--references", gold, "--json")
    assert cli(*call, "--metrics", folder).document["metrics"][f"module:{folder}"]["value"] == 0.5
    assert "none from the network" in cli(*call[:-1], "--metrics", "evaluate-metric/accuracy").error


E2E = "text-generation/e2e"
WMT = "translation/wmt22/fr-de/generaltest2022.fr-de"
SQUAD = "question-answering/squad_v1.1"
XQUAD = "question-answering/explainaboard_xquad/test-en_8113_mt5base.json"
IRONY = "text-classification/tweeteval/irony"
OFFICIAL = {
    "TweetEval irony": (
        ("text-classification", f"{IRONY}/roberta_retrained_predictions.txt", f"{IRONY}/test_labels.txt"),
        ("--metrics", "f1", "--option", "f1_average=binary", "--option", "f1_positive=1"),
        {"f1": (0.6248, 4)},
    ),
    "WMT22 fr-de, Online-Y": (
        ("translation", f"{WMT}.hyp.Online-Y.de", f"{WMT}.ref.A.de"),
        ("--metrics", "bleu", "chrf"),
        {"bleu": (45.0364343387293, 4), "chrf": (67.46455893868266, 4)},
    ),
    "E2E, TGen": (
        ("text2text-generation", f"{E2E}/system_outputs/tgen.tsv", f"{E2E}/testset_w_refs.csv"),
        ("--group-by", "mr", "--metrics", "bleu", "--option", "bleu_lowercase=true"),
        {"bleu": (65.93, 2)},
    ),
    "E2E, Harv": (
        ("text2text-generation", f"{E2E}/system_outputs/harv.tsv", f"{E2E}/testset_w_refs.csv"),
        ("--group-by", "mr", "--metrics", "bleu", "--option", "bleu_lowercase=true"),
        {"bleu": (64.96, 2)},
    ),
    "SQuAD v1.1, BERT ensemble": (
        ("question-answering", f"{SQUAD}/pred_BERT_ensemble.json", f"{SQUAD}/dev-v1.1.json"),
        (),
        {"exact_match": (0.86206, 5), "f1": (0.92196, 5)},
    ),
    "SQuAD v1.1, logistic regression without 13 ids": (
        ("question-answering", f"{SQUAD}/pred_LogisticRegression.json", f"{SQUAD}/dev-v1.1.json"),
        (),
        {"exact_match": (0.40142, 5), "f1": (0.50982, 5)},
    ),
    "sclite": (
        ("automatic-speech-recognition", "speech/sclite_golden/csrnab.hyp", "speech/sclite_golden/csrnab.ref"),
        (
            *("--reader", "trn", "--predictions-reader", "trn", "--metrics", "wer"),
            *("--option", "wer_normalizer=lower", "--option", "wer_alternatives=true"),
        ),
        {"wer": (0.120, 3)},
    ),
    "XQuAD, mT5": (("question-answering", XQUAD, XQUAD), (), {"exact_match": (0.68571, 5), "f1": (0.81136, 5)}),
}


@pytest.mark.parametrize(("files", "more", "published"), OFFICIAL.values(), ids=OFFICIAL)
def test_published_scores_come_out_of_the_published_files(cli, shared, files, more, published):
    task, said, gold = files
    paths = ("--predictions", shared / "data" / said, "--references", shared / "data" / gold)
    document = cli("score", "--task", task, *paths, *more, "--json").document
    assert document["missing"] == (13 if "Logistic" in said else 0)
    for name, (value, digits) in published.items():
        found = document["metrics"][name]
        assert round(found["value"], digits) == pytest.approx(round(value, digits), abs=1e-9)
        assert found["low"] < found["value"] < found["high"]


DOCUMENT = (REPO / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_the_document_of_scoring_shows_commands_and_plans_that_can_be_read(tmp_path):
    commands = [line for line in DOCUMENT.splitlines() if line.startswith("python -m core score ")]
    assert len(commands) > 5
    for line in commands:
        build_parser().parse_args(shlex.split(line)[3:])
    for name in ("my_metric", "error_rate"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").touch()
    data = {"task": "text-classification", "dataset": {"path": "rows.csv"}}
    for block in re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL):
        data |= yaml.safe_load(block)
    plan = parse(data, base=tmp_path)
    assert plan.candidates[1].source == "predictions"
    assert len(plan.metrics) == 3
