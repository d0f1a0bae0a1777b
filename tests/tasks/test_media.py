"""Pictures and clips as people have them: turned, grey, sixteen bits deep, stereo, broken."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.tasks import media
from samples import media_files

COLOURS = np.array([[[250, 10, 20], [30, 240, 50]], [[60, 70, 230], [255, 255, 255]]], dtype=np.uint8)


def saved(picture: Image.Image, file: Path, **options: Any) -> Path:
    picture.save(file, **options)
    return file


def read(file: Path) -> list[Any]:
    return np.asarray(media.read_image(file)).tolist()


def test_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn clockwise
    file = saved(Image.fromarray(COLOURS), tmp_path / "a.png", exif=exif)
    assert read(file) == np.rot90(COLOURS, -1).tolist()


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = np.array([[0, 90], [180, 255]], dtype=np.uint8)
    assert read(saved(Image.fromarray(grey), tmp_path / "a.png")) == np.stack([grey] * 3, axis=-1).tolist()


def test_sixteen_bits_keep_their_shades(tmp_path: Path) -> None:
    deep = np.array([[0, 20_000], [40_000, 65_535]], dtype=np.uint16)
    assert np.asarray(media.read_image(saved(Image.fromarray(deep), tmp_path / "a.png")))[..., 0].tolist() == [
        [0, 78],
        [156, 255],
    ]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.array([[255, 0], [128, 255]], dtype=np.uint8)
    file = saved(Image.fromarray(np.dstack([COLOURS, alpha])), tmp_path / "a.png")
    assert read(file) == COLOURS.tolist()


def test_a_palette_becomes_colours_with_transparency_or_without(tmp_path: Path) -> None:
    for transparent in (False, True):
        picture = Image.fromarray(COLOURS).quantize(4)
        options = {"transparency": bytes([0, 255, 255, 255])} if transparent else {}
        assert read(saved(picture, tmp_path / f"{transparent}.png", **options)) == COLOURS.tolist()


def test_a_sound_picture_passes_the_check(tmp_path: Path) -> None:
    for ending in ("png", "jpg", "webp", "gif", "bmp"):
        media.check_image(saved(Image.fromarray(COLOURS), tmp_path / f"a.{ending}"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "known format"), (b"hello", "known format"), (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "broken|known")],
)
def test_what_is_no_picture_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        media.check_image(file)


def test_a_picture_cut_short_is_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    for ending in ("jpg", "png"):
        file = saved(Image.fromarray(noise), tmp_path / f"a.{ending}")
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        for use in (media.check_image, media.read_image):
            with pytest.raises(ValueError, match="truncated"):
                use(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        media.check_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match="no such file"):
        media.check_audio(tmp_path / "none.wav")


def test_a_picture_that_would_unfold_to_gigabytes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(Image.fromarray(np.zeros((50, 50), dtype=np.uint8)), tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="decompression bomb"):
        media.check_image(file)


def test_pixels_without_a_known_white_are_told(tmp_path: Path) -> None:
    file = saved(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="32-bit"):
        media.check_image(file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ending=st.sampled_from(["png", "gif", "jpg", "bmp"]), place=st.floats(0, 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_or_told(tmp_path: Path, ending: str, place: float, byte: int) -> None:
    file = saved(Image.fromarray(media_files.tile()), tmp_path / f"a.{ending}")
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] = byte
    file.write_bytes(content)
    with contextlib.suppress(ValueError):
        media.check_image(file)


def wave(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def test_a_clip_of_eight_kilohertz_is_resampled(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", wave(8000), 8000, subtype="FLOAT")
    clip = media.read_audio(tmp_path / "a.wav", 16_000)
    assert clip.dtype == np.float32
    assert len(clip) == 8000
    np.testing.assert_allclose(clip[500:-500], wave(16_000)[500:-500], atol=1e-3)


def test_two_channels_become_their_mean(tmp_path: Path) -> None:
    left, right = wave(16_000), wave(16_000, hertz=900.0)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(media.read_audio(tmp_path / "a.wav", 16_000), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_every_format_is_read_and_its_length_known(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    soundfile.write(file, wave(16_000), 16_000)
    assert media.check_audio(file) == pytest.approx(0.5, abs=0.1)
    assert len(media.read_audio(file, 16_000)) == pytest.approx(8000, abs=1600)


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"hello")
    with pytest.raises(ValueError, match="Format not recognised"):
        media.check_audio(file)
    soundfile.write(file, np.zeros(0), 16_000)
    with pytest.raises(ValueError, match="no sound"):
        media.check_audio(file)
    soundfile.write(file, np.array([0.1, np.nan]), 16_000, subtype="FLOAT")
    with pytest.raises(ValueError, match="not numbers"):
        media.check_audio(file)


def test_a_clip_that_breaks_off_is_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=16_000) * 0.1
    file = tmp_path / "a.flac"
    soundfile.write(file, noise, 16_000)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match="lost sync"):
        media.check_audio(file)


def test_the_bundled_files_are_what_their_script_makes(tmp_path: Path) -> None:
    media_files.write_media(tmp_path)
    for name, digest in media.HASHES.items():
        assert hashlib.sha256((media.SAMPLES / name).read_bytes()).hexdigest() == digest
        if name.endswith("png"):
            assert read(media.SAMPLES / name) == read(tmp_path / name)
        else:
            bundled, made = (media.read_audio(folder / name, 8000) for folder in (media.SAMPLES, tmp_path))
            np.testing.assert_array_equal(bundled, made)
