"""How cells are read, and what happens to those that cannot be: each kind's bad input."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from core import registry
from core.data import Loaded, Table, build, load_rows, save_upload
from core.data.kinds import KINDS, Reading
from core.errors import DatasetMismatch
from core.records import DatasetSpec, Sample
from core.tasks.media import read_audio


def built(task: str, rows: dict[str, list[Any]], folder: Path | None = None, **spec: Any) -> Loaded:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in rows.items()})
    path = str((folder or Path("nowhere")) / "rows.json")
    return build(Table(frame, header=True, revision="0"), DatasetSpec(path=path, **spec), registry.task(task))


def reasons(loaded: Loaded) -> list[str]:
    return [skip.reason for skip in loaded.evalset.skipped]


def png(shade: int = 7) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


# --- tags ----------------------------------------------------------------------------------------------------------


def test_tags_that_are_not_one_per_word_are_set_aside() -> None:
    spans = [{"start": 0, "end": 9, "label": "PER"}, {"start": 4, "end": 12, "label": "ORG"}]

    loaded = built(
        "token-classification",
        {
            "words": [["Ana", "Silva"], ["a", "b"], ["a", "b"], ["c"], []],
            "tags": [["B-PER", "I-PER"], ["O"], spans, ["B-LOC"], []],
        },
    )

    assert loaded.evalset.references == (["B-PER", "I-PER"], ["B-LOC"])
    assert reasons(loaded) == ["1 tags for 2 words", "tags is not a list with one tag per word", "words holds no words"]


@pytest.mark.parametrize("nothing", ["O", ""])
def test_a_type_that_no_model_knows_is_left_out_of_the_tags(nothing: str) -> None:
    rows = {"words": [["May", "in", "Ulm"]], "tags": [["B-DATE", "O", "B-LOC"]]}

    evalset = built("token-classification", rows, labels={"DATE": nothing}).evalset

    assert evalset.references == (["O", "O", "B-LOC"],)
    assert evalset.labels == ("LOC",)


# --- labels --------------------------------------------------------------------------------------------------------


def test_a_row_without_labels_is_scored_and_counted() -> None:
    rows = {"text": ["a", "b", "c", "d"], "labels": ["x,y", "", None, ["y"]]}

    loaded = built("multi-label-classification", rows)

    assert loaded.evalset.references == (["x", "y"], [], [], ["y"])
    assert any(note.startswith("2 of 4 rows have no label") for note in loaded.notes)


def test_labels_that_the_plan_calls_nothing_are_left_out() -> None:
    rows = {"text": ["a", "b", "c"], "labels": [["x", "y"], ["y"], ["x"]]}

    assert built("multi-label-classification", rows, labels={"y": ""}).evalset.references == (["x"], [], ["x"])


def test_a_mark_for_no_label_is_noted_and_can_be_left_out() -> None:
    rows = {"text": list("abcd"), "label": ["yes", "no", "-", "yes"]}

    kept = built("text-classification", rows)
    left = built("text-classification", rows, labels={"-": ""})

    assert any("The label '-' looks like none" in note for note in kept.notes)
    assert left.evalset.labels == ("no", "yes")
    assert reasons(left) == ["missing label"]


def test_only_single_labels_are_drawn_in_their_shares() -> None:
    texts = [f"t{number}" for number in range(100)]
    single = built(
        "text-classification", {"text": texts, "label": ["rare"] * 10 + ["common"] * 90}, sample=Sample(20, seed=1)
    )
    several = built(
        "multi-label-classification",
        {"text": texts, "labels": [["rare"]] * 10 + [["common"]] * 90},
        sample=Sample(20, seed=1),
    )
    plain = built("summarization", {"text": texts, "summary": texts}, sample=Sample(20, seed=1))

    assert single.evalset.references.count("rare") == 2
    assert several.evalset.ids == plain.evalset.ids != single.evalset.ids


# --- answers -------------------------------------------------------------------------------------------------------


def test_answers_come_in_every_usual_form() -> None:
    forms = [
        {"text": ["zoo", "the zoo", "zoo"], "answer_start": [4, 0, 4]},
        [{"text": "zoo", "answer_start": 4}, {"text": "the zoo", "answer_start": 0}],
        ["zoo", "the zoo"],
        '["zoo", "the zoo"]',
    ]

    assert [KINDS["answers"].read(form, Reading()) for form in forms] == [["zoo", "the zoo"]] * 4


def test_answers_outside_of_their_context_are_counted() -> None:
    loaded = built(
        "question-answering",
        {
            "question": ["Where?", "Who?", "Why?"],
            "context": ["It ends at the zoo, in Ulm.", "Nobody knows at all.", "Because of it, surely."],
            "answers": [["Ulm"], ["somebody"], []],
        },
    )

    assert len(loaded.evalset.ids) == 3
    assert any(note.startswith("1 of 3 rows have answers that do not occur in their context") for note in loaded.notes)


# --- boxes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([{"label": "a", "box": [1, 2, 3]}], "has a box that is not four numbers"),
        ([{"label": "a", "box": [1, 2, None, 4]}], "has a box that is not four numbers"),
        ([{"box": [1, 2, 3, 4]}], "has a box without `label`"),
        ([{"label": "a", "box": [3, 2, 1, 4]}], "comes first"),
        ({"bbox": [[1, 2, 3, 4]], "category": []}, "has 1 boxes and 0 labels"),
        ({"bbox": [[1, 2, 3]], "category": [0]}, "has a box that is not four numbers"),
        ("somewhere", "is not a list of boxes"),
    ],
)
def test_broken_boxes_are_named(objects: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        KINDS["boxes"].read(objects, Reading())


# --- pictures and clips --------------------------------------------------------------------------------------------


def test_broken_missing_and_foreign_files_are_listed_and_counted(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(png())
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    names = ["good.png", "cut.png", "text.jpg", "empty.png", "lost.png", 7]

    loaded = built("image-classification", {"image": names, "label": ["x"] * 6}, folder=tmp_path)

    assert len(loaded.evalset.ids) == 1
    assert [reason.split(":")[0] for reason in reasons(loaded)] == [
        "image names 'cut.png', which cannot be read",
        "image names 'text.jpg', which cannot be read",
        "image names 'empty.png', which cannot be read",
        "image names 'lost.png', which is not there",
        "image is a int, not a file's name",
    ]
    assert any("5 of 6 rows cannot be used" in note and "2 × image names …" in note for note in loaded.notes)


def test_clips_of_any_rate_and_of_two_channels_load(tmp_path: Path) -> None:
    wave = np.sin(np.arange(4000) / 9)
    soundfile.write(tmp_path / "slow.wav", wave, 8000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([wave, -wave / 2], axis=1), 44_100)
    (tmp_path / "cut.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16_000)
    names = ["slow.wav", "stereo.flac", "cut.wav", "silent.wav"]

    loaded = built("automatic-speech-recognition", {"audio": names, "text": ["x"] * 4}, folder=tmp_path)

    files = [row["audio"]["file"] for row in loaded.evalset.inputs]
    assert [Path(file).name for file in files] == ["slow.wav", "stereo.flac"]
    assert read_audio(files[0], 16_000).shape == (8000,)
    assert read_audio(files[1], 16_000).ndim == 1
    assert [reason[:32] for reason in reasons(loaded)] == [
        "audio names 'cut.wav', which can",
        "audio names 'silent.wav', which ",
    ]


def test_rows_of_an_upload_name_no_file_outside_of_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    names = [str(tmp_path / "secret.png"), "../../../secret.png"]
    path = save_upload("rows.csv", f"image,label\n{names[0]},x\n{names[1]},y\n".encode(), home)

    with pytest.raises(DatasetMismatch, match="a file outside of the upload"):
        load_rows(DatasetSpec(path=str(path)), registry.task("image-classification"))


def test_rows_of_the_hub_name_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    frame = pd.DataFrame({"image": [str(tmp_path / "secret.png")], "label": ["x"]})

    with pytest.raises(DatasetMismatch, match="these rows come without files"):
        build(
            Table(frame, header=True, revision="0" * 40),
            DatasetSpec(repo="org/name"),
            registry.task("image-classification"),
        )


def test_pictures_inside_the_rows_are_kept_by_their_hash(tmp_path: Path, home: Path) -> None:
    rows = [{"image": {"bytes": png(shade), "path": "x.png"}, "label": shade} for shade in (1, 2, 1)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")

    evalset = load_rows(DatasetSpec(path=str(tmp_path / "rows.parquet")), registry.task("image-classification")).evalset

    files = [Path(row["image"]["file"]) for row in evalset.inputs]
    assert files[0] == files[2] == home / "media" / f"{evalset.inputs[0]['image']['sha256']}.png"
    assert files[0].read_bytes() == png(1)
    assert len(list((home / "media").iterdir())) == 2


def test_rows_are_the_same_wherever_their_files_lie(tmp_path: Path) -> None:
    ids = set()
    for folder, name in ((tmp_path / "a", "x.png"), (tmp_path / "b", "y.png")):
        folder.mkdir()
        (folder / name).write_bytes(png())
        ids.add(built("image-classification", {"image": [name], "label": ["x"]}, folder=folder).evalset.id)
    inside = built("image-classification", {"image": [{"bytes": png(), "path": None}], "label": ["x"]}).evalset.id
    other = built("image-classification", {"image": [{"bytes": png(8), "path": None}], "label": ["x"]}).evalset.id

    assert ids == {inside}
    assert other != inside


def test_lists_inside_structures_of_parquet_are_read(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": "q", "context": "at the zoo", "answers": {"text": ["zoo"], "answer_start": [7]}},
        {"id": "2", "question": "q", "context": "nowhere", "answers": {"text": [], "answer_start": []}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    objects = [{"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [0]}]
    pq.write_table(
        pa.table({"image": [{"bytes": png(), "path": None}], "objects": objects}), tmp_path / "boxes.parquet"
    )

    answers = load_rows(DatasetSpec(path=str(tmp_path / "rows.parquet")), registry.task("question-answering")).evalset
    boxes = load_rows(DatasetSpec(path=str(tmp_path / "boxes.parquet")), registry.task("object-detection")).evalset

    assert answers.references == (["zoo"], [])
    assert boxes.references[0][0]["box"] == [1.0, 2.0, 4.0, 6.0]


def test_an_answer_of_no_text_is_no_answer() -> None:
    answers = [{"text": [""], "answer_start": [0]}, ["", "b"]]

    loaded = built("question-answering", {"question": ["q", "q"], "context": ["a b", "a b"], "answers": answers})

    assert loaded.evalset.references == ([], ["b"])


def test_classes_that_the_plan_calls_nothing_are_no_boxes_and_no_pixels() -> None:
    names = Reading({"0": "", "1": "dog"})
    objects = {"bbox": [[0, 0, 1, 1], [0, 0, 2, 2]], "category": [0, 1.0]}

    assert KINDS["boxes"].read(objects, names) == [{"label": "dog", "box": [0, 0, 2, 2]}]


def test_lists_saved_as_text_are_words_and_tags() -> None:
    rows = {"words": ["['EU', 'rejects']", "['a']"], "tags": ["['B-ORG', 'O']", "['O']"]}

    loaded = built("token-classification", rows)

    assert loaded.evalset.inputs[0] == {"words": ["EU", "rejects"]}
    assert (loaded.evalset.references, loaded.evalset.labels) == ((["B-ORG", "O"], ["O"]), ("ORG",))
