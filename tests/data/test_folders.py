"""Formats of several files: parallel texts, pictures and clips with their labels, idx pairs; packed files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import registry
from core.data import load_rows, read_file, save_upload, table
from core.data.readers import FOLDERS, READERS
from core.errors import DatasetMismatch, UnknownName, UnreadableFile
from core.records import DatasetSpec, Sample

PICTURES = registry.task("image-classification")
TRANSLATE = registry.task("translation")


def picture(path: Path, shade: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6, 3), shade, np.uint8)).save(path)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


# --- parallel ------------------------------------------------------------------------------------------------------


def test_parallel_files_are_columns_by_name(tmp_path: Path) -> None:
    write(tmp_path, a_en="one\ntwo\n", a_de="eins\nzwei\n", b_en="three\n")
    columns = {"text": "a.en", "translation": "a.de"}

    loaded = load_rows(DatasetSpec(path=str(tmp_path), reader="parallel", columns=columns), TRANSLATE)

    assert [row["text"] for row in loaded.evalset.inputs] == ["one", "two"]
    assert loaded.evalset.references == ("eins", "zwei")
    assert load_rows(loaded.spec, TRANSLATE).evalset == loaded.evalset


def test_a_pattern_stands_for_several_references(tmp_path: Path) -> None:
    write(tmp_path, src_en="one\ntwo\n", ref_A_de="eins\nzwei\n", ref_B_de="ein\nzwo\n")

    frame = read_file(tmp_path / "src.en", "parallel", ("src.en", "ref.*.de")).frame

    assert frame["ref.*.de"].tolist() == [["eins", "ein"], ["zwei", "zwo"]]


def test_blank_lines_part_the_references_of_each_row(tmp_path: Path) -> None:
    write(tmp_path, system="one\ntwo\n", references="eins\nein\n\nzwei\n\n")

    frame = read_file(tmp_path, "parallel", ("system", "references")).frame

    assert frame["references"].tolist() == [["eins", "ein"], ["zwei"]]


def test_blank_lines_keep_the_others_side_by_side(tmp_path: Path) -> None:
    write(tmp_path, a_en="one\n\nthree\n", a_de="eins\nzwei\ndrei\n")

    loaded = load_rows(
        DatasetSpec(path=str(tmp_path), reader="parallel", columns={"text": "a.en", "translation": "a.de"}), TRANSLATE
    )

    assert loaded.evalset.references == ("eins", "drei")
    assert [(skip.row, skip.reason) for skip in loaded.evalset.skipped] == [(1, "empty text")]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ((), r"must be named. Files found: a\.de, a\.en"),
        (("a.en", "a.fr"), r"no file 'a\.fr' in the folder. Found: a\.de, a\.en"),
        (("a.en", "short.de"), r"equally many lines \(a\.en: 2, short\.de: 1\)"),
        (("../secret.txt", "a.en"), "no file '../secret.txt'"),
        (("../*.txt", "a.en"), "no file"),
    ],
)
def test_parallel_files_that_do_not_fit_are_named(tmp_path: Path, named: tuple[str, ...], message: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path, secret_txt="x\ny\n")
    write(folder, a_en="one\ntwo\n", a_de="eins\nzwei\n", short_de="eins\n")

    with pytest.raises(UnreadableFile, match=message):
        read_file(folder, "parallel", named)


# --- pictures ------------------------------------------------------------------------------------------------------


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "img_1.png", 1)
    picture(tmp_path / "dog" / "img_1.png", 2)
    (tmp_path / ".cache").mkdir()
    picture(tmp_path / ".cache" / "x.png")

    loaded = load_rows(DatasetSpec(path=str(tmp_path)), PICTURES)

    assert loaded.spec.columns == {"image": "file", "label": "folder"}
    assert loaded.evalset.references == ("cat", "dog")
    assert read_file(tmp_path).frame["part 1"].tolist() == ["1", "1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.csv", "file,label\nb.png,dog\na.png,cat\n"),
        ("metadata.csv", "file_name,label\nimages/b.png,dog\nimages/a.png,cat\n"),
        ("metadata.jsonl", '{"file_name": "b.png", "label": "dog"}\n{"file_name": "a.png", "label": "cat"}\n'),
    ],
)
def test_a_table_of_labels_is_joined_in_its_order(tmp_path: Path, name: str, content: str) -> None:
    for stem, shade in (("a", 1), ("b", 2)):
        picture(tmp_path / "images" / f"{stem}.png", shade)
    (tmp_path / name).write_text(content)

    rows = load_rows(DatasetSpec(path=str(tmp_path)), PICTURES).evalset

    assert rows.references == ("dog", "cat")
    assert [Path(row["image"]["file"]).name for row in rows.inputs] == ["b.png", "a.png"]


def test_a_table_without_a_header_is_joined_by_what_it_holds(tmp_path: Path) -> None:
    for number in range(12):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "labels.csv").write_text("".join(f"{number}.png,{number % 2}\n" for number in range(12)))

    loaded = load_rows(DatasetSpec(path=str(tmp_path)), PICTURES)

    assert loaded.spec.columns["label"] == "column 1"
    assert loaded.evalset.references == ("0", "1") * 6


def test_files_without_a_label_and_labels_without_a_file_are_listed(tmp_path: Path) -> None:
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("file,label\na.png,cat\nlost.png,dog\n")

    loaded = load_rows(DatasetSpec(path=str(tmp_path)), PICTURES)

    assert [skip.reason for skip in loaded.evalset.skipped] == [
        "image names 'lost.png', which is not there",
        "missing label",
    ]
    assert any("does not name: 1" in note for note in loaded.notes)


def test_clips_are_joined_with_transcripts_by_id(shared: Path) -> None:
    folder = shared / "data" / "speech" / "pocketsphinx_cards"

    rows = load_rows(DatasetSpec(path=str(folder)), registry.task("automatic-speech-recognition")).evalset

    assert rows.ids == ("001", "002", "003", "004", "005")
    assert rows.references[3] == "five five"
    assert Path(rows.inputs[3]["audio"]["file"]).name == "004.wav"


def test_the_revision_is_the_names_and_contents(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "a.png", 1)
    picture(tmp_path / "two" / "a.png", 1)
    picture(tmp_path / "three" / "b.png", 1)
    first, second, third = (read_file(tmp_path / name).revision for name in ("one", "two", "three"))
    picture(tmp_path / "two" / "a.png", 2)

    assert first == second != third
    assert read_file(tmp_path / "two").revision != first
    with pytest.raises(DatasetMismatch, match="has changed"):
        load_rows(DatasetSpec(path=str(tmp_path / "two"), revision=first, columns={"label": "name"}), PICTURES)


def test_of_a_drawn_sample_only_the_drawn_pictures_are_opened(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    lines = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(20))
    (tmp_path / "labels.csv").write_text("file,label\n" + lines)
    for number in (3, 4):
        picture(tmp_path / f"{number}.png")

    everything = load_rows(DatasetSpec(path=str(tmp_path)), PICTURES).evalset

    assert (len(everything.ids), len(everything.skipped)) == (2, 18)
    with pytest.raises(DatasetMismatch, match="None of the 20 rows can be used: image names …, which cannot be read"):
        load_rows(DatasetSpec(path=str(tmp_path), sample=Sample(2, seed=3)), PICTURES)


def test_a_folder_without_pictures_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, a_en="one\n")

    with pytest.raises(UnreadableFile, match="folder without pictures") as caught:
        read_file(tmp_path)
    assert "reader: parallel" in caught.value.hint
    with pytest.raises(UnreadableFile, match="no folder"):
        read_file(tmp_path / "none", "folder")
    with pytest.raises(UnknownName) as unknown:
        read_file(tmp_path, "paralel")
    assert unknown.value.nearest == "parallel"


# --- idx -----------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def test_an_idx_pair_is_pictures_with_class_numbers(tmp_path: Path, home: Path) -> None:
    pixels = np.arange(3 * 5 * 4).reshape(3, 5, 4)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([7, 2, 7]))))

    rows = load_rows(DatasetSpec(path=str(tmp_path), labels={"7": "seven"}), PICTURES).evalset

    assert rows.references == ("seven", "2", "seven")
    with Image.open(rows.inputs[1]["image"]["file"]) as image:
        assert np.array_equal(np.asarray(image), pixels[1])
    assert Path(rows.inputs[0]["image"]["file"]).parent == home / "media"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (idx(np.zeros((2, 3, 3)))[:-1], idx(np.zeros(2)), "cut short"),
        (idx(np.zeros((2, 3, 3))), idx(np.zeros(3)), "2 pictures and 3 labels"),
        (b"\0\0\x0d\3" + b"\0" * 12, idx(np.zeros(2)), "not idx of 3 dimensions"),
    ],
)
def test_broken_idx_files_are_refused(tmp_path: Path, images: bytes, labels: bytes, message: str) -> None:
    (tmp_path / "x-images-idx3-ubyte").write_bytes(images)
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(labels)

    with pytest.raises(UnreadableFile, match=message):
        read_file(tmp_path)


def test_idx_pictures_without_labels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x-images-idx3-ubyte").write_bytes(idx(np.zeros((1, 2, 2))))

    with pytest.raises(UnreadableFile, match="without its labels"):
        read_file(tmp_path)


# --- packed files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", "text,label\na,x\n"),
        ("rows.TSV.GZ", "text\tlabel\na\tx\n"),
        ("rows.json.gz", json.dumps([{"text": "a", "label": "x"}])),
        ("rows.txt.gz", "__label__x a\n"),
    ],
)
def test_packed_files_are_read_by_the_ending_before(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content.encode()))

    assert read_file(tmp_path / name).frame.to_dict("records") == [{"text": "a", "label": "x"}]


def test_a_packed_file_that_expands_beyond_the_limit_or_is_broken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"text\n" + b"a" * 5_000_000))
    monkeypatch.setattr(table.unpack, "__defaults__", (1_000_000,))

    with pytest.raises(UnreadableFile, match="Unpacked"):
        read_file(path)
    path.write_bytes(gzip.compress(b"text\nabc\n")[:-6])
    with pytest.raises(UnreadableFile, match="gzip archive is broken"):
        read_file(path)


def test_an_upload_reaches_no_file_but_its_own(tmp_path: Path, home: Path) -> None:
    write(tmp_path, secret_txt="x\n")
    upload = save_upload("rows.txt", b"one\n", home)

    for name in ("../../../secret.txt", str(tmp_path / "secret.txt"), "../*/*"):
        with pytest.raises(UnreadableFile, match="no file"):
            read_file(upload, "parallel", ("rows.txt", name))


def test_no_reader_has_two_meanings() -> None:
    assert not READERS.keys() & FOLDERS.keys()
