"""From a file to the rows that are scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import codec, registry
from core.data import Loaded, Table, build, load, load_rows, preview
from core.errors import DatasetMismatch
from core.records import DatasetSpec, EvalSet, Sample

CLASSIFY = registry.task("text-classification")
SUMMARIZE = registry.task("summarization")


def classified(rows: dict[str, list[Any]], **spec: Any) -> Loaded:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in rows.items()})
    return build(Table(frame, header=True, revision="0"), DatasetSpec(path="rows.json", **spec), CLASSIFY)


def test_a_file_is_pinned_completely_and_loads_again_to_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,sentence,label,source\n1,good,pos,web\n2,bad,neg,mail\n3,fine,pos,web\n")
    spec, rows = load(DatasetSpec(path=str(path)), CLASSIFY)

    again_spec, again = load(spec, CLASSIFY)

    assert (again_spec, again) == (spec, rows)
    assert spec.reader == "csv"
    assert spec.columns == {"text": "sentence", "label": "label"}
    assert len(spec.revision or "") == 64
    assert rows.ids == ("1", "2", "3")
    assert rows.inputs[0] == {"text": "good"}
    assert rows.references == ("pos", "neg", "pos")
    assert rows.labels == ("neg", "pos")
    assert rows.extras["source"] == ("web", "mail", "web")
    assert codec.loads(EvalSet, codec.dumps(rows)).inputs == rows.inputs


def test_a_column_that_the_plan_leaves_out_stays_out_when_it_is_pinned() -> None:
    rows = {"text": ["a", "b"], "sentence2": ["c", "d"], "label": ["x", "y"]}

    loaded = classified(rows, columns={"text_pair": None})

    assert loaded.evalset.inputs == ({"text": "a"}, {"text": "b"})
    assert loaded.spec.columns == {"text": "text", "label": "label", "text_pair": None}
    assert not any("text_pair" in note for note in loaded.notes)


def test_equal_rows_have_equal_ids_whatever_file_they_come_from(tmp_path: Path) -> None:
    rows = [{"sentence": "good", "label": 1}, {"sentence": "bad", "label": 0}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "b.tsv").write_text("good\t1\nbad\t0\n")

    _, one = load(DatasetSpec(path=str(tmp_path / "a.json")), CLASSIFY)
    _, other = load(DatasetSpec(path=str(tmp_path / "b.tsv"), columns={"text": 0, "label": 1}), CLASSIFY)
    _, changed = load(DatasetSpec(path=str(tmp_path / "a.json"), labels={"1": "yes"}), CLASSIFY)

    assert one.id == other.id
    assert changed.id != one.id


def test_unusable_rows_are_listed_with_their_place_and_never_scored(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"  ",pos\ngood,pos\nlost,\nodd,NaN\nbad,neg\none,two,three\n')

    loaded = load_rows(DatasetSpec(path=str(path)), CLASSIFY)

    rows = loaded.evalset
    assert rows.ids == ("1", "4")
    assert [(skip.row, skip.reason) for skip in rows.skipped] == [
        (0, "empty text"),
        (2, "missing label"),
        (3, "missing label"),
        (5, "3 cells where the other rows have 2"),
    ]
    assert rows.skipped[1].values == {"text": "lost", "label": None}
    assert any("4 of" in note and "2 × missing label" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 1], ["0", "1"]),
        ([1.0, 0.0, float("nan")], ["1", "0"]),
        (["1.0", "0.0", ""], ["1", "0"]),
        (["1.0", "1.5"], ["1.0", "1.5"]),
        ([True, False], ["True", "False"]),
        ([np.int64(3), None], ["3"]),
        ([" pos ", "neg"], ["pos", "neg"]),
        (["none", "NA"], ["none", "NA"]),
        (["null", "x"], ["x"]),
    ],
)
def test_labels_become_text(values: list[Any], labels: list[str]) -> None:
    rows = classified({"text": [f"t{number}" for number in range(len(values))], "label": values}).evalset

    assert list(rows.references) == labels
    assert len(rows.skipped) == len(values) - len(labels)


def test_file_values_get_the_names_that_the_plan_gives() -> None:
    loaded = classified({"text": ["a", "b", "c"], "label": [0, 1, 0]}, labels={"0": "negative", "1": "positive"})

    assert loaded.evalset.references == ("negative", "positive", "negative")
    assert loaded.evalset.labels == ("negative", "positive")


def test_declared_class_names_are_used_pinned_and_minus_one_has_none() -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [1, 0, -1]})
    table = Table(frame, header=True, revision="0" * 40, label_names={"label": ("ham", "spam")})

    loaded = build(table, DatasetSpec(repo="org/mail"), CLASSIFY)

    assert loaded.evalset.references == ("spam", "ham")
    assert loaded.evalset.skipped[0].reason == "missing label"
    assert loaded.spec.labels == {"0": "ham", "1": "spam"}


def test_what_is_no_text_and_no_label_is_set_aside() -> None:
    rows = classified({"text": ["a", 5, ["x"], "d"], "label": ["x", "x", "x", ["x", "y"]]}).evalset

    assert rows.ids == ("0",)
    assert [skip.reason for skip in rows.skipped] == [
        "text is a int, not a text",
        "text is a list, not a text",
        "label is a list, not a text",
    ]


def test_very_long_texts_are_kept_whole() -> None:
    rows = classified({"text": ["x" * 50_000, "y"], "label": ["a", "b"]}).evalset

    assert len(rows.inputs[0]["text"]) == 50_000


def test_one_class_only_is_fine_but_noted() -> None:
    loaded = classified({"text": ["a", "b"], "label": ["x", "x"]})

    assert loaded.evalset.labels == ("x",)
    assert any("Every row has the label 'x'" in note for note in loaded.notes)


def test_a_single_row_is_enough() -> None:
    assert len(classified({"text": ["a"], "label": ["x"]}).evalset.ids) == 1


def test_repeated_ids_are_numbered_and_noted() -> None:
    columns = {"id": ["7", "7", "7#2", None, "7"], "text": list("abcde"), "label": ["x"] * 5}

    loaded = classified(columns)

    assert loaded.evalset.ids[:2] == ("7", "7#2")
    assert len(set(loaded.evalset.ids)) == 5
    assert loaded.evalset.ids[3] == "3"
    assert any("repeat the id" in note for note in loaded.notes)


@given(st.lists(st.sampled_from(["a", "a#2", "a#3", "b", None]), min_size=1, max_size=8))
def test_ids_are_unique_whatever_the_file_says(ids: list[str | None]) -> None:
    rows = classified({"id": ids, "text": ["t"] * len(ids), "label": ["x"] * len(ids)}).evalset

    assert len(set(rows.ids)) == len(ids)


def test_a_sample_is_drawn_from_the_usable_rows_and_keeps_every_label_name() -> None:
    texts = ["", *map(str, range(99))]
    loaded = classified({"text": texts, "label": ["rare", "rare", *["common"] * 98]}, sample=Sample(10, seed=7))

    rows = loaded.evalset
    assert len(rows.ids) == 10
    assert rows.labels == ("common", "rare")
    assert [int(row) for row in rows.ids] == sorted(int(row) for row in rows.ids)
    assert len(rows.skipped) == 1


def test_no_usable_row_is_an_error_with_the_reasons() -> None:
    with pytest.raises(DatasetMismatch, match=r"None of the 2 rows.*empty text; missing label"):
        classified({"text": ["", "a"], "label": ["x", None]}, columns={"text": "text", "label": "label"})


def test_a_column_with_more_labels_than_sense_is_questioned() -> None:
    names = list(map(str, range(60)))

    loaded = classified({"text": names, "label": [f"name {name}" for name in names]})

    assert any("60 different labels" in note for note in loaded.notes)


def test_summaries_may_be_texts_or_lists_of_texts() -> None:
    frame = pd.DataFrame(
        {
            "document": ["a", "b", "c", "d", "e"],
            "summary": pd.Series(
                ["one", ["one", "two", " "], np.array(["three"], dtype=object), [], [1]], dtype=object
            ),
        }
    )

    rows = build(Table(frame, header=True, revision="0"), DatasetSpec(path="x"), SUMMARIZE).evalset

    assert rows.references == ("one", ["one", "two"], ["three"])
    assert rows.labels == ()
    assert [skip.reason for skip in rows.skipped] == ["empty summary", "summary is not a list of texts"]


def test_further_columns_are_kept_where_they_are_plain() -> None:
    rows = classified(
        {"text": ["a", "b"], "label": ["x", "y"], "n": [1, float("nan")], "vector": [[1], [2]], "bytes": [b"1", b"2"]}
    ).evalset

    assert rows.extras == {"n": (1, None)}


def test_halves_of_characters_do_not_reach_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"text": "smile \\ud83d", "label": "x"}, {"text": "\\ud83d\\ude42", "label": "y"}]')

    _, rows = load(DatasetSpec(path=str(path)), CLASSIFY)

    assert [row["text"] for row in rows.inputs] == ["smile \ufffd", "🙂"]


def test_a_preview_shows_the_first_rows_under_the_tasks_words() -> None:
    frame = pd.DataFrame({"sentence": list("abcdefgh"), "label": ["x", "y"] * 4})

    shown = preview(Table(frame, header=True, revision="0"), CLASSIFY, n=3)

    assert list(shown.columns) == ["text", "label"]
    assert list(shown["text"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "rows", "labels"),
    [
        ("sst2/test.tsv", 1821, 2),
        ("sst2/glue_format_dev_with_header.tsv", 872, 2),
        ("sst2/SST-2-val.parquet", 872, 2),
        ("banking77/test.csv", 3080, 77),
        ("goemotions/test.tsv", 5427, 275),
        ("explainaboard_sst2/sst2-dataset.tsv", 1821, 2),
    ],
)
def test_real_classification_files_load_without_a_hint(shared: Path, name: str, rows: int, labels: int) -> None:
    _, evalset = load(DatasetSpec(path=str(shared / "data" / "text-classification" / name)), CLASSIFY)

    assert (len(evalset.ids), len(evalset.labels), evalset.skipped) == (rows, labels, ())


@pytest.mark.parametrize(
    ("name", "rows"),
    [("cnndm_mini/cnndm_mini-dataset.tsv", 100), ("samsum/gpt.csv", 73), ("samsum/samsum-test.csv", 816)],
)
def test_real_summaries_load_without_a_hint(shared: Path, name: str, rows: int) -> None:
    _, evalset = load(DatasetSpec(path=str(shared / "data" / "summarization" / name)), SUMMARIZE)

    assert len(evalset.ids) == rows


def test_the_same_split_in_two_formats_gives_the_same_rows(shared: Path) -> None:
    folder = shared / "data" / "text-classification" / "sst2"

    _, one = load(DatasetSpec(path=str(folder / "SST-2-val.parquet")), CLASSIFY)
    _, other = load(DatasetSpec(path=str(folder / "glue_format_dev_with_header.tsv")), CLASSIFY)

    assert one.references == other.references
    assert [row["text"].strip() for row in one.inputs] == [row["text"].strip() for row in other.inputs]
