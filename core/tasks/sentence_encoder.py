"""How alike two sentences are by their embeddings: what sentence-similarity and feature-extraction share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import DECIMALS
from core.tasks.sentence_modules import SentenceModules, embed, sentence_modules
from core.tasks.text import TextTask, load_tokenizer, tokenised


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> float:
    """The cosine of the embeddings of two sentences, embedded as the checkpoint's sentence-transformers files say."""
    import json
    from inspect import signature
    from pathlib import Path

    import torch
    from torch.nn import functional

    root = Path(processor.name_or_path)

    def read(file: Path) -> Any:
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    own: Any = next((read(file) for file in sorted(root.glob("sentence_*_config.json"))), {})
    prompts = read(root / "config_sentence_transformers.json")
    prompt = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name")) or ""
    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    limit = min(limit, own.get("max_seq_length") or limit)
    known = signature(model.forward).parameters

    def tokens(text: str) -> Any:
        text = text.lower() if own.get("do_lower_case") else text
        return processor(text, truncation=True, max_length=limit, return_tensors="pt").to(model.device)

    def pooled(hidden: Any, config: dict[str, Any]) -> Any:
        skipped = 0
        if prompt and not config.get("include_prompt", True):
            ids = tokens(prompt)["input_ids"][0].tolist()
            skipped = len(ids) - (ids[-1] in processor.all_special_ids)
        places = torch.arange(1, len(hidden) + 1, device=hidden.device).unsqueeze(1)[skipped:]
        hidden = hidden[skipped:]
        ways = {
            "cls": hidden[0],
            "max": hidden.amax(0),
            "mean": hidden.mean(0),
            "mean_sqrt_len": hidden.sum(0) / len(hidden) ** 0.5,
            "weightedmean": (hidden * places).sum(0) / places.sum(),
            "lasttoken": hidden[-1],
        }
        names = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
        chosen = config.get("pooling_mode") or [name for name in names if config.get(f"pooling_mode_{name}")]
        chosen = [chosen] if isinstance(chosen, str) else chosen or ["mean"]
        return torch.cat([ways[name.removesuffix("_token").removesuffix("_tokens")] for name in chosen])

    def projected(embedding: Any, folder: Path) -> Any:
        from safetensors.torch import load_file

        weights = {
            name: value.float().to(model.device) for name, value in load_file(folder / "model.safetensors").items()
        }
        activation = read(folder / "config.json").get("activation_function", "torch.nn.Tanh").rpartition(".")[2]
        linear = functional.linear(embedding, weights["linear.weight"], weights.get("linear.bias"))
        return getattr(torch.nn, activation)()(linear)

    def embedded(sentence: str) -> Any:
        inputs = {name: tensor for name, tensor in tokens(prompt + sentence).items() if name in known}
        embedding = model(**inputs).last_hidden_state[0].float()
        for module in read(root / "modules.json") or [{"type": "Pooling", "path": "no file"}]:
            kind, folder = module["type"].rpartition(".")[2], root / module["path"]
            if kind == "Pooling":
                embedding = pooled(embedding, read(folder / "config.json"))
            elif kind == "Dense":
                embedding = projected(embedding, folder)
            elif kind == "Normalize":
                embedding = functional.normalize(embedding, dim=0)
        return embedding.double()

    with torch.inference_mode():
        cosine = functional.cosine_similarity(embedded(row["sentence1"]), embedded(row["sentence2"]), dim=0)
    return round(float(cosine), 4)


COLUMNS = (
    Column(
        "sentence1",
        "input",
        "text",
        "Sentence",
        guesses=("sentence1", "sentence_1", "sentence_a", "text1", "text_1", "s1", "question1", "premise", "query"),
    ),
    Column(
        "sentence2",
        "input",
        "text",
        "Other sentence",
        guesses=(
            "sentence2",
            "sentence_2",
            "sentence_b",
            "text2",
            "text_2",
            "s2",
            "question2",
            "hypothesis",
            "document",
        ),
    ),
    Column(
        "score",
        "reference",
        "number",
        "Similarity",
        guesses=(
            *("score", "similarity", "similarity_score", "relatedness_score", "relatedness", "label", "labels"),
            *("rating", "gold", "target", "y"),
        ),
    ),
)
SAMPLES = (
    TaskSample(
        inputs=(
            {"sentence1": "A girl is styling her hair.", "sentence2": "A girl is brushing her hair."},
            {"sentence1": "A man is cutting up a cucumber.", "sentence2": "The central bank raised rates."},
            {"sentence1": "Ein Kranich fliegt über Łódź.", "sentence2": "鶴が飛ぶ 🕊"},
        ),
        references=(4.5, 0.0, 3.0),
    ),
)


@dataclass(frozen=True)
class SentenceEncoder(TextTask):
    """Cosine similarity of sentence embeddings."""

    name: str
    title: str
    tags: tuple[str, ...]

    columns = COLUMNS
    samples = SAMPLES
    default_metrics = ("spearman", "pearson")
    judged_by = None
    # The encoder alone of an encoder-decoder (T5), as sentence-transformers takes it.
    auto_classes = ("AutoModelForTextEncoding", "AutoModel")
    optional_weights = ("pooler.",)
    script = staticmethod(predict)

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The tokenizer, `model_max_length` lowered to what the sentence-transformers files say. Raises TrialFailed."""
        tokenizer = load_tokenizer(folder, model)
        limit = sentence_modules(str(tokenizer.name_or_path)).max_length
        tokenizer.model_max_length = min(tokenizer.model_max_length, limit or tokenizer.model_max_length)
        return tokenizer

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Two pieces per row, each sentence behind the checkpoint's default prompt."""
        if not inputs:
            return []
        sentences = [row[word] for row in inputs for word in ("sentence1", "sentence2")]
        both = _tokenised(processor, sentences)
        return list(zip(both[::2], both[1::2], strict=True))

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Embeddings, float32, shape (n, dimension)."""
        modules = sentence_modules(str(processor.name_or_path))
        hidden = model(**accepted_inputs(model, batch)).last_hidden_state.float()
        skipped = 0 if modules.include_prompt else _prompt_tokens(processor, modules)
        embeddings: Sequence[Any] = embed(modules, hidden, batch["attention_mask"], skipped).cpu().numpy()
        return embeddings

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": cosine}`, from -1 to 1; 0 where an embedding has no direction."""
        import numpy as np

        if not rows:
            return []
        one, other = (np.asarray([row.outputs[side] for row in rows], dtype=np.float64) for side in (0, 1))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosines = (one * other).sum(axis=1) / np.where(lengths > 0, lengths, 1)
        return [{"answer": cosine} for cosine in cosines.round(DECIMALS).tolist()]

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """Not alike at all."""
        return {"answer": 0.0}


def _tokenised(processor: Any, sentences: Sequence[str]) -> list[Piece]:
    modules = sentence_modules(str(processor.name_or_path))
    texts = [modules.prompt + sentence for sentence in sentences]
    return tokenised(processor, [text.lower() for text in texts] if modules.lower_case else texts)


@lru_cache(maxsize=8)
def _prompt_tokens(processor: Any, modules: SentenceModules) -> int:
    """Tokens of the prompt without what ends a text."""
    ids = list(processor(modules.prompt)["input_ids"]) if modules.prompt else []
    return len(ids) - (bool(ids) and ids[-1] in processor.all_special_ids)
