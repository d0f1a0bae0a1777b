import dataclasses
import io
import zipfile

import pytest

from core import registry, review
from core.analysis.summary import analyse
from core.codec import identity
from core.records import Limits, Variant
from tests.analysis.factory import make_run
from tests.pages.seed import fill


@pytest.fixture
def seeded(store):
    return fill(store, make_run(3, 150, 3, failed=1, accuracies=[0.6, 0.9, 0.9]))


def signed(store, selection, run, trial, author="Ada"):
    decision = review.sign(selection.id, store.run(run), trial, author, "Best.", store.decisions(selection.id))
    store.add_decision(decision)
    return decision


def picker(app):
    return next(box for box in app.selectbox if box.label == "Trial to export")


def downloads(app):
    return {button.key: button for button in app.get("download_button")}


def test_without_a_run_it_says_what_is_missing(store, open_page):
    app = open_page("6_export", selection=store.create_selection("new").id)
    assert not app.exception
    assert [title.value for title in app.subheader] == ["Nothing to export yet"]
    assert app.button(key="next_step").label == "Plan the benchmark"


def test_unsigned_the_choice_of_the_rule_is_shown_and_said_to_be_unsigned(store, seeded, open_page, words):
    selection, run = seeded
    app = open_page("6_export", selection=selection.id)
    assert not app.exception
    assert picker(app).value == rules_choice(store, run)
    assert "Nothing is signed for this run yet. This is what the rule picks." in words(app)
    assert "to_review" in [button.key for button in app.button]
    assert len(picker(app).options) == 3


def rules_choice(store, run):
    return review.evidence(analyse(store.run(run)), Limits())["winner"]


def test_the_signed_trial_comes_first_whatever_the_rule_picks(store, seeded, open_page, words):
    selection, run = seeded
    by_hand = next(o.trial for o in store.progress(run).outcomes if o.trial != rules_choice(store, run))
    signed(store, selection, run, by_hand)
    app = open_page("6_export", selection=selection.id)
    assert picker(app).value == by_hand
    assert "This is the choice of version 1, signed by Ada." in words(app)
    other = open_page("6_export", selection=selection.id, trial=rules_choice(store, run))
    assert picker(other).value == rules_choice(store, run)
    assert "Not the choice of version 1, signed by Ada." in words(other)


def test_plan_script_and_report_are_previewed_as_they_will_be_downloaded(store, seeded, open_page):
    selection, run = seeded
    app = open_page("6_export", selection=selection.id, form="Report (Markdown)")
    result, trial = store.run(run), picker(app).value
    wanted = [registry.format(name).render(result, trial).decode().rstrip("\n") for name in ("plan", "script", "md")]
    assert [code.value for code in app.code] == wanted
    assert {"download_all", "download_plan", "download_script", "download_md"} == downloads(app).keys()
    assert downloads(app)["download_all"].proto.label == "Download everything"


@pytest.mark.parametrize("name", ["html", "md", "csv", "predictions", "json"])
def test_every_form_of_the_report_can_be_shown(seeded, open_page, name):
    app = open_page("6_export", selection=seeded[0].id, form=registry.format(name).title)
    assert not app.exception
    assert f"download_{name}" in downloads(app)


def test_the_bundle_holds_every_format_under_the_signed_limits(store, seeded):
    from pages._ui import cached

    _, run = seeded
    trial = rules_choice(store, run)
    archive = zipfile.ZipFile(io.BytesIO(cached.bundle(run, trial, Limits(memory_mb=5000))))
    assert set(archive.namelist()) == {format.filename for format in registry.formats().values()}
    assert b"memory_mb: 5000" in archive.read("plan.yaml")
    assert "memory at most 5.00 GB" in archive.read("report.md").decode()


def test_what_travels_is_said_with_the_models_that_stay_behind(store, open_page, words):
    result = make_run(2, 60)
    outcomes = []
    for outcome in result.outcomes:
        spec = dataclasses.replace(outcome.spec, source="/srv/checkpoints")
        outcomes.append(dataclasses.replace(outcome, spec=spec, trial=identity(spec)))
    selection, _ = fill(store, dataclasses.replace(result, outcomes=tuple(outcomes)))
    said = words(open_page("6_export", selection=selection.id))
    assert "the 60 rows, with their texts, are in the bundle" in said
    assert "org/model-00 lies only on this machine, in /srv/checkpoints" in said


def test_a_trial_that_no_script_can_load_keeps_the_other_cards(store, open_page, words):
    result = make_run(1, 60, variants=(Variant(quantization="int8"),))
    selection, _ = fill(store, result)
    app = open_page("6_export", selection=selection.id)
    assert not app.exception
    assert "No script can be written for a 'int8' trial yet" in words(app)
    assert "download_script" not in downloads(app)
    assert "download_plan" in downloads(app)


def test_where_every_trial_failed_the_way_back_is_shown(store, open_page, words):
    selection, _ = fill(store, make_run(0, 40, failed=2))
    app = open_page("6_export", selection=selection.id)
    assert not app.exception
    assert [title.value for title in app.subheader] == ["No trial gave a result"]
    assert words(app).count("The weights are cut short") == 2
    assert app.button(key="next_step").label == "Back to the benchmark"
    assert not downloads(app)


def test_names_of_strangers_stay_text(store, seeded, open_page):
    selection, run = seeded
    signed(store, selection, run, rules_choice(store, run), author="<script>alert(1)</script> **bold**")
    app = open_page("6_export", selection=selection.id)
    assert not app.exception
    assert not any(shown.allow_html for shown in app.markdown)
    assert not any("<script>" in shown.value or " **bold**" in shown.value for shown in app.markdown)
