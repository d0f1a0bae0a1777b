from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core import registry
from core.example import data_sets
from core.records import Candidate, Selection
from core.store import Store

LABELS = ("billing", "refund")
ROWS = "".join(f"text number {number},{LABELS[number % 2]}\n" for number in range(60))
CSV = f"ticket,label\n{ROWS}".encode()
Page = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def selection(store: Store) -> Selection:
    selection = store.create_selection("router", "text-classification")
    store.add_candidate(selection.id, Candidate("samples", "org/named", labels=("Billing", "refund")))
    store.add_candidate(selection.id, Candidate("samples", "org/numbered", labels=("LABEL_0", "LABEL_1")))
    return selection


def upload(page: AppTest, content: bytes, name: str = "tickets.csv") -> AppTest:
    page.file_uploader[0].set_value((name, content, "text/csv"))
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def select(page: AppTest, title: str) -> object:
    return next(box for box in page.selectbox if box.label == title)


def test_before_any_rows_the_page_says_what_it_wants(open_page: Page, words: Words, selection: Selection) -> None:
    page = open_page("2_data", selection=selection.id)
    assert not page.exception
    assert "Rows with the right answer" in words(page)
    assert "text and label" in page.file_uploader[0].label
    assert not [button for button in page.button if button.key == "next_step"]


def test_an_uploaded_file_goes_through_to_the_benchmark(
    open_page: Page, words: Words, selection: Selection, store: Store, gone_to: list[str]
) -> None:
    page = upload(open_page("2_data", selection=selection.id), CSV)
    assert select(page, "Text").value == "ticket"  # type: ignore[attr-defined]
    assert "60 rows, 2 columns" in words(page)
    assert "1 of 2 models know all 2 labels" in words(page)
    assert "With 60 rows a difference under" in words(page)

    page = press(page, "accept_org/numbered")
    assert "All 2 models know the 2 labels" in words(page)
    press(page, "next_step")

    assert gone_to == ["3_benchmark.py"]
    chosen = store.selection(selection.id)
    assert chosen.labels == {
        "org/named": {"Billing": "billing", "refund": "refund"},
        "org/numbered": {"LABEL_0": "billing", "LABEL_1": "refund"},
    }
    assert chosen.dataset is not None
    assert chosen.dataset.columns == {"text": "ticket", "label": "label"}
    assert chosen.dataset.revision
    assert chosen.evalset is not None
    assert len(store.evalset(chosen.evalset).ids) == 60

    page = open_page("2_data", selection=selection.id)
    assert "These rows are in use." in words(page)
    assert "tickets.csv" in words(page)
    assert "All 2 models know the 2 labels" in words(page)
    assert page.button(key="next_step").label == "Plan the benchmark"


def test_proposals_for_several_models_are_accepted_at_once(open_page: Page, words: Words, selection: Selection) -> None:
    page = upload(open_page("2_data", selection=selection.id), CSV.replace(b"billing", b"0").replace(b"refund", b"1"))
    assert "0 of 2 models know all 2 labels" in words(page)
    assert "it is the model's class number 0" in words(page)
    assert "All 2 models know the 2 labels" in words(press(page, "accept_all"))


def test_a_file_that_fails_says_so_until_it_is_taken_away(open_page: Page, words: Words, selection: Selection) -> None:
    page = upload(open_page("2_data", selection=selection.id), CSV)
    page = upload(page, b"", "empty.csv")
    page.run()
    assert "'empty.csv' is empty" in words(page)
    page = upload(page, CSV, "again.csv")
    assert "60 rows" in words(page)


def test_a_sample_is_drawn_and_its_size_says_what_it_can_show(
    open_page: Page, words: Words, selection: Selection, store: Store, gone_to: list[str]
) -> None:
    page = upload(open_page("2_data", selection=selection.id), CSV)
    page.toggle[0].set_value(True).run()
    next(one for one in page.number_input if one.label == "Rows").set_value(20)
    page.run()
    assert "With 20 rows" in words(page)
    press(page, "next_step")
    chosen = store.selection(selection.id)
    assert chosen.dataset is not None
    assert chosen.dataset.sample is not None
    assert chosen.dataset.sample.size == 20
    assert chosen.evalset is not None
    assert sorted(store.evalset(chosen.evalset).references).count("refund") == 10


def test_bundled_rows_are_offered_by_task(open_page: Page, words: Words, selection: Selection) -> None:
    page = open_page("2_data", selection=selection.id)
    page.segmented_control[0].set_value("samples").run()
    press(page, "take_sample")
    assert "tickets.csv" in words(page)
    assert page.button(key="next_step").label == "Use these 800 rows"


