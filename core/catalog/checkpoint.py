"""The facts of a checkpoint on disk, read without torch: configuration, weight headers, card, file sizes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.catalog import parameters, safety
from core.catalog.card import card_facts, is_gated, read_front_matter
from core.errors import RefusedModel

_FORMATS = {
    ".safetensors": "safetensors",
    ".bin": "pytorch",
    ".pt": "pytorch",
    ".onnx": "onnx",
    ".gguf": "gguf",
    ".h5": "tensorflow",
    ".msgpack": "flax",
}

_TASKS = {
    "ForCTC": "automatic-speech-recognition",
    "WhisperForConditionalGeneration": "automatic-speech-recognition",
    "Speech2TextForConditionalGeneration": "automatic-speech-recognition",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "MarianMTModel": "translation",
    "ForConditionalGeneration": "text2text-generation",
    "ForImageClassification": "image-classification",
    "ForAudioClassification": "audio-classification",
    "ForObjectDetection": "object-detection",
    "ForSemanticSegmentation": "image-segmentation",
    "ForUniversalSegmentation": "image-segmentation",
    "ForInstanceSegmentation": "image-segmentation",
}
"""End of the architecture's name → task, where the card names none; the first that fits."""
_HEARING = ("wav2vec2", "hubert", "wavlm", "unispeech", "sew", "data2vec-audio", "whisper")
"""Beginnings of model types whose sequences are sound: their `ForSequenceClassification` classifies clips."""
_NAMING = ("Classification", "Detection", "Segmentation")
"""Heads that give labels."""
_SENTENCES = "modules.json"
"""The file of sentence-transformers that says how token vectors become one."""


def formats(names: Iterable[str]) -> tuple[str, ...]:
    """Weight formats among file names, sorted. Other `.bin` files (`training_args.bin`) are no weights."""
    found = {
        _FORMATS[suffix]
        for name in names
        if (suffix := Path(name).suffix) in _FORMATS and (suffix != ".bin" or "model" in Path(name).name)
    }
    return tuple(sorted(found))


def allowed_bytes(files: Mapping[str, int]) -> int:
    """Bytes of the files that a trial would fetch, of all files of a repository."""
    return sum(size for name, size in files.items() if safety.is_allowed(name))


def config_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a `Candidate` that config.json tells; fields it is silent on are left out."""
    head, kind = str((config.get("architectures") or [""])[0]), config.get("model_type")
    task = next((task for end, task in _TASKS.items() if head.endswith(end)), None)
    if task == "text-classification" and str(kind).startswith(_HEARING):
        task = "audio-classification"
    facts = {
        "task": task,
        "architecture": kind,
        # transformers writes label names into configurations of models that have no labels, too.
        "labels": label_names(config) if any(word in head for word in _NAMING) else (),
        "remote_code": "auto_map" in config,
    }
    return {name: value for name, value in facts.items() if value}


def label_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of `id2label` in order of id; empty where there are none or the ids are not numbers."""
    names = config.get("id2label")
    if not isinstance(names, Mapping):
        return ()
    try:
        return tuple(str(names[key]) for key in sorted(names, key=int))
    except (TypeError, ValueError):
        return ()


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises RefusedModel where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RefusedModel(
            f"{path.name} cannot be read: {error}", "The checkpoint is damaged: save or download it again."
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """A JSON configuration. Raises RefusedModel where it is not a JSON object."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise RefusedModel(
            f"{path.name} is not a JSON object.", "The checkpoint is damaged: save or download it again."
        )
    return config


def describe(folder: Path) -> dict[str, Any]:
    """Fields of a `Candidate` for a checkpoint folder, `origins` and `blocked` among them, all but source and id.

    A damaged or refused checkpoint is not an error here: it is `blocked`, with what stands against it.
    """
    files = list_files(folder)
    card = read_front_matter(folder / "README.md")
    reported = card_facts(card)
    computed: dict[str, Any] = {
        "download_bytes": allowed_bytes(files),
        "disk_bytes": sum(files.values()),
        "formats": formats(files),
        "updated": _updated(folder / name for name in files),
    }
    weights = [folder / name for name in files if name.endswith(".safetensors") and safety.is_allowed(name)]
    blocked = None
    try:
        config = read_config(folder / "config.json")
        computed |= config_facts(config)
        if _SENTENCES in files:
            computed["task"] = "sentence-similarity"
        blocked = refusal(folder, files)
        if weights:
            computed |= parameters.count(parameters.tensors(weights), config)
    except RefusedModel as error:
        blocked = error.message
    # The card's task is more precise than the architecture's (summarization, not text2text-generation).
    facts = computed | reported
    return facts | {"gated": is_gated(card), "origins": origins(reported, computed), "blocked": blocked}


def origins(reported: Iterable[str], computed: Iterable[str]) -> dict[str, str]:
    """Field name → where it comes from; what the card reports stands where both name a field."""
    return dict.fromkeys(computed, "computed") | dict.fromkeys(reported, "reported")


def refusal(folder: Path, names: Iterable[str]) -> str | None:
    """Why the checkpoint in a folder is refused, by its file names and configurations; None where nothing is."""
    files = list(names)
    # Not all are objects: sentence-transformers lists its training data in data_config.json.
    configs = [read_json(folder / name) for name in sorted(files) if safety.is_config(name)]
    return safety.check_files(files) or next(filter(None, map(safety.check_config, configs)), None)


def list_files(folder: Path) -> dict[str, int]:
    """Posix path below the folder → bytes, sorted; hidden files left out."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def fingerprint(folder: Path) -> str:
    """Sha256 over names and contents of the files a trial may read: the revision of a checkpoint without commits."""
    digest = hashlib.sha256()
    for name in filter(safety.is_allowed, list_files(folder)):
        stat = (folder / name).stat()
        digest.update(f"{name}\0{_file_hash(folder / name, stat.st_size, stat.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _file_hash(path: Path, size: int, mtime_ns: int) -> str:
    """Sha256 of a file's content; size and time are in the key so that a changed file is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _updated(paths: Iterable[Path]) -> str | None:
    newest = max((path.stat().st_mtime for path in paths), default=None)
    return None if newest is None else datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")
