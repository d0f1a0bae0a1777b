"""Find against the bundled models, a Hub of these tests, and no Hub at all."""

import pytest

from core.catalog import open_catalog
from core.records import Candidate, ModelQuery
from tests.catalog.checkpoints import make_checkpoint

NOWHERE = "http://127.0.0.1:9"
TROUBLE = "org/<b>bold</b>_**stars**_[link](https://example.org)"


@pytest.fixture(autouse=True)
def endpoint(monkeypatch):
    """Moves the Hub to another address, which the library reads at import; at first to one where nobody answers."""

    def move(url):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    move(NOWHERE)
    return move


@pytest.fixture
def live(hub, endpoint, tmp_path):
    """A Hub with two models; one wants its terms accepted."""
    hub.add(make_checkpoint(tmp_path / "org" / "open", card={"license": "mit"}), "org/open", downloads=50)
    closed = make_checkpoint(tmp_path / "org" / "closed", card={"extra_gated_prompt": "Agree."}, parameters=5000)
    hub.add(closed, "org/closed", downloads=20)
    endpoint(hub.url)
    return hub


@pytest.fixture
def selection(store):
    return store.create_selection("router", "text-classification")


def tick(app, *rows):
    """Select rows of the results, as a click on their boxes does."""
    key = next(table.proto.id for table in app.dataframe if "results_" in table.proto.id)
    app.session_state[key[key.index("results_") :]] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def test_a_first_visit_asks_for_a_name_and_a_task(open_page, store):
    app = open_page("1_find")
    assert not app.exception
    assert app.subheader[0].value == "Which model do we ship?"
    app.text_input[0].set_value("router")
    app.selectbox[0].set_value("text-classification")
    app.button[0].click().run()
    assert not app.exception
    (made,) = store.selections()
    assert (made.name, made.task) == ("router", "text-classification")
    assert app.query_params["selection"] == made.id


def test_without_a_hub_the_bundled_models_are_shown_and_said_to_be(open_page, selection, words):
    app = open_page("1_find", selection=selection.id)
    assert not app.exception
    found = open_catalog("samples").search(ModelQuery(task="text-classification"))
    assert list(app.dataframe[0].value["model"]) == [one.id for one in found]
    assert "The Hub does not answer here" in words(app)
    assert f"**{len(found)} models** from " in words(app)
    assert app.button(key="next_step").disabled


def test_filters_in_the_address_narrow_the_table(open_page, selection, words):
    app = open_page("1_find", selection=selection.id, text="bert", max="500k")
    shown = app.dataframe[0].value
    assert len(shown)
    assert all("bert" in name for name in shown["model"])
    assert max(shown["parameters"]) <= 500_000
    assert "with “bert” in the name" in words(app)


def test_a_size_that_is_none_is_said_with_what_is_allowed(open_page, selection, words):
    app = open_page("1_find", selection=selection.id, min="many")
    assert not app.exception
    assert "'many'" in words(app)


def test_nothing_found_says_what_to_loosen(open_page, selection):
    app = open_page("1_find", selection=selection.id, text="no such model")
    assert not app.exception
    assert app.info[0].value.startswith("Nothing matches.")


def test_ticked_models_are_explained_and_go_on_the_shortlist(open_page, selection, store, words):
    app = tick(open_page("1_find", selection=selection.id), 0, 1)
    assert not app.exception
    assert "2 selected" in words(app)
    ids = list(app.dataframe[0].value["model"])
    assert ids[1] in app.expander[-1].label.replace("\\", "")
    facts = app.table[0].value
    assert {"Architecture", "On disk", "Memory of the model"} <= set(facts["Fact"])
    assert "in tables of words and positions" in facts.to_string()
    app.button(key="add").click().run()
    assert [one.id for one in store.shortlist(selection.id)] == ids[:2]
    assert not app.button(key="next_step").disabled
    app.button(key=f"remove_{ids[0]}").click().run()
    assert [one.id for one in store.shortlist(selection.id)] == ids[1:2]


def test_the_shortlist_is_there_on_the_next_visit(open_page, selection, store, words):
    store.add_candidate(selection.id, Candidate("samples", "org/kept", parameters=10))
    app = open_page("1_find", selection=selection.id)
    assert "**Shortlist** · 1 model" in words(app)
    assert "org/kept" in words(app)


def test_the_hub_is_asked_where_it_answers(open_page, selection, live, words):
    app = open_page("1_find", selection=selection.id)
    assert not app.exception
    shown = app.dataframe[0].value
    assert list(shown["model"]) == ["org/open", "org/closed"]
    assert list(shown["gated"]) == [False, True]
    assert shown["licence"].iloc[0] == "mit · permissive"
    assert "does not answer" not in words(app)


def test_a_gated_model_is_shown_with_the_way_to_its_terms(open_page, selection, live):
    app = tick(open_page("1_find", selection=selection.id), 1)
    assert not app.exception
    assert "gated" in app.error[0].value
    assert "Accept them at" in app.error[0].value


def test_a_hub_that_fails_later_is_said_and_asked_again_on_a_click(open_page, selection, live, words):
    app = open_page("1_find", selection=selection.id)
    live.fail("/api/models*", status=503, times=None)
    app.text_input(key="text").set_value("open")
    next(button for button in app.button if button.label == "Search").click().run()
    assert not app.exception
    assert "503" in words(app)
    live.reset()
    next(button for button in app.button if button.label == "Try again").click().run()
    assert not app.exception
    assert list(app.dataframe[0].value["model"]) == ["org/open"]


def test_one_search_is_one_request_however_often_the_page_is_drawn(open_page, selection, live):
    app = open_page("1_find", selection=selection.id)
    before = len(live.requests("/api/models"))
    app.run()
    tick(app, 0)
    assert len(live.requests("/api/models")) == before


def test_names_and_reasons_of_strangers_stay_text(open_page, selection, store):
    store.add_candidate(selection.id, Candidate("samples", TROUBLE, blocked=f"{TROUBLE} is refused."))
    app = open_page("1_find", selection=selection.id, text="<script>**x**")
    assert not app.exception
    assert not any(shown.allow_html for shown in app.markdown)
    for shown in app.markdown:
        assert "<b>" not in shown.value
        assert "**stars**" not in shown.value
        assert "[link](" not in shown.value
        assert "<script>" not in shown.value


def test_what_a_card_says_stays_text(hub, endpoint, open_page, selection, tmp_path):
    card = {"license": "mit", "datasets": ["![](https://example.org/x.png)"], "base_model": "org/[link](https://x.org)"}
    hub.add(make_checkpoint(tmp_path / "org" / "odd", card=card), "org/odd")
    endpoint(hub.url)
    app = tick(open_page("1_find", selection=selection.id), 0)
    assert not app.exception
    facts = app.table[0].value.set_index("Fact")[""]
    assert facts["Trained on"] == r"\!\[\](https://example.org/x.png)"
    assert facts["Derived from"] == r"org/\[link\](https://x.org)"