@pytest.mark.parametrize("task", registry.tasks())
def test_bundled_rows_can_be_read(task: str, store: Store, open_page: Page, words: Words) -> None:
    selection = store.create_selection("any", task)
    page = open_page("2_data", selection=selection.id)
    page.segmented_control[0].set_value("samples").run()
    if not data_sets(task):
        assert "are bundled. Upload yours." in words(page)
        return
    press(page, "take_sample")
    assert page.button(key="next_step").label.startswith("Use these")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "empty.csv", "is empty"),
        (b"ticket,label\n", "rowless.csv", "row"),
        (b"\x00\x01\x02\xff\xfe" * 50, "binary.csv", "binary.csv"),
        (b"{not json", "broken.json", "not JSON"),
        (b"number\n" + b"1\n2\n3\n" * 20, "numbers.csv", "No column looks like"),
        (b"text,label\n" + b",a\n" * 12, "blank.csv", "None of the 12 rows can be used"),
    ],
)
def test_rows_that_cannot_be_used_are_explained_and_the_old_ones_stay(
    content: bytes, name: str, said: str, open_page: Page, words: Words, selection: Selection, store: Store
) -> None:
    page = upload(open_page("2_data", selection=selection.id), content, name)
    assert said in words(page)
    assert store.selection(selection.id) == selection
    assert not [button for button in page.button if button.key == "next_step"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\n" + "caf\xe9 au lait,a\nth\xe9,b\n" * 6, "not UTF-8"),
        ("text,label\n" + "one text,same\nanother,same\n" * 6, "Every row has the label"),
        ("id,text,label\n" + "7,one text,a\n7,another,b\n" * 6, "repeat the id of an earlier row"),
        ('text,label\n"never closed,a\n' + "one text,a\nanother,b\n" * 6, "quote"),
        ("text,label\n" + ",a\none text,a\nanother,b\n" * 6, "6 of 18 rows cannot be used"),
    ],
)
def test_rows_with_something_odd_are_used_and_the_odd_is_told(
    content: str, said: str, open_page: Page, selection: Selection, words: Words
) -> None:
    page = upload(open_page("2_data", selection=selection.id), content.encode("latin-1"))
    told = words(page) + "".join(expander.label for expander in page.expander)
    assert said in told
    assert page.button(key="next_step").label.startswith("Use these")


def test_text_from_a_file_is_shown_as_text(open_page: Page, words: Words, selection: Selection) -> None:
    page = upload(open_page("2_data", selection=selection.id), CSV, "*big*<b>.csv")
    assert "<b>" not in words(page)
    assert not page.exception


def test_a_task_without_labels_asks_for_none(open_page: Page, store: Store) -> None:
    selection = store.create_selection("summaries", "summarization")
    rows = "text,summary\n" + "a long text about a lamp,lamp\nanother one about a fan,fan\n" * 6
    page = upload(open_page("2_data", selection=selection.id), rows.encode())
    assert [heading.value for heading in page.subheader] == ["1 · Rows", "2 · Columns", "3 · How many"]
    assert page.button(key="next_step").label == "Use these 12 rows"


def test_a_selection_without_a_task_asks_for_it(open_page: Page, store: Store) -> None:
    selection = store.create_selection("made by hand")
    page = open_page("2_data", selection=selection.id)
    page.selectbox[0].set_value("summarization").run()
    assert store.selection(selection.id).task == "summarization"


@pytest.fixture
def in_use(open_page: Page, selection: Selection, gone_to: list[str]) -> AppTest:
    """The page after the rows of the file were taken."""
    page = upload(open_page("2_data", selection=selection.id), CSV)
    press(press(page, "accept_org/numbered"), "next_step")
    return open_page("2_data", selection=selection.id)


def said(page: AppTest, content: bytes, name: str) -> AppTest:
    page.file_uploader[-1].set_value((name, content, "text/plain"))
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def test_predictions_made_elsewhere_are_scored_and_join_the_shortlist(
    in_use: AppTest, open_page: Page, words: Words, selection: Selection, store: Store
) -> None:
    answers = [LABELS[number % 2] if number % 6 else "billing" for number in range(54)]
    page = said(in_use, "\n".join(answers).encode(), "theirs.txt")
    assert "54 of 60 rows have a prediction." in words(page)
    right = sum(answer == LABELS[number % 2] for number, answer in enumerate(answers))
    assert f"Accuracy: {right / 60:.3f}" in words(page)
    assert "Rows without a prediction: 6 of 60" in words(page)
    page = press(page, "add_predictions")
    assert "It is on the shortlist." in words(page)
    added = store.shortlist(selection.id)[-1]
    assert (added.source, added.id.rpartition("/")[2]) == ("predictions", "theirs.txt")
    # The labels of the models are what they were: a file has none of its own to match.
    assert "All 2 models know the 2 labels" in words(open_page("2_data", selection=selection.id))
    grid = open_page("3_benchmark", selection=selection.id)
    assert not grid.exception
    ticks = [box for box in grid.checkbox if "theirs.txt" in str(box.key)]
    assert [(box.label, box.value) for box in ticks] == [("score them", True)]


def test_predictions_that_do_not_fit_the_rows_say_why(in_use: AppTest, words: Words) -> None:
    page = said(in_use, b"yes\nno\n", "other.txt")
    assert "No prediction is a label of the data. Predictions: 'yes', 'no'." in words(page).replace("\\", "")
    assert not [button for button in page.button if button.key == "add_predictions"]
