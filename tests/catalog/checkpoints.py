"""Small checkpoints on disk: real files, no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "id2label": {"1": "positive", "0": "negative"},
}
CARD: dict[str, Any] = {
    "license": "apache-2.0",
    "language": ["en", "de"],
    "pipeline_tag": "text-classification",
    "library_name": "transformers",
    "base_model": "google/bert",
    "datasets": ["imdb"],
    "model-index": [
        {
            "name": "m",
            "results": [
                {
                    "task": {"type": "text-classification"},
                    "dataset": {"name": "IMDb", "type": "imdb"},
                    "metrics": [{"type": "accuracy", "value": 0.9}],
                }
            ],
        }
    ],
}


def make_checkpoint(
    folder: Path,
    *,
    card: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    parameters: int = 1000,
    weights: str = "model.safetensors",
) -> Path:
    """A checkpoint folder; `card` and `config` add to the defaults above, and a None value takes a key away."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(_merged(CONFIG, config)))
    front = yaml.safe_dump(_merged(CARD, card), allow_unicode=True)
    (folder / "README.md").write_text(f"---\n{front}---\n# A model\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text("{}")
    if weights.endswith(".safetensors"):
        save_file({"weight": np.zeros(parameters, dtype=np.float32)}, folder / weights)
    else:
        (folder / weights).write_bytes(b"\0" * parameters)
    return folder


def _merged(base: dict[str, Any], change: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (base | (change or {})).items() if value is not None}
