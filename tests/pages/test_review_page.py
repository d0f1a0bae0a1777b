import dataclasses

import pytest

from core import review
from core.analysis.summary import analyse
from core.records import Limits
from tests.analysis.factory import make_run
from tests.pages.seed import fill

TROUBLE = "<script>alert(1)</script> **bold** [link](https://example.org) $x$"


@pytest.fixture
def seeded(store):
    return fill(store, make_run(3, 150, 3, failed=1, accuracies=[0.6, 0.9, 0.9], limits=Limits(latency_p95_ms=500)))


def winner(store, run):
    return review.evidence(analyse(store.run(run)), Limits())["winner"]


def speak(app, name, verdict, text, trial=""):
    if name is not None:
        app.text_input(key="author").set_value(name).run()
    about = next(box for box in app.selectbox if box.label == "About")
    about.set_value(trial).run()
    choose(app, "Verdict", verdict)
    area(app, "Words").set_value(text)
    return app.button(key="send").click().run()


def choose(app, label, value):
    next(group for group in app.get("button_group") if group.label == label).set_value(value)


def area(app, label):
    return next(area for area in app.text_area if area.label == label)


def sign(app, name, reason, trial=None):
    app.text_input(key="author").set_value(name).run()
    if trial:
        next(box for box in app.selectbox if box.label == "We ship").set_value(trial)
    area(app, "Because").set_value(reason)
    return app.button(key="sign_it").click().run()


def test_without_a_run_it_says_what_is_missing(store, open_page):
    app = open_page("5_review", selection=store.create_selection("new").id)
    assert not app.exception
    assert [title.value for title in app.subheader] == ["Nothing to sign yet"]
    assert app.button(key="next_step").label == "Plan the benchmark"


def test_a_run_that_goes_on_waits_for_its_end(store, open_page):
    result = make_run(2, 60)
    going = dataclasses.replace(result.outcomes[1], status="queued", chunks=(), latency=())
    selection, _ = fill(store, dataclasses.replace(result, outcomes=(result.outcomes[0], going)))
    app = open_page("5_review", selection=selection.id)
    assert not app.exception
    assert [title.value for title in app.subheader] == ["The run is running"]
    assert app.button(key="next_step").label == "Watch the benchmark"


def test_the_draft_proposes_the_choice_of_the_rule_with_its_numbers(store, seeded, open_page, words):
    selection, run = seeded
    app = open_page("5_review", selection=selection.id)
    assert not app.exception
    assert app.subheader[0].value == "Ship org/model-01 on CPU, float32"
    said = words(app)
    assert "Draft" in said
    assert "p95 latency at most 500 ms" in said
    assert "Text classification on 150 rows of rows.csv" in said
    assert "model-03: The weights are cut short" in said
    table = app.dataframe[0].value
    assert table["trial"].iloc[0] == "model-01"
    assert len(table) == 3
    sign_form = next(box for box in app.selectbox if box.label == "We ship")
    assert sign_form.value == winner(store, run)
    assert len(sign_form.options) == 3


def test_signing_freezes_the_evidence_and_a_later_change_is_a_new_version(store, seeded, open_page, words):
    selection, run = seeded
    app = sign(open_page("5_review", selection=selection.id), "Ada", "The fastest of the best.")
    assert not app.exception
    (decision,) = store.decisions(selection.id)
    assert (decision.author, decision.reason, decision.version) == ("Ada", "The fastest of the best.", 1)
    assert decision.trial == winner(store, run)
    assert "Version 1" in words(app)
    assert "have changed since" not in words(app)
    assert app.button(key="next_step").label == "Export"
    assert area(app, "Because").value == ""

    store.save_selection(dataclasses.replace(selection, limits=Limits(latency_p95_ms=0.01)))
    app = open_page("5_review", selection=selection.id)
    assert app.subheader[0].value == "Ship org/model-01 on CPU, float32"
    assert "p95 latency at most 500 ms" in words(app)
    assert "have changed since" in words(app)

    sign(app, "Ben", "We live with the breach.", decision.trial)
    assert [one.version for one in store.decisions(selection.id)] == [1, 2]
    assert store.decisions(selection.id)[0] == decision
    assert "Chosen by hand" in words(app)

    old = open_page("5_review", selection=selection.id, version="1")
    assert "The fastest of the best." in words(old)
    assert "have changed since" not in words(old)


