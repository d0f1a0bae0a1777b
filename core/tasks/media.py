"""Files of pictures and sound: reading them, and telling before any model runs whether they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

BLOCK = 1 << 16
"""Samples that are decoded at a time while a file is checked."""
SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "media"
HASHES: Mapping[str, str] = {
    "chirp.flac": "53f57019d6d6d20bb970c988c9fdef5db2d1503c7e6e5226b161564ffc9b6981",
    "stripes.png": "3841c3167b9f3e3d3c9464c61ee1826d5a930ed3980b32167100f7c92cca6459",
    "tile.png": "7afa34fa81c12534dd91835548d1053a0361fa95b90422d32ceed7f12f1e3fcc",
    "tone.wav": "91d90868d35b7a19bdfc61d05cc5ff09c6afcecfec2e122a7917b9dd8841f560",
}
"""Files under `SAMPLES` → sha256."""


def sample(name: str) -> dict[str, str]:
    """A bundled file as an input value."""
    return {"file": str(SAMPLES / name), "sha256": HASHES[name]}


def check_image(path: str | Path) -> None:
    """Decode a picture, as small as its format allows.

    Raises:
        ValueError: It cannot be read; the message says why, without the file's name.
    """
    with _open_image(path) as image:
        image.draft("RGB", (1, 1))  # a JPEG is then decoded at an eighth of its size, and still to its end
        image.load()


def check_audio(path: str | Path) -> float:
    """Decode a clip to its end.

    Returns:
        Its length in seconds.

    Raises:
        ValueError: It cannot be read or holds no sound; the message says why, without the file's name.
    """
    import numpy as np

    samples = 0
    with _open_audio(path) as file:
        while len(block := file.read(BLOCK, dtype="float32")):
            samples += len(block)
            if not np.isfinite(block).all():
                raise ValueError("some of its samples are not numbers")
        rate = int(file.samplerate)
    if not samples:
        raise ValueError("it holds no sound")
    return samples / rate


def read_image(path: str | Path) -> Image:
    """The picture in 8-bit RGB, upright.

    Turned as its EXIF orientation says. Transparency is dropped, as transformers' pipelines do; of 16-bit grey the high
    byte stays. Pillow's limit on pixels holds.

    Raises:
        ValueError: It cannot be read.
    """
    from PIL import ImageOps

    with _open_image(path) as image:
        upright = ImageOps.exif_transpose(image)
        return _eight_bit(upright).convert("RGB")


def read_audio(path: str | Path, rate: int) -> NDArray[np.float32]:
    """The clip as one channel (the mean of all) at so many samples per second, shape (samples,), within ±1.

    Raises:
        ValueError: It cannot be read.
    """
    import soxr

    with _open_audio(path) as file:
        channels = file.read(dtype="float32", always_2d=True)
        own_rate = int(file.samplerate)
    clip: NDArray[np.float32] = channels.mean(axis=1)
    if own_rate != rate:
        clip = soxr.resample(clip, own_rate, rate)
    return clip


def _eight_bit(image: Image) -> Image:
    """The picture in a mode that becomes RGB without a loss that people would see."""
    import numpy as np
    from PIL import Image as images

    if image.mode.startswith("I;16"):  # Pillow would clip it, so that nearly all of it were white
        return images.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA")
    return image


@contextmanager
def _open_image(path: str | Path) -> Iterator[Image]:
    import PIL
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            if image.mode in ("I", "F"):
                raise ValueError("its pixels are 32-bit numbers, of which nobody knows which is white")
            yield image
    except PIL.UnidentifiedImageError:
        raise ValueError("it is no picture of a known format") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever a broken file leads them to
        raise ValueError(_reason(error)) from None


@contextmanager
def _open_audio(path: str | Path) -> Iterator[Any]:
    import soundfile

    if not Path(path).is_file():  # libsndfile only says "System error"
        raise ValueError("there is no such file")
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise ValueError(_reason(error.error_string)) from None
    except soundfile.SoundFileError as error:
        raise ValueError(_reason(error)) from None


def _reason(error: object) -> str:
    """What a library says of a broken file, as part of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().rstrip(".") or type(error).__name__
