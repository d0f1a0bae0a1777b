"""Classification of sound and speech recognition, on tiny models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from core import registry
from core.errors import TrialFailed
from core.tasks import media
from core.tasks.audio import HIDES_PADDING, windows
from core.tasks.base import Context, Task
from tests.tasks import tiny
from tests.tasks.tiny import Tiny
from tests.tasks.tiny_media import RATE, clips, saved, wav2vec2_classifier, wav2vec2_sizes

ASR = "automatic-speech-recognition"
AUDIO_TASKS = ("audio-classification", ASR)


def model_of(task: str, architecture: str, **changes: Any) -> tuple[Task, Tiny, Context]:
    built = tiny.architectures()[task][architecture]()
    one = registry.task(task)
    return one, built, tiny.context(one, built.labels if one.labelled else (), **changes)


def rows(count: int, folder: Path) -> list[dict[str, Any]]:
    return [{"audio": value} for value in clips(count, 0, folder)]


def long_clip(folder: Path, seconds: float) -> list[dict[str, Any]]:
    file = folder / "long.wav"
    noise = np.random.default_rng(0).normal(size=int(seconds * RATE)) * 0.2
    # A rising tone, so that no second is like another.
    soundfile.write(file, noise + 0.5 * np.sin(np.linspace(0, 3 * seconds, len(noise)) ** 2), RATE)
    return [{"audio": {"file": str(file), "sha256": ""}}]


def pipeline(task: str, built: Tiny) -> Any:
    import transformers

    parts = {"feature_extractor": built.processor.feature_extractor, "tokenizer": built.processor.tokenizer}
    return transformers.pipeline(task, model=built.model, device="cpu", **{k: v for k, v in parts.items() if v})


def waves(inputs: list[dict[str, Any]]) -> list[np.ndarray]:
    return [media.read_audio(row["audio"]["file"], RATE) for row in inputs]


@pytest.mark.parametrize("architecture", ["wav2vec2", "wav2vec2-group-norm"])
def test_ctc_equals_the_pipeline_of_transformers(tmp_path: Path, architecture: str) -> None:
    task, built, context = model_of(ASR, architecture)
    inputs = [row for row in rows(12, tmp_path) if soundfile.info(row["audio"]["file"]).duration > 0.1]
    found = [pipeline(ASR, built)(wave)["text"].strip() for wave in waves(inputs)]
    assert [one["answer"] for one in tiny.predict(built, task, inputs, context, 4)] == found
    assert len(set(found)) > 1


def test_whisper_equals_the_pipeline_of_transformers(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "whisper", options={"language": "de"})
    inputs = rows(4, tmp_path)
    settings = {"max_new_tokens": 8, "num_beams": 1, "do_sample": False, "language": "de", "task": "transcribe"}
    listen = pipeline(ASR, built)
    found = [listen(wave, generate_kwargs=settings)["text"].strip() for wave in waves(inputs)]
    assert [one["answer"] for one in tiny.predict(built, task, inputs, context, 4)] == found


@pytest.mark.parametrize("architecture", ["wav2vec2", "ast"])
def test_classification_equals_the_pipeline_of_transformers(tmp_path: Path, architecture: str) -> None:
    task, built, context = model_of("audio-classification", architecture)
    inputs = rows(8, tmp_path)
    listen = pipeline("audio-classification", built)
    for prediction, wave in zip(tiny.predict(built, task, inputs, context, 4), waves(inputs), strict=True):
        found = listen(np.pad(wave, (0, max(0, RATE // 10 - len(wave)))))
        assert prediction["answer"] == found[0]["label"]
        assert prediction["score"] == pytest.approx(found[0]["score"], abs=1e-4)


def test_the_language_and_the_task_reach_whisper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, built, context = model_of(ASR, "whisper", options={"language": "de", "speech_task": "translate"})
    asked: list[dict[str, Any]] = []
    generate = built.model.generate
    monkeypatch.setattr(
        built.model, "generate", lambda **given: asked.append(given) or generate(**given), raising=False
    )
    tiny.predict(built, task, rows(1, tmp_path), context, 1)
    assert {name: asked[0][name] for name in ("language", "task", "max_new_tokens", "num_beams")} == {
        "language": "de",
        "task": "translate",
        "max_new_tokens": 8,
        "num_beams": 1,
    }


def test_a_language_that_the_model_lacks_fails_the_trial(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "whisper", options={"language": "klingon"})
    with pytest.raises(TrialFailed, match="klingon") as raised:
        tiny.predict(built, task, rows(1, tmp_path), context, 1)
    assert raised.value.kind == "unsupported"


def test_models_of_one_language_ignore_the_language(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "wav2vec2")
    german = tiny.context(task, options={"language": "de"})
    inputs = rows(3, tmp_path)
    assert tiny.predict(built, task, inputs, german, 2) == tiny.predict(built, task, inputs, context, 2)


def test_more_tokens_than_whisper_can_write_are_not_asked_for(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "whisper")
    context = replace(context, protocol=replace(context.protocol, max_new_tokens=1000))
    (row,) = tiny.answered(built, task, rows(1, tmp_path), context, 1)
    assert len(row.outputs[0]) <= built.model.config.max_target_positions


def test_whisper_reads_a_long_clip_in_parts_of_thirty_seconds(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "whisper", options={"language": "en"})
    inputs = long_clip(tmp_path, 40)
    (row,) = tiny.answered(built, task, inputs, context, 2)
    assert [(piece.notes.start, piece.notes.stop) for piece in row.pieces] == [(0, 480_000), (480_000, 640_000)]
    assert task.count(row) == pytest.approx(40)
    wave = media.read_audio(inputs[0]["audio"]["file"], RATE)
    parts = []
    for start in (0, 480_000):
        soundfile.write(tmp_path / f"{start}.wav", wave[start : start + 480_000], RATE)
        part = [{"audio": {"file": str(tmp_path / f"{start}.wav"), "sha256": ""}}]
        (found,) = tiny.answered(built, task, part, context, 1)
        parts += found.outputs[0].tolist()
    (whole,) = task.decode(built.processor, [row], context)
    assert whole["answer"] == built.processor.tokenizer.decode(parts, skip_special_tokens=True).strip()


def test_ctc_reads_a_long_clip_in_windows_as_the_pipeline_does(tmp_path: Path) -> None:
    task, built, context = model_of(ASR, "wav2vec2")
    built = Tiny(built.model, replace(built.processor, window=3 * RATE, overlap=RATE // 2))
    inputs = long_clip(tmp_path, 7.3)
    (answer,) = tiny.predict(built, task, inputs, context, 4)
    (wave,) = waves(inputs)
    found = pipeline(ASR, built)(wave, chunk_length_s=3, stride_length_s=0.5)["text"]
    assert answer["answer"] == found.strip()
    assert len(found) > 20


@pytest.mark.parametrize(("architecture", "seconds"), [("wav2vec2", 75), ("whisper", 40)])
def test_the_exported_function_cuts_a_long_clip_in_the_same_places(
    tmp_path: Path, architecture: str, seconds: int
) -> None:
    task, built, context = model_of(ASR, architecture)
    inputs = long_clip(tmp_path, seconds)
    (row,) = tiny.answered(built, task, inputs, context, 1)
    assert len(row.pieces) == 2
    (answer,) = task.decode(built.processor, [row], context)
    row_of_a_program = {"audio": inputs[0]["audio"]["file"]}
    settings = tiny.script_settings(task, context)
    assert task.script(built.model, built.processor, row_of_a_program, settings) == answer["answer"]


def test_windows_cover_a_clip_once() -> None:
    for samples in (1, 99, 100, 101, 160, 161, 1000, 1234):
        cuts = windows(samples, 100, 20)
        own = [place for cut in cuts for place in range(cut.start + cut.before, cut.stop - cut.after)]
        assert own == list(range(samples))
        assert all(cut.stop - cut.start <= 100 for cut in cuts)
    assert windows(1000, None, 0) == windows(1000, 1000, 20)


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_clips_are_padded_only_where_the_model_hides_it(tmp_path: Path, norm: str) -> None:
    task, built = registry.task("audio-classification"), wav2vec2_classifier(norm)
    context = tiny.context(task, built.labels)
    pieces = [piece for row in task.encode(built.processor, rows(6, tmp_path), context) for piece in row]
    batch = task.collate(built.processor, pieces)
    groups = {name.partition("/")[0] for name in batch}
    assert (len(groups) == 1) == (norm == "layer")
    together = tiny.predict(built, task, rows(6, tmp_path), context, 6)
    assert all(map(tiny.same, tiny.predict(built, task, rows(6, tmp_path), context, 1), together))


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # how WavLM calls torch
@pytest.mark.parametrize("family", HIDES_PADDING)
def test_families_that_are_said_to_hide_padding_do(tmp_path: Path, family: str) -> None:
    import transformers

    config = transformers.AutoConfig.for_model(family, **wav2vec2_sizes(), feat_extract_norm="layer", num_labels=3)
    model = tiny.shaken(lambda: transformers.AutoModelForAudioClassification.from_config(config), scale=0.1)
    built = saved("audio-classification", model, transformers.Wav2Vec2FeatureExtractor())
    assert built.processor.pads
    task = registry.task("audio-classification")
    context = tiny.context(task, built.labels)
    together = tiny.predict(built, task, rows(6, tmp_path), context, 6)
    assert all(map(tiny.same, tiny.predict(built, task, rows(6, tmp_path), context, 1), together))


@pytest.mark.parametrize("name", AUDIO_TASKS)
def test_throughput_counts_seconds_of_audio(tmp_path: Path, name: str) -> None:
    task, built, context = model_of(name, "wav2vec2")
    inputs = rows(6, tmp_path)
    seconds = [soundfile.info(row["audio"]["file"]).duration for row in inputs]
    assert [task.count(row) for row in tiny.answered(built, task, inputs, context, 3)] == pytest.approx(
        seconds, abs=1e-3
    )


@pytest.mark.parametrize("name", AUDIO_TASKS)
def test_a_clip_that_breaks_later_fails_the_trial_by_its_name(tmp_path: Path, name: str) -> None:
    task, built, context = model_of(name, "wav2vec2")
    inputs = rows(2, tmp_path)
    Path(inputs[1]["audio"]["file"]).write_bytes(b"gone")
    with pytest.raises(TrialFailed, match=r"clip-0-1\.wav cannot be read") as raised:
        task.encode(built.processor, inputs, context)
    assert raised.value.kind == "data"


@pytest.mark.parametrize("name", AUDIO_TASKS)
def test_a_clip_of_a_millisecond_is_answered(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(16, 0.1), RATE)
    for architecture in tiny.architectures()[name]:
        task, built, context = model_of(name, architecture)
        inputs = [{"audio": {"file": str(tmp_path / "a.wav"), "sha256": ""}}]
        (answer,) = tiny.predict(built, task, inputs, context, 1)
        assert isinstance(answer["answer"], str)


@pytest.mark.parametrize("name", AUDIO_TASKS)
def test_a_checkpoint_without_a_feature_extractor_cannot_be_loaded(tmp_path: Path, name: str) -> None:
    task, built, _ = model_of(name, "wav2vec2")
    built.model.config.save_pretrained(tmp_path)
    with pytest.raises(TrialFailed, match="no usable feature extractor") as raised:
        task.load_processor(tmp_path, built.model)
    assert raised.value.kind == "load"
