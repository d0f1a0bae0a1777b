"""Bad input gets an `error:` and a `hint:` and no traceback; what can still be measured is measured."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import candidate


@pytest.mark.parametrize(
    ("changes", "error", "hint"),
    [
        ({"datasset": {}}, "'datasset'", "'dataset'"),
        ({"task": "text-clasification"}, "'text-clasification'", "'text-classification'"),
        ({"metrics": ["acuracy"]}, "'acuracy'", "'accuracy'"),
        ({"metrics": ["rouge1"]}, "'rouge1'", "accuracy"),
        ({"f1_average": "makro"}, "'makro'", "macro"),
        ({"variants": [{"device": "cpuu"}]}, "'cpuu'", "cpu"),
        ({"latency": {"min_cals": 3}}, "'min_cals'", "'min_calls'"),
        ({"candidates": []}, "no candidates", "model:"),
        ({"candidates": None}, "candidates", "dash"),
        ({"candidates": [{"model": "gpt2"}]}, "'gpt2'", "org/name"),
        ({"candidates": [{"model": "./nowhere"}]}, "There is no folder", "Check the path"),
        ({"dataset": {"path": "nowhere.csv"}}, "nowhere.csv", "Check the path"),
        ({"dataset": {"repo": "https://example.org/x.csv"}}, "org/name", "addresses are refused"),
    ],
)
def test_a_wrong_plan_says_what_and_what_instead(cli, plan, changes, error, hint):
    message, advice = cli("run", plan(**changes)).error.split("\n", 1)
    assert error in message
    assert hint in advice


@pytest.mark.parametrize("text", ["task: [", "", "just words", "task: text-classification\ntask: x"])
def test_a_plan_that_is_no_plan_is_an_error_not_a_crash(cli, tmp_path, text):
    (tmp_path / "plan.yaml").write_text(text)
    assert cli("run", tmp_path / "plan.yaml").error
    assert "There is no plan file" in cli("run", tmp_path / "missing.yaml").error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "empty"),
        ("text,label\n", "no rows"),
        ("a,b\n1,2\n3,4\n", "Columns found: 'a', 'b'"),
        ("text,label\n,praise\nw1,\n", "None of the 2 rows can be used"),
        ("text,label\nw1,red\nw2,blue\n", "Data: 'blue', 'red'"),
    ],
)
def test_a_file_without_usable_rows_is_an_error(cli, plan, tmp_path, content, error):
    (tmp_path / "bad.csv").write_text(content)
    assert error in cli("run", plan(dataset={"path": "bad.csv"})).error


@pytest.mark.parametrize(
    ("content", "scored", "note"),
    [
        ("text,label\nw1 w2,praise\n,praise\nw3,\nNaN,question\nw5,NaN\n", 2, "3 of 5 rows cannot be used"),
        ("text,label\nw1,praise\nw2,praise\n", 2, "Every row has the label 'praise'"),
        ("text,label\nw1,praise\n", 1, "Every row has the label"),
        ("text,label\nw1 café,praise\nw2,complaint\n".encode("latin-1"), 2, "not UTF-8"),
        ("\ufefftext,label\nw1,praise\nw2,complaint\n", 2, ""),
        ('text,label\n"w1 w2,praise\nw3,complaint\n', 2, "Quotation marks"),
        ("id,text,label\n1,w1,praise\n1,w2,complaint\n", 2, "repeat the id"),
        (f"text,label\n{'w1 ' * 17_000},praise\nw2,complaint\n", 2, ""),
    ],
    ids=["gaps", "one class", "one row", "latin-1", "bom", "quotes", "equal ids", "50,000 characters"],
)
def test_untidy_rows_are_measured_and_what_was_done_to_them_is_said(cli, plan, tmp_path, content, scored, note):
    (tmp_path / "rows.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = cli("run", plan(dataset={"path": "rows.csv"}), "--json")
    assert said.code == 0
    assert said.document["trials"][0]["rows"] == said.document["dataset"]["rows"] == scored
    assert note in said.err


def test_labels_that_only_might_match_are_proposed_ready_to_paste(cli, plan, saved):
    message = cli("run", plan(candidates=[{"model": str(saved("distilbert"))}])).error
    assert "'LABEL_0', 'LABEL_1', 'LABEL_2'" in message
    assert "`labels: {LABEL_0: complaint, LABEL_1: praise, LABEL_2: question}`" in message


def test_a_revision_that_is_not_there_is_named(cli, plan, saved):
    assert (
        "no revision 'abc'" in cli("run", plan(candidates=[candidate(saved("distilbert")) | {"revision": "abc"}])).error
    )


def test_a_gated_model_asks_for_terms_and_token(cli, plan, checkpoint):
    closed = checkpoint("closed", card={"extra_gated_prompt": "Agree."})
    message = cli("run", plan(candidates=[candidate(closed)])).error
    assert "gated" in message
    assert "HF_TOKEN" in message


def test_a_model_without_safetensors_is_refused_by_name_of_the_rule(cli, plan, checkpoint):
    folder = checkpoint("pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "No safetensors weights" in cli("run", plan(candidates=[candidate(folder)])).error


def test_a_model_with_its_own_code_is_refused_by_name_of_the_rule(cli, plan, checkpoint):
    folder = checkpoint("code", auto_map={"AutoModel": "model.Model"})
    assert "Remote code" in cli("run", plan(candidates=[candidate(folder)])).error


def test_weights_cut_short_are_seen_before_anything_runs(cli, plan, checkpoint):
    folder = checkpoint("short")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "not a valid safetensors file" in cli("run", plan(candidates=[candidate(folder)])).error


def spoil_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("spoiled", "kind", "message"),
    [
        (lambda make: make("wider", dim=64, hidden_dim=96), "load", "cannot be loaded"),
        (lambda make: spoil_tokenizer(make("mute")), "load", "cannot be loaded"),
        (lambda make: make("writer", "t5"), "unsupported", "T5ForConditionalGeneration"),
        (lambda make: make("filler", architectures=["DistilBertForMaskedLM"]), "unsupported", "DistilBertForMaskedLM"),
    ],
    ids=["other weights than its configuration", "no tokenizer", "another task", "no head"],
)
def test_what_cannot_be_loaded_is_a_failed_row_beside_the_others(cli, plan, saved, checkpoint, spoiled, kind, message):
    planned = plan(candidates=[candidate(spoiled(checkpoint)), candidate(saved("distilbert"))])
    said = cli("run", planned, "--json")
    failed, done = said.document["trials"]
    assert said.code == 1
    assert (failed["status"], failed["error"]["kind"], done["status"]) == ("failed", kind, "done")
    assert message in failed["error"]["message"]
    assert json.dumps(failed["metrics"]["accuracy"]["value"]) == "null"


def test_a_device_that_is_not_here_is_a_failed_row(cli, plan):
    said = cli("run", plan(variants=[{"device": "cuda"}, {"device": "cpu"}]), "--json")
    if said.code == 0:
        pytest.skip("this machine has a GPU")
    assert said.code == 1
    assert [trial["status"] for trial in said.document["trials"]] == ["failed", "done"]
    assert said.document["trials"][0]["error"]["kind"] == "unsupported"


def test_a_home_that_cannot_be_written_is_named(cli, plan, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "file"))
    assert str(tmp_path / "file") in cli("run", plan()).error
