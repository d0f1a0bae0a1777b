"""Files that rows carry or name, where what the rows say of them is not to be trusted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.data import files


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("content", [3 * 10**12, "abc", ["a"], [1, 2]])
def test_content_that_is_not_bytes_is_no_file(content: Any, home: Path) -> None:
    with pytest.raises(ValueError, match="not the bytes of a file"):
        files.image({"bytes": content, "path": "x.png"}, None)

    assert not (home / "media").exists()


def test_content_over_the_limit_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)

    with pytest.raises(ValueError, match="holds a file"):
        files.image({"bytes": png(), "path": "x.png"}, None)

    assert not (home / "media").exists()


@pytest.mark.parametrize("path", ["x." + "a" * 400, "x.PNG", "x.exe", None])
def test_only_known_endings_are_kept(path: str | None) -> None:
    kept = Path(files.image({"bytes": png(), "path": path}, None)["file"])

    assert kept.suffix == (".png" if path == "x.PNG" else "")
    assert [one.name for one in kept.parent.iterdir()] == [kept.name]


def test_a_text_too_long_for_a_name_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not there"):
        files.image("x" * 5000, tmp_path)
