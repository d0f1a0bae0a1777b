"""One label for a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.tasks import media, shapes
from core.tasks.audio import AUDIO, AudioTask
from core.tasks.base import Column, Context, Prediction, TaskSample
from core.tasks.classification import OneLabel


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The label of one clip."""
    from inspect import signature

    import numpy as np
    import soundfile
    import soxr
    import torch

    extractor = getattr(processor, "feature_extractor", processor)
    clip, rate = soundfile.read(row["audio"], dtype="float32", always_2d=True)
    clip = clip.mean(axis=1)
    if rate != extractor.sampling_rate:
        clip = soxr.resample(clip, rate, extractor.sampling_rate)
    clip = np.pad(clip, (0, max(0, extractor.sampling_rate // 10 - len(clip))))
    inputs = extractor(clip, sampling_rate=extractor.sampling_rate, return_tensors="pt").to(model.device, model.dtype)
    known = signature(model.forward).parameters
    with torch.inference_mode():
        best = int(model(**{name: tensor for name, tensor in inputs.items() if name in known}).logits[0].argmax())
    label = model.config.id2label[best]
    return str(settings["labels"].get(label, label))


class AudioClassification(OneLabel, AudioTask):
    """Single-label classification of clips."""

    name = "audio-classification"
    title = "Audio classification"
    tags = ("audio-classification",)
    columns = (
        AUDIO,
        Column(
            "label",
            "reference",
            "label",
            "Label",
            guesses=("label", "labels", "class", "category", "emotion", "language", "keyword", "target", "y"),
        ),
    )
    default_metrics = ("accuracy", "f1")
    judged_by = "accuracy"
    auto_classes = ("AutoModelForAudioClassification",)
    labelled = True
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"audio": media.sample("tone.wav")}, {"audio": media.sample("chirp.flac")}),
            references=("tone", "chirp"),
        ),
    )

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits, float32, one array (model labels,) per clip."""
        return shapes.logits(model, batch)

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """An empty text, which is nobody's label."""
        return {"answer": ""}


TASK = AudioClassification()
