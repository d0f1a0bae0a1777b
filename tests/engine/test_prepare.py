import json
import shutil
from dataclasses import replace

import pytest

from core import codec
from core.data import Loaded
from core.engine import environment, yaml_text
from core.engine import plan as plans
from core.engine.prepare import draft, prepare, repeated
from core.errors import DatasetMismatch, LabelMismatch, PlanError, RefusedModel, UserError
from core.records import DatasetSpec, Limits, Plan, PlanCandidate, Variant
from tests.engine.tiny import QUICK, WORDS


@pytest.fixture
def table(tmp_path):
    lines = [f"{WORDS[number]} {WORDS[number + 1]},{('bad', 'fair', 'good')[number % 3]}" for number in range(30)]
    file = tmp_path / "rows.csv"
    file.write_text("sentence,label\n" + "\n".join(lines) + "\n")
    return file


@pytest.fixture
def numbered(classifier, tmp_path):
    """The same model with label names that say nothing."""
    folder = shutil.copytree(classifier, tmp_path / "numbered")
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["id2label"] = {str(index): f"LABEL_{index}" for index in range(3)}
    config["label2id"] = {f"LABEL_{index}": index for index in range(3)}
    file.write_text(json.dumps(config))
    return folder


def plan(table, *candidates, **changes):
    entries = tuple(one if isinstance(one, PlanCandidate) else PlanCandidate(str(one)) for one in candidates)
    return replace(Plan("text-classification", DatasetSpec(path=str(table)), entries, protocol=QUICK), **changes)


def test_a_plan_comes_back_pinned(table, classifier):
    prepared = prepare(plan(table, classifier))
    pinned = prepared.plan
    assert pinned.dataset.columns == {"text": "sentence", "label": "label"}
    assert pinned.dataset.revision
    assert pinned.candidates[0].revision == prepared.candidates[0].revision
    assert pinned.candidates[0].labels == {label: label for label in ("bad", "fair", "good")}
    assert pinned.metrics[0] == "accuracy"
    assert pinned.options["f1_average"] == "macro"
    assert any("sentence" in note for note in prepared.notes)


def test_a_pinned_plan_written_and_read_gives_the_same_trials(table, classifier):
    prepared = prepare(plan(table, classifier, variants=(Variant(), Variant(dtype="bfloat16"))))
    again = prepare(plans.parse(yaml_text.load(plans.to_yaml(prepared.plan))))
    assert again.specs == prepared.specs
    assert plans.plan_hash(again.plan) == plans.plan_hash(prepared.plan)


def test_candidates_times_variants_in_plan_order(table, classifier, numbered):
    names = {"LABEL_0": "bad", "LABEL_1": "fair", "LABEL_2": "good"}
    second = PlanCandidate(str(numbered), labels=names, variants=(Variant("cuda", "float16"),))
    prepared = prepare(plan(table, classifier, second, variants=(Variant(), Variant(dtype="bfloat16"))))
    assert [(spec.model, spec.variant.dtype) for spec in prepared.specs] == [
        (classifier.name, "float32"),
        (classifier.name, "bfloat16"),
        ("numbered", "float16"),
    ]
    assert prepared.specs[2].labels == names
    assert prepared.specs[0].hardware == environment.fingerprint("cpu")
    assert {spec.evalset for spec in prepared.specs} == {prepared.evalset.id}


def test_names_that_say_nothing_are_not_matched_without_a_word_from_the_user(table, numbered):
    with pytest.raises(LabelMismatch) as caught:
        prepare(plan(table, numbered))
    assert "LABEL_0" in caught.value.message
    assert "labels: {LABEL_0: bad, LABEL_1: fair, LABEL_2: good}" in caught.value.hint


def test_a_page_gets_the_others_while_one_is_blocked(table, classifier, numbered):
    prepared = prepare(plan(table, numbered, classifier), strict=False)
    assert [spec.model for spec in prepared.specs] == [classifier.name]
    assert [(one.model, one.failure.kind) for one in prepared.blocked] == [(str(numbered), "data")]
    assert len(prepared.candidates) == 2
    assert prepared.candidates[0].blocked


def test_an_unknown_model_is_named(table, classifier):
    with pytest.raises(UserError, match="no-such-model"):
        prepare(plan(table, "no-such-model/"))
    prepared = prepare(plan(table, "no-such-model/", classifier), strict=False)
    assert prepared.blocked[0].failure.kind == "load"
    assert len(prepared.specs) == 1


