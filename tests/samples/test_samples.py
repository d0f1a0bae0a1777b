"""The bundled catalogue: small enough to commit, true to its script, and as good as its README says."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from samples import ROOT, tickets
from samples.phrases import ISSUES, LABELS, WISHES

MODELS = ROOT / "models"
FOLDERS = sorted(config.parent for config in MODELS.glob("*/*/config.json"))
MAX_BYTES = 15_000_000
FIRST_ROWS = 300
"""Enough rows to see a wrong model; the tolerance is about three standard errors of an accuracy on them."""
TOLERANCE = 0.08


def name(folder: Path) -> str:
    return folder.relative_to(MODELS).as_posix()


def card(folder: Path) -> dict[str, Any]:
    _, matter, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(matter)
    assert isinstance(found, dict)
    return found


def stated_scores() -> dict[str, tuple[str, float]]:
    """Model id → (metric, measured score), from the table of the README."""
    rows = [line.split("|") for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    return {
        cells[1].strip(): (cells[6].strip(), float(cells[8]))
        for cells in rows
        if len(cells) > 9 and re.fullmatch(r"[\w-]+/[\w-]+", cells[1].strip())
    }


def test_the_catalogue_stays_small_enough_to_commit() -> None:
    kept = [file for file in ROOT.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sum(file.stat().st_size for file in kept) <= MAX_BYTES


def test_equal_seeds_give_equal_tickets_and_other_seeds_others() -> None:
    first, again, other = (tickets.tickets(50, seed, "training") for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_the_committed_files_are_what_the_grammar_gives(tmp_path: Path) -> None:
    tickets.write_data(tmp_path)
    for file in ("tickets.csv", "ticket_summaries.jsonl"):
        assert (ROOT / "data" / file).read_bytes() == (tmp_path / file).read_bytes()


def test_the_ticket_file_has_every_label_and_a_few_rows_that_cannot_be_used() -> None:
    with (ROOT / "data" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    unusable = [row for row in rows if not row["text"].strip() or not row["label"]]
    assert set(Counter(row["label"] for row in rows if row["label"])) == set(LABELS)
    assert len(rows) - len(unusable) == tickets.TICKET_ROWS
    assert 0 < len(unusable) < 20
    assert len({row["id"] for row in rows}) == len(rows)
    assert not any("{" in row["text"] for row in rows)


def test_summaries_copy_from_their_texts_without_being_copies() -> None:
    lines = (ROOT / "data" / "ticket_summaries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    shared = [
        len(set(row["summary"].lower().split()) & set(row["text"].lower().split())) / len(row["summary"].split())
        for row in rows
    ]
    assert len(rows) == tickets.SUMMARY_ROWS
    assert 0.3 < sum(shared) / len(shared) < 0.8


def test_training_tickets_never_use_the_phrasings_kept_for_evaluation() -> None:
    meanings = [meaning for group in (ISSUES, WISHES) for own in group.values() for meaning in own]
    tails = [re.split(r"[{}]", meaning.phrasings[-1])[-1].strip().lower() for meaning in meanings]
    telling = [tail for tail in tails if len(tail) > 15]
    training = " ".join(ticket.text.lower() for ticket in tickets.tickets(3000, 5, "training"))
    assert len(telling) > 20
    assert not [tail for tail in telling if tail in training]


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_every_model_has_a_card_with_the_facts_a_choice_needs(folder: Path) -> None:
    facts = card(folder)
    assert {"license", "language", "library_name", "pipeline_tag", "tags", "datasets", "model-index"} <= set(facts)
    (metric,) = facts["model-index"][0]["results"][0]["metrics"]
    assert 0 < metric["value"] <= 1
    assert (folder / "tokenizer.json").is_file()
    assert json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"] == 128


def test_the_models_differ_in_licence_and_include_the_awkward_ones() -> None:
    cards = {name(folder): card(folder) for folder in FOLDERS}
    licenses = {facts["license"] for facts in cards.values()}
    assert {"mit", "apache-2.0", "gpl-3.0", "cc-by-nc-4.0", "openrail", "bigscience-openrail-m"} <= licenses
    assert len([1 for facts in cards.values() if facts["pipeline_tag"] == "summarization"]) == 2
    assert [model for model, facts in cards.items() if "extra_gated_prompt" in facts] == [
        "aurora-nlp/ticket-router-pro"
    ]
    pickled = [name(folder) for folder in FOLDERS if not (folder / "model.safetensors").exists()]
    assert pickled == ["attic-ml/ticket-router-legacy"]
    unnamed = [name(f) for f in FOLDERS if '"LABEL_0"' in (f / "config.json").read_text(encoding="utf-8")]
    assert "helpdesk-lab/ticket-router-bert-nano" in unnamed
    assert cards["opendesk/distil-ticket-router"]["base_model"] in cards


def test_every_model_of_the_plans_is_here_and_in_the_table() -> None:
    for plan in ("tickets.yaml", "summaries.yaml"):
        for candidate in yaml.safe_load((ROOT / plan).read_text(encoding="utf-8"))["candidates"]:
            assert (MODELS / candidate["model"] / "model.safetensors").is_file()
    assert set(stated_scores()) == {name(folder) for folder in FOLDERS}


def test_the_choice_is_worth_making() -> None:
    """Accuracy spreads widely, and the largest model is not the best."""
    stated = {model: score for model, (metric, score) in stated_scores().items() if metric == "accuracy"}
    weights = {model: sum(f.stat().st_size for f in (MODELS / model).glob("*.safetensors")) for model in stated}
    assert max(stated.values()) - min(stated.values()) > 0.1
    assert max(weights, key=lambda model: weights[model]) != max(stated, key=lambda model: stated[model])


@pytest.mark.parametrize("folder", [f for f in FOLDERS if (f / "model.safetensors").exists()], ids=name)
def test_each_model_loads_quietly_and_scores_what_the_readme_says(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from samples import classifiers, summarizers

    metric, stated = stated_scores()[name(folder)]
    if metric == "accuracy":
        usable = [row for row in tickets.ticket_rows() if row["text"].strip() and row["label"]][:FIRST_ROWS]
        found = classifiers.accuracy(folder, [row["text"] for row in usable], [row["label"] for row in usable])
    else:
        rows = tickets.summary_rows()[:50]
        found = summarizers.rouge_l(folder, [row["text"] for row in rows], [row["summary"] for row in rows])
    assert found == pytest.approx(stated, abs=TOLERANCE)
    said = capfd.readouterr()
    assert not re.search("missing|unexpected|newly initialized|warn", said.out + said.err, re.IGNORECASE)
