"""What is said in a clip: by models that label every frame (CTC), and by models that write (Whisper and its kin)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import TrialFailed
from core.options import Option
from core.tasks import generation, media, shapes
from core.tasks.audio import AUDIO, AudioTask, Listener, hides_padding, load_extractor
from core.tasks.base import Answered, Column, Context, Prediction, TaskSample, accepted_inputs
from core.tasks.finite import check_outputs

WINDOW_SECONDS, OVERLAP_SECONDS = 60, 5
"""Of CTC models: attention over minutes of sound would not fit in memory."""
PROMPT_TOKENS = 4
"""Whisper begins with: start, language, task, no timestamps."""


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """What is said in one clip."""
    from inspect import signature

    import numpy as np
    import soundfile
    import soxr
    import torch

    extractor, tokenizer = processor.feature_extractor, processor.tokenizer
    rate, ctc = extractor.sampling_rate, type(model).__name__.endswith("ForCTC")
    clip, own_rate = soundfile.read(row["audio"], dtype="float32", always_2d=True)
    clip = clip.mean(axis=1)
    if own_rate != rate:
        clip = soxr.resample(clip, own_rate, rate)
    window = 60 * rate if ctc else getattr(extractor, "n_samples", len(clip))
    overlap = 5 * rate if ctc and len(clip) > window else 0
    options = {}
    if not ctc:
        options = {"num_beams": settings["num_beams"], "do_sample": False, "max_new_tokens": settings["max_new_tokens"]}
        longest = getattr(model.config, "max_target_positions", None)
        if longest:
            options["max_new_tokens"] = min(options["max_new_tokens"], longest - 4)
        if getattr(model.generation_config, "is_multilingual", False):
            options |= {"language": settings["language"], "task": settings["speech_task"]}
    known = signature(model.forward).parameters
    tokens: list[int] = []
    starts = range(0, max(1, len(clip) - 2 * overlap), max(1, window - 2 * overlap))
    for start in starts:
        part = clip[start : start + window]
        padded = np.pad(part, (0, max(0, rate // 10 - len(part))))
        inputs = extractor(padded, sampling_rate=rate, return_tensors="pt").to(model.device, model.dtype)
        inputs = {name: tensor for name, tensor in inputs.items() if name in known}
        with torch.inference_mode():
            found = model(**inputs).logits.argmax(-1)[0] if ctc else model.generate(**inputs, **options)[0]
        frame = getattr(model.config, "inputs_to_logits_ratio", None) or len(part) / len(found)
        first = round(overlap / frame) if start else 0
        last = round((len(part) - overlap) / frame) if start != starts[-1] else len(found)
        tokens += found.tolist()[first:last]
    return str(tokenizer.decode(tokens, skip_special_tokens=not ctc)).strip()


class AutomaticSpeechRecognition(AudioTask):
    """Speech to text. Checkpoints with a language model for CTC are read without it."""

    name = "automatic-speech-recognition"
    title = "Speech recognition"
    tags = ("automatic-speech-recognition",)
    columns = (
        AUDIO,
        Column(
            "transcript",
            "reference",
            "transcript",
            "Transcript",
            guesses=("transcript", "transcription", "text", "sentence", "normalized_text", "raw_text", "target"),
        ),
    )
    default_metrics = ("wer", "cer")
    judged_by = "wer"
    right_at = 0.1
    auto_classes = ("AutoModelForCTC", "AutoModelForSpeechSeq2Seq")
    processor_class = "AutoProcessor"
    generates = True
    max_new_tokens = 256
    options: Mapping[str, Option] = {
        "language": Option(None, help="Spoken language, for models of many languages; they guess it where it is null."),
        "speech_task": Option(
            "transcribe", ("transcribe", "translate"), "What models of many languages write: what is said, or English."
        ),
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"audio": media.sample("tone.wav")}, {"audio": media.sample("chirp.flac")}),
            references=("a low tone", "a chirp that rises"),
        ),
    )

    def load_processor(self, folder: Path, model: Any) -> Any:
        """Feature extractor and tokenizer in a `Listener`. Raises TrialFailed."""
        import transformers

        extractor = load_extractor(folder)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise TrialFailed("load", f"The checkpoint has no usable tokenizer. {error}") from None
        if not type(model).__name__.endswith("ForCTC"):
            return Listener(extractor, tokenizer, window=getattr(extractor, "n_samples", None))
        rate = extractor.sampling_rate
        return Listener(
            extractor,
            tokenizer,
            pads=hides_padding(model),
            ctc=True,
            frame=getattr(model.config, "inputs_to_logits_ratio", None),
            window=WINDOW_SECONDS * rate,
            overlap=OVERLAP_SECONDS * rate,
        )

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Token ids, one array per window: of every frame (CTC), or as they were written."""
        if processor.ctc:
            return shapes.each_shape(batch, lambda inputs: _frames(model, processor, inputs))
        return shapes.each_shape(batch, lambda inputs: _generated(model, inputs, arguments(model, context)))

    def written(self, row: Answered) -> int:
        """Of all windows, with the tokens that end them."""
        return sum(len(tokens) for tokens in row.outputs)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": text}`; what the windows of a long clip share is counted once."""
        tokens = (_joined(row, processor.frame) for row in rows)
        decode, written = processor.tokenizer.decode, not processor.ctc
        return [{"answer": str(decode(one, skip_special_tokens=written)).strip()} for one in tokens]

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """An empty text."""
        return {"answer": ""}


def arguments(model: Any, context: Context) -> dict[str, Any]:
    """Arguments of one call of `generate`. Models of a single language know neither language nor task."""
    longest = getattr(model.config, "max_target_positions", None)
    found = generation.settings(context, room=longest - PROMPT_TOKENS if longest else None)
    if getattr(model.generation_config, "is_multilingual", False):
        found |= {"language": context.options["language"], "task": context.options["speech_task"]}
    return found


def _frames(model: Any, listener: Listener, inputs: Mapping[str, Any]) -> list[Any]:
    """The likeliest token of every frame, without those that only fill the batch."""
    outputs = model(**accepted_inputs(model, inputs))
    check_outputs(outputs)
    frames = outputs.logits.argmax(dim=-1).cpu().numpy()
    if not listener.pads:
        return list(frames)
    lengths = model._get_feat_extract_output_lengths(inputs["attention_mask"].sum(dim=-1)).tolist()
    return [row[:length] for row, length in zip(frames, lengths, strict=True)]


def _generated(model: Any, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> list[Any]:
    try:
        tokens = model.generate(**accepted_inputs(model, inputs), **options)
    except ValueError as error:
        if options.get("language") is None:
            raise
        # A language that it does not know: transformers names those that it does.
        raise TrialFailed("unsupported", str(error)) from None
    start = model.generation_config.decoder_start_token_id
    begins = start is not None and bool((tokens[:, 0] == start).all())  # Whisper leaves it out by itself
    return generation.trimmed(tokens[:, 1:] if begins else tokens, model)


def _joined(row: Answered, frame: int | None) -> list[int]:
    """The tokens of a clip's windows, each without what belongs to its neighbours."""
    tokens: list[int] = []
    for piece, output in zip(row.pieces, row.outputs, strict=True):
        cut, found = piece.notes, output.tolist()
        samples = cut.stop - cut.start
        step = frame or samples / len(found)
        last = round((samples - cut.after) / step) if cut.after else len(found)
        tokens += found[round(cut.before / step) : last]
    return tokens


TASK = AutomaticSpeechRecognition()