def test_a_refused_model_names_the_rule(table, classifier, tmp_path):
    folder = shutil.copytree(classifier, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(RefusedModel, match="safetensors"):
        prepare(plan(table, folder))
    assert prepare(plan(table, folder), strict=False).blocked[0].failure.kind == "unsupported"


def test_a_model_of_another_task_is_told_by_its_task_not_by_its_labels(table, masked_model):
    with pytest.raises(UserError, match="fill-mask"):
        prepare(plan(table, masked_model))


def test_matched_labels_and_labels_without_a_partner_are_told(tmp_path, classifier):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\nw1 w2,BAD\nw3,good\n")
    prepared = prepare(plan(file, classifier))
    assert prepared.specs[0].labels == {"bad": "BAD", "good": "good"}
    assert any("'bad' is taken as 'BAD'" in note for note in prepared.notes)
    assert any("'fair' has no partner" in note for note in prepared.notes)


def test_data_without_the_columns_stops_everything(tmp_path, classifier):
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DatasetMismatch):
        prepare(plan(file, classifier), strict=False)


def test_a_candidate_named_twice_is_measured_twice(table, classifier):
    specs = prepare(plan(table, classifier, classifier)).specs
    assert [spec.repeat for spec in specs] == [0, 1]
    assert len({codec.identity(spec) for spec in specs}) == 2


def test_a_repeat_is_another_trial(table, classifier):
    first, again = prepare(plan(table, classifier)), prepare(plan(table, classifier), repeat=1)
    assert codec.identity(first.specs[0]) != codec.identity(again.specs[0])
    assert replace(again.specs[0], repeat=0) == first.specs[0]


def test_a_model_larger_than_the_machine_is_told(table, classifier, monkeypatch):
    monkeypatch.setattr(environment, "memory", lambda: {"cpu": 100})
    assert any("may not fit" in note for note in prepare(plan(table, classifier)).notes)


def test_a_model_that_fits_this_machine_gets_no_warning(table, classifier):
    assert not any("may not fit" in note for note in prepare(plan(table, classifier)).notes)


def test_a_draft_from_known_facts_plans_the_same_trials(table, classifier, numbered):
    full = prepare(plan(table, classifier, numbered), strict=False)
    planned = replace(
        full.plan,
        candidates=tuple(
            replace(one, model=facts.id, source=facts.source, labels={})
            for one, facts in zip(full.plan.candidates, full.candidates, strict=True)
        ),
    )
    sketch = draft(planned, Loaded(full.plan.dataset, full.evalset), full.candidates)
    assert sketch.specs == full.specs
    assert [one.failure.kind for one in sketch.blocked] == ["unsupported"]


def test_repeating_what_is_prepared_keeps_twins_apart(table, classifier):
    twins = prepare(plan(table, classifier, classifier))
    assert [spec.repeat for spec in repeated(twins, 2).specs] == [2, 3]


def test_an_option_that_does_not_suit_the_labels_is_told_before_anything_runs(table, classifier):
    wrong = plan(table, classifier, metrics=("f1",), options={"f1_average": "binary", "f1_positive": "superb"})
    with pytest.raises(PlanError, match="superb"):
        prepare(wrong)


def test_a_trial_that_races_is_another_one_beside_others(table, classifier, numbered):
    racing = replace(QUICK, race=True)
    named = PlanCandidate(
        str(numbered), labels={f"LABEL_{n}": label for n, label in enumerate(("bad", "fair", "good"))}
    )
    alone, both = (
        prepare(plan(table, *models, protocol=racing)).specs for models in ([classifier], [classifier, named])
    )
    assert alone[0].race
    assert len({spec.race for spec in both} | {alone[0].race}) == 2
    assert prepare(plan(table, classifier)).specs[0].race == ""


def test_that_limits_come_after_the_race_is_told(table, classifier):
    racing = replace(QUICK, race=True)
    limited = prepare(plan(table, classifier, protocol=racing, limits=Limits(memory_mb=500)))
    assert any("Limits are checked after the race" in note for note in limited.notes)
    assert not any("the race" in note for note in prepare(plan(table, classifier, protocol=racing)).notes)


def test_a_race_on_a_metric_that_has_none_is_told_before_anything_runs(table, classifier):
    with pytest.raises(PlanError, match="no race on mcc"):
        prepare(plan(table, classifier, metrics=("mcc",), protocol=replace(QUICK, race=True)))