def test_what_is_missing_is_said_and_nothing_typed_is_lost(store, seeded, open_page, words):
    selection, _ = seeded
    app = open_page("5_review", selection=selection.id)
    app = sign(app, "", "My long reason")
    assert "The name is empty" in words(app)
    assert area(app, "Because").value == "My long reason"
    app = speak(app, "Ada", "reject", "", trial=winner(store, seeded[1]))
    assert "A rejection needs its reason" in words(app)
    app = speak(app, "Ada", "approve", "fine")
    assert "A vote needs a trial" in words(app)
    assert area(app, "Words").value == "fine"
    assert store.reviews(selection.id) == []
    assert store.decisions(selection.id) == []


def test_votes_of_others_show_after_ones_own(store, seeded, open_page, words):
    selection, run = seeded
    trial = winner(store, run)
    store.add_review(review.write(selection.id, "Grace", "reject", "Too slow for us", run=run, trial=trial))
    app = open_page("5_review", selection=selection.id)
    assert "1 vote, shown after your own" in words(app)
    assert "Grace" not in words(app)
    assert "Too slow for us" not in words(app)
    app = speak(app, "Ada", "approve", "", trial=trial)
    assert not app.exception
    assert "shown after your own" not in words(app)
    assert "Too slow for us" in words(app)
    assert [one.verdict for one in store.reviews(selection.id)] == ["reject", "approve"]


def test_dissent_stands_in_the_record(store, seeded, open_page, words):
    selection, run = seeded
    store.add_review(review.write(selection.id, "Grace", "reject", "Too slow", run=run, trial=winner(store, run)))
    app = sign(open_page("5_review", selection=selection.id), "Ada", "Best.")
    assert "rejects model-01" in words(app)
    assert "Nobody had voted against it" not in words(app)


def test_a_link_to_a_trial_or_row_is_what_one_comments_on(store, seeded, open_page, words):
    selection, run = seeded
    trial = store.progress(run).outcomes[3].trial
    app = open_page("5_review", selection=selection.id, trial=trial, row="7")
    assert next(box for box in app.selectbox if box.label == "About").value == trial
    assert store.run(run).evalset.inputs[7]["text"] in words(app)
    app.text_input(key="author").set_value("Ada").run()
    area(app, "Words").set_value("Why did it fail?")
    app.button(key="send").click().run()
    (said,) = store.reviews(selection.id)
    assert (said.verdict, said.trial, said.row, said.run) == ("comment", trial, "7", run)
    assert app.button(key=f"row_{said.id}").label == "Row 7"


def test_a_row_that_is_not_there_is_said(seeded, open_page, words):
    app = open_page("5_review", selection=seeded[0].id, row="no such row")
    assert not app.exception
    assert "No row has the id 'no such row'" in words(app)


def test_words_of_strangers_stay_text(store, seeded, open_page):
    selection, run = seeded
    store.add_review(review.write(selection.id, TROUBLE, "comment", TROUBLE, run=run))
    store.save_selection(dataclasses.replace(selection, name=TROUBLE))
    app = sign(open_page("5_review", selection=selection.id), TROUBLE, TROUBLE)
    assert not app.exception
    assert [text.value for text in app.text].count(TROUBLE) == 2
    assert not any(shown.allow_html for shown in (*app.markdown, *app.caption))
    for shown in (*app.markdown, *app.caption, *app.subheader):
        assert "<script>" not in shown.value
        assert " **bold**" not in shown.value
        assert "[link](" not in shown.value


def test_where_every_trial_failed_there_is_nothing_to_sign(store, open_page, words):
    selection, _ = fill(store, make_run(0, 40, failed=2))
    app = open_page("5_review", selection=selection.id)
    assert not app.exception
    assert app.subheader[0].value == "No trial can be shipped"
    assert words(app).count("The weights are cut short") == 2
    assert app.button(key="next_step").label == "Back to the benchmark"
    assert "sign_it" not in [button.key for button in app.button]


def test_where_all_break_a_limit_one_can_still_sign_by_hand(store, open_page, words):
    selection, run = fill(store, make_run(2, 60, limits=Limits(latency_p95_ms=0.01)))
    app = open_page("5_review", selection=selection.id)
    assert app.subheader[0].value == "No trial can be shipped"
    app = sign(app, "Ada", "Because.")
    assert "A decision needs its trial" in words(app)
    sign(app, "Ada", "Because.", store.progress(run).outcomes[0].trial)
    assert "rule picks none" in words(app)
    assert len(store.decisions(selection.id)) == 1
