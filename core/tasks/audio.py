"""What tasks on sound share: reading clips, a feature extractor, and batches that no padding can change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TrialFailed
from core.tasks import media, shapes
from core.tasks.base import AUDIO_SECOND, Answered, Column, Context, Piece
from core.tasks.defaults import TaskDefaults

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES_PER_TOKEN = 320
"""Of a waveform; wav2vec 2.0 and its kin make one frame of 20 ms."""
NUMBERS_PER_TOKEN = 160
"""Of a spectrogram: two frames of 80 bands."""
SHORTEST_SECONDS = 0.1
"""Shorter clips are filled up with silence: the first convolutions of most models need 25 ms."""
HIDES_PADDING = ("hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")
"""Model types that clear padded frames before anything mixes them with others, if `feat_extract_norm` is `layer`. Group
norm runs over the whole clip, so that padding changes every frame."""

AUDIO = Column(
    "audio",
    "input",
    "audio",
    "Audio",
    guesses=("audio", "audio_path", "audio_file", "path", "file", "file_name", "filename", "clip", "wav", "sound"),
)


@dataclass(frozen=True)
class Listener:
    """What turns clips into a model's inputs, and its tokens into words."""

    feature_extractor: Any
    tokenizer: Any = None
    pads: bool = False
    """Whether clips of different length run together, padded behind a mask."""
    ctc: bool = False
    """Whether the model gives a token for every frame."""
    frame: int | None = None
    """Samples from one frame to the next; None: as many as fit."""
    window: int | None = None
    """Samples that the model takes at a time; longer clips are cut. None: any number."""
    overlap: int = 0
    """Samples at each end of a window that belong to its neighbours."""

    @property
    def rate(self) -> int:
        """Samples per second."""
        return int(self.feature_extractor.sampling_rate)


class AudioTask(TaskDefaults):
    """Defaults of a task whose rows are clips."""

    processor_class = "AutoFeatureExtractor"
    unit = AUDIO_SECOND
    rows_at_once = 64

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The feature extractor in a `Listener`. Raises TrialFailed."""
        return Listener(load_extractor(folder), pads=hides_padding(model))

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """The windows of each clip. Raises TrialFailed where a file cannot be read."""
        return [self._pieces(processor, row["audio"]["file"]) for row in inputs]

    def _pieces(self, listener: Listener, file: str) -> tuple[Piece, ...]:
        try:
            clip = media.read_audio(file, listener.rate)
        except ValueError as error:
            raise TrialFailed("data", f"{file} cannot be read: {error}.", "Repair it, or leave the row out.") from None
        cuts = windows(len(clip), listener.window, listener.overlap)
        seconds = len(clip) / listener.rate / len(cuts)
        return tuple(_piece(listener, clip[cut.start : cut.stop], seconds, cut) for cut in cuts)

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Tensors of clips of the same length; of any length where the model hides padding."""
        if not processor.pads:
            return shapes.stacked(pieces)
        features = [dict(piece.inputs) for piece in pieces]
        padded = processor.feature_extractor.pad(
            features, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        return shapes.one_shape(padded)

    def count(self, row: Answered) -> float:
        """Seconds of the clip."""
        return sum(piece.units for piece in row.pieces)


@dataclass(frozen=True)
class Window:
    """A part of a clip, in samples."""

    start: int
    stop: int
    before: int
    """Samples at its beginning that belong to the window before it."""
    after: int
    """Samples at its end that belong to the window after it."""


def windows(samples: int, width: int | None, overlap: int) -> list[Window]:
    """Cut a clip into windows that overlap by twice `overlap`, each giving half of that to its neighbour."""
    if width is None or samples <= width:
        return [Window(0, samples, 0, 0)]
    starts = range(0, samples - 2 * overlap, width - 2 * overlap)
    return [
        Window(start, min(start + width, samples), overlap if start else 0, overlap if start != starts[-1] else 0)
        for start in starts
    ]


def _piece(listener: Listener, clip: NDArray[np.float32], seconds: float, cut: Window) -> Piece:
    """A clip's features, by themselves: normalisation must not see other clips."""
    import numpy as np

    silence = max(0, round(SHORTEST_SECONDS * listener.rate) - len(clip))
    features = listener.feature_extractor(
        np.pad(clip, (0, silence)),
        sampling_rate=listener.rate,
        return_tensors="np",
        **({"return_attention_mask": True} if listener.pads else {}),
    )
    arrays = {name: np.asarray(features[name])[0] for name in features}
    values = arrays[listener.feature_extractor.model_input_names[0]]
    length = values.size // (SAMPLES_PER_TOKEN if values.ndim == 1 else NUMBERS_PER_TOKEN)
    return Piece(arrays, max(1, length), seconds, cut)


def load_extractor(folder: Path) -> Any:
    """The checkpoint's feature extractor. Raises TrialFailed (kind `load`)."""
    import transformers

    try:
        return transformers.AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, ImportError) as error:
        raise TrialFailed(
            "load", f"The checkpoint has no usable feature extractor. {error}", "Fetch preprocessor_config.json too."
        ) from None


def hides_padding(model: Any) -> bool:
    """Whether a clip's answer is the same alone and padded in a batch."""
    config = model.config
    return (
        config.model_type in HIDES_PADDING
        and getattr(config, "feat_extract_norm", None) == "layer"
        and not getattr(config, "add_adapter", False)  # its convolutions see padded frames
    )
