"""The tiny pictures and clips of `samples/media`: what the tasks on pictures and sound show their contract with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

RATE = 8000
"""Half of what speech models want, so that every clip is resampled."""


def write_media(folder: Path) -> None:
    """Write two pictures of 32 × 24 pixels, what the pixels of one show, and two clips of a quarter of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stripes()).save(folder / "stripes.png", optimize=True)
    Image.fromarray((stripes()[:, :, 1] < 255).astype(np.uint8)).save(folder / "stripes_mask.png", optimize=True)
    Image.fromarray(tile()).save(folder / "tile.png", optimize=True)
    soundfile.write(folder / "tone.wav", tone(), RATE, subtype="PCM_16")
    soundfile.write(folder / "chirp.flac", np.stack([chirp(), tone()], axis=1), RATE, subtype="PCM_16")


def stripes() -> NDArray[np.uint8]:
    """Upright stripes, 6 pixels wide, red and white."""
    picture = np.full((24, 32, 3), 255, dtype=np.uint8)
    picture[:, np.arange(32) // 6 % 2 == 0] = (200, 30, 30)
    return picture


def tile() -> NDArray[np.uint8]:
    """A blue tile of 16 × 12 pixels in the middle of green ground."""
    picture = np.full((24, 32, 3), (40, 160, 60), dtype=np.uint8)
    picture[6:18, 8:24] = (20, 40, 220)
    return picture


def tone() -> NDArray[np.float64]:
    """440 Hz."""
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)


def chirp() -> NDArray[np.float64]:
    """From 200 Hz up to 1,800 Hz."""
    time = np.arange(RATE // 4) / RATE
    return 0.5 * np.sin(2 * np.pi * (200 * time + 3200 * time**2))
