"""Predictions made elsewhere: every usual file, joined by id or position, what is missing told and counted as wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import registry
from core.data.answers import answer, class_order, class_probabilities
from core.data.predictions import join, read_answers
from core.data.references import load_references
from core.errors import DatasetMismatch, UnreadableFile
from core.records import EvalSet, SkippedRow

CLASSIFY, SUMMARIZE = registry.task("text-classification"), registry.task("summarization")


def evalset(references, ids=None, task="text-classification", **more):
    return EvalSet(
        id="x",
        task=task,
        ids=tuple(ids or map(str, range(len(references)))),
        inputs=({},) * len(references),
        references=tuple(references),
        labels=tuple(sorted({one for one in references if isinstance(one, str)})),
        **more,
    )


ROWS = evalset(["ham", "spam", "ham"], ids=("a", "b", "c"))


@pytest.fixture
def file(tmp_path):
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        else:
            np.save(path, content)
        return path

    return write


def answers(joined):
    return [one["answer"] for one in joined.predictions]


def joined(path, rows=ROWS, task=CLASSIFY, **more):
    return join(task, read_answers(path, task), rows, **more)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("said.txt", "ham\nham\nspam\n"),
        ("said.out", "ham\r\nham\r\nspam"),
        ("said.csv", "id,prediction\nc,spam\na,ham\nb,ham\n"),
        ("said.tsv", "text\tlabel\nx\tham\ny\tham\nz\tspam\n"),
        ("said.json", json.dumps({"c": "spam", "a": "ham", "b": "ham"})),
        ("said.json", '[{"guid": "c", "pred": "spam"}, {"guid": "a", "pred": "ham"}, {"guid": "b", "pred": "ham"}]'),
        ("said.json", json.dumps(["ham", "ham", "spam"])),
        ("said.jsonl", '{"prediction": "ham"}\n{"prediction": "ham"}\n{"prediction": "spam"}\n'),
        ("said.csv", "probabilities\n\"[0.9, 0.1]\"\n\"[0.6, 0.4]\"\n\"[0.2, 0.8]\"\n"),
    ],
)  # fmt: skip
def test_every_usual_file_gives_the_answers_in_the_order_of_the_rows(file, name, content):
    found = joined(file(name, content))
    assert answers(found) == ["ham", "ham", "spam"]
    assert (found.missing, found.unmatched) == ((), ())


def test_arrays_of_class_numbers_and_of_probabilities(file):
    rows = evalset(["0", "10", "2"])
    assert answers(joined(file("ids.npy", np.array([0, 10, 10])), rows)) == ["0", "10", "10"]
    # Column 10 is class 10, although its name stands before that of class 2.
    shares = np.full((3, 11), 0.01)
    shares[[0, 1, 2], [0, 10, 2]] = 0.9
    found = joined(file("shares.npy", shares), rows)
    assert answers(found) == ["0", "10", "2"]
    assert rows.labels == ("0", "10", "2")
    assert [one["probabilities"] for one in found.predictions] == [
        [0.9, 0.01, 0.01],
        [0.01, 0.9, 0.01],
        [0.01, 0.01, 0.9],
    ]
    with pytest.raises(UnreadableFile, match="cannot be read"):
        joined(file("broken.npy", "no array"), rows)


def test_fewer_predictions_than_rows_are_missing_and_told(file):
    found = joined(file("said.txt", "ham\n"))
    assert answers(found) == ["ham", "", ""]
    assert found.missing == (1, 2)
    assert "Rows without a prediction: 2 of 3; they count as wrong." in found.notes


def test_an_empty_line_keeps_the_place_of_its_row(file):
    found = joined(file("said.txt", "ham\n\nspam\n"))
    assert answers(found) == ["ham", "", "spam"]
    assert found.missing == (1,)


def test_ids_that_no_row_has_are_told_with_examples(file):
    found = joined(file("said.csv", "id,prediction\na,ham\nx7,ham\n"))
    assert found.unmatched == ("x7",)
    assert found.missing == (1, 2)
    assert "Predictions with an id that no row has: 1 ('x7')." in found.notes


def test_ids_that_differ_in_case_alone_meet_where_no_other_id_does(file):
    rows = evalset(["ham", "spam", "ham"], ids=("A1", "b2", "B2"))
    found = joined(file("said.csv", "id,prediction\na1,ham\nb2,spam\nB2,ham\n"), rows)
    assert (answers(found), found.unmatched) == (["ham", "spam", "ham"], ())
    found = joined(file("other.csv", "id,prediction\na1,ham\nb2,spam\n"), rows)
    assert (answers(found), found.missing) == (["ham", "spam", ""], (2,))


def test_ids_that_repeat_in_both_files_alike_are_joined_by_position(file):
    rows = evalset(["ham", "spam", "ham"], ids=("7", "7#2", "8"))
    path = file("said.csv", "id,prediction\n7,ham\n7,spam\n8,ham\n")
    assert answers(joined(path, rows)) == ["ham", "spam", "ham"]
    with pytest.raises(DatasetMismatch, match="Several predictions have the id '7'"):
        joined(path, evalset(["ham", "spam", "ham"], ids=("7", "6", "8")))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("said.csv", "id,prediction\na,ham\na,spam\nb,ham\nb,ham\n", "have the id 'a', and so it is with 1 other"),
        ("said.csv", "id,prediction\nx,ham\ny,ham\n", r"None of the predictions' ids \('x', 'y', …\)"),
        ("said.txt", "ham\n" * 4, "4 predictions, more than the references"),
        ("said.csv", "id,prediction\na,\nb,\nc,\n", "'prediction' holds no prediction in any of its 3 rows"),
        ("said.csv", "one,two\n1,2\n3,4\n5,6\n", "No column holds the predictions. Columns found: 'one', 'two'"),
        ("said.txt", "0\n1\n0\n", "No prediction is a label of the data. Predictions: '0', '1'. Data: 'ham', 'spam'"),
        ("gone.txt", None, "There is no file"),
    ],
)
def test_what_cannot_be_joined_says_what_was_found(file, tmp_path, name, content, error):
    path = tmp_path / name if content is None else file(name, content)
    with pytest.raises((DatasetMismatch, UnreadableFile), match=error):
        joined(path)


def test_values_of_the_file_become_label_names_and_others_are_told(file):
    found = joined(file("said.txt", "0\n1\n7\n"), labels={"0": "ham", "1": "spam"})
    assert answers(found) == ["ham", "spam", "7"]
    assert any("'7'" in note and "no label of the data" in note for note in found.notes)


def test_columns_can_be_named_by_name_or_position(file):
    path = file("said.csv", "key,first,second\nc,ham,spam\na,spam,ham\nb,spam,ham\n")
    assert answers(joined(path, columns={"prediction": "Second", "id": "key"})) == ["ham", "ham", "spam"]
    assert answers(joined(path, columns={"prediction": 1})) == ["ham", "spam", "spam"]
    with pytest.raises(DatasetMismatch, match="There is no column 'third'"):
        joined(path, columns={"prediction": "third"})


def test_predictions_for_the_whole_file_meet_the_rows_that_were_used(file):
    skipped = (SkippedRow(1, "empty"),)
    used = evalset(["ham", "spam"], skipped=skipped, positions=(0, 2))
    path = file("said.txt", "ham\negg\nspam\n")
    assert answers(joined(path, used)) == ["ham", "spam"]
    assert answers(joined(file("two.txt", "ham\nspam\n"), used)) == ["ham", "spam"]  # one for each used row
    drawn = evalset(["ham", "spam"], ids=("T7", "T9"), positions=(3, 6))
    assert answers(joined(file("all.txt", "x\nx\nx\nham\nx\nx\nspam\nx\n"), drawn)) == ["ham", "spam"]
    with pytest.raises(DatasetMismatch, match="more than the references"):
        joined(file("many.txt", "ham\n" * 4), used)


def test_an_empty_text_is_an_answer_where_texts_are_written(file):
    rows = evalset(["one", "two", "three"], task="summarization")
    found = joined(file("said.txt", "one\n\nthree\n"), rows, SUMMARIZE)
    assert (answers(found), found.missing) == (["one", "", "three"], ())
    with pytest.raises(DatasetMismatch, match="holds no prediction"):
        joined(file("none.csv", "id,summary\n0,\n1,\n2,\n"), rows, SUMMARIZE)


def test_tags_are_cut_or_filled_to_one_per_word(file):
    task = registry.task("token-classification")
    rows = evalset([["B-LOC", "O"], ["O", "O", "B-PER"]], task=task.name)
    found = joined(file("said.jsonl", '{"prediction": ["B-LOC", "O", "O"]}\n{"prediction": ["O"]}\n'), rows, task)
    assert answers(found) == [["B-LOC", "O"], ["O", "O", "O"]]
    assert any("fewer tags than the row has words: 2;" in note for note in found.notes)
    found = joined(
        file("named.jsonl", '{"prediction": "B-GPE O"}\n{"prediction": "O O B-PER"}\n'),
        rows,
        task,
        labels={"GPE": "LOC"},
    )
    assert answers(found) == [["B-LOC", "O"], ["O", "O", "B-PER"]]


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("label", 1.0, "1"),
        ("label", " spam ", "spam"),
        ("labels", "b,a", ["a", "b"]),
        ("labels", ["b", "a", "b"], ["a", "b"]),
        ("labels", "", []),
        ("labels", "[3, 5]", ["3", "5"]),
        ("tags", "O B-PER", ["O", "B-PER"]),
        ("number", "0.5", 0.5),
        ("number", "half", None),
        ("number", "nan", None),
        ("answers", ["first", "second"], "first"),
        ("answers", "", ""),
        ("answers", None, None),
        ("answers", {"text": ["x"]}, "x"),
        ("texts", 7, "7"),
        ("boxes", '[{"label": "cat", "box": [0, 0, 1, 1]}]', [{"label": "cat", "box": [0, 0, 1, 1]}]),
        ("boxes", "cat", None),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_the_kind_of_the_task(kind, cell, said):
    assert answer(kind, cell, {}) == said


@given(st.sampled_from(["label", "labels", "tags", "number", "answers", "texts", "word", "boxes", "mask"]), st.text())
def test_no_text_of_a_cell_is_a_crash(kind, cell):
    said = answer(kind, cell, {})
    assert said is None or json.dumps(said)


def test_of_two_labels_the_score_that_a_pipeline_gives_is_enough(file):
    found = joined(file("said.csv", "label,score\nham,0.9\nham,0.75\nspam,1.0\n"))
    assert [one["probabilities"] for one in found.predictions] == [[0.9, 0.1], [0.75, 0.25], [0.0, 1.0]]
    # Below one half it is not the score of the label that was chosen.
    found = joined(file("other.csv", "label,score\nham,0.1\nham,0.75\nspam,1.0\n"))
    assert "probabilities" not in found.predictions[0]


def test_probabilities_follow_class_numbers_or_names():
    assert class_order(("b", "a"), {}) == ("a", "b")
    assert class_order(("neg", "pos"), {"0": "pos", "1": "neg"}) == ("pos", "neg")
    assert class_order(("0", "10", "2"), {}) == tuple(map(str, range(11)))
    assert class_probabilities({"a": 0.25, "b": "0.75"}, ("a", "b")) == {"a": 0.25, "b": 0.75}
    assert class_probabilities([0.5], ("a", "b")) == {}
    assert class_probabilities("nothing", ("a", "b")) == {}


def test_references_alone_need_no_inputs(file):
    loaded = load_references(CLASSIFY, [file("gold.txt", "1\n0\n1\n")], labels={"0": "ham", "1": "spam"})
    assert loaded.evalset.references == ("spam", "ham", "spam")
    assert loaded.evalset.labels == ("ham", "spam")


def test_several_reference_files_give_several_references_per_row(file):
    paths = [file("one.txt", "a\nb\n"), file("two.txt", "A\nB\n")]
    assert load_references(SUMMARIZE, paths).evalset.references == (["a", "A"], ["b", "B"])
    with pytest.raises(DatasetMismatch, match=r"one\.txt: 2, three\.txt: 1"):
        load_references(SUMMARIZE, [paths[0], file("three.txt", "x\n")])
    with pytest.raises(DatasetMismatch, match="A row has one label"):
        load_references(CLASSIFY, paths)


def test_lines_that_stand_together_are_the_references_of_one_row(file):
    path = file("gold.txt", "a one\na two\n\nb one\n  \n\nc one\nc two\n")
    found = load_references(SUMMARIZE, [path], reader="paragraphs").evalset
    assert found.references == (["a one", "a two"], ["b one"], ["c one", "c two"])


def test_rows_with_the_same_value_are_references_of_one_row(file):
    path = file("gold.csv", "mr,ref\nx,one\ny,two\nx,three\n")
    found = load_references(SUMMARIZE, [path], group_by="MR").evalset
    assert (found.ids, found.references) == (("x", "y"), (["one", "three"], ["two"]))


def test_the_references_name_their_id_column(file):
    path = file("gold.csv", "key,summary\nk1,one\nk2,two\n")
    assert load_references(SUMMARIZE, [path], columns={"id": "key"}).evalset.ids == ("k1", "k2")
