"""Models of the sizes people ship, grown from a small trained one: what a pass costs depends on the shape alone.

Random weights would do for times, but their logits say nothing, and screening rightly leaves such models alone. So the
trained model is widened without changing what it computes (Chen, Goodfellow, Shlens 2016, "Net2Net"): every hidden
value is there twice, weights that read both are halved. For more depth, layers are put between its own that pass on
almost what they are given. The head is a logistic regression on labelled rows.

A model that writes has random weights, wide enough for texts to differ, and several tokens that end a text, so that
texts end at different lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 0
VOCABULARY = 30_522
"""Of BERT's uncased English checkpoints."""
WIDTH, LAYERS, HEADS = 384, 6, 12
"""Of what is grown: a MiniLM."""
QUIET = 0.002
"""Standard deviation of what a layer put in between writes; BERT begins with ten times as much."""
FIT_ROWS = 500
WIDE = 0.2
"""Standard deviation of the weights of a model that writes: with less, a random one repeats a token for ever."""
ENDINGS = 12
"""Tokens that end a text."""
IN_DISTILBERT = (
    ("bert.encoder", "distilbert.transformer"),
    ("bert.embeddings", "distilbert.embeddings"),
    ("bert.pooler.dense", "pre_classifier"),
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    ("output.LayerNorm", "output_layer_norm"),
    ("output.dense", "ffn.lin2"),
)
"""BERT's names, and what DistilBERT calls them; in this order."""


@dataclass(frozen=True)
class Shape:
    """An encoder's dimensions."""

    kind: str
    """As transformers calls the architecture."""
    layers: int
    width: int


SHAPES: Mapping[str, Shape] = {
    "minilm": Shape("bert", 6, 384),
    "distilbert": Shape("distilbert", 6, 768),
    "bert-base": Shape("bert", 12, 768),
}


def can_grow(checkpoint: Path) -> bool:
    """Whether a checkpoint is the MiniLM that the others are grown from."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(checkpoint)
    return (
        config.model_type == "bert"
        and (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (WIDTH, LAYERS, HEADS)
        and config.intermediate_size == 4 * WIDTH
    )


def classifier(size: str, folder: Path, checkpoint: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """A text classifier of a size, saved.

    Args:
        size: One of `SHAPES`.
        folder: Where to.
        checkpoint: What it is grown from, a classifier for which `can_grow` says yes.
        rows: Texts and labels to fit its head to; the first 500 are used.

    Returns:
        The folder.
    """
    import torch
    import transformers

    _quiet(transformers)
    torch.manual_seed(SEED)
    shape, rows = SHAPES[size], rows[:FIT_ROWS]
    labels = sorted({label for _, label in rows})
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    small = transformers.AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval()
    config = transformers.AutoConfig.for_model(
        shape.kind,
        **_dimensions(shape),
        vocab_size=max(VOCABULARY, small.config.vocab_size),
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    tokenizer.model_max_length = config.max_position_embeddings
    levels = _levels(small, tokenizer, [text for text, _ in rows[:64]])
    model.load_state_dict(_grown(small.state_dict(), model.state_dict(), shape, levels))
    _fit(model, tokenizer, rows)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def encoder(folder: Path, checkpoint: Path) -> Path:
    """The encoder of a classifier, saved by itself; an embedding is then the mean over its tokens."""
    import torch
    import transformers

    _quiet(transformers)
    transformers.AutoModel.from_pretrained(checkpoint, dtype=torch.float32).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return folder


def writer(folder: Path, checkpoint: Path) -> Path:
    """A small Llama with the tokenizer of a checkpoint, saved."""
    import torch
    import transformers

    _quiet(transformers)
    torch.manual_seed(SEED)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint, padding_side="left")
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=4, max_position_embeddings=512, initializer_range=WIDE, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None, eos_token_id=list(range(len(tokenizer) - ENDINGS, len(tokenizer))),
    )  # fmt: skip
    tokenizer.model_max_length = config.max_position_embeddings
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _dimensions(shape: Shape) -> Mapping[str, int]:
    if shape.kind == "distilbert":
        return {"n_layers": shape.layers, "dim": shape.width, "n_heads": HEADS, "hidden_dim": 4 * shape.width}
    return {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.width,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * shape.width,
    }


def _levels(small: Any, tokenizer: Any, texts: Sequence[str]) -> list[tuple[float, float]]:
    """Mean and standard deviation of a token's values after each layer, over the tokens of some texts."""
    import torch

    batch = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        layers = small(**batch, output_hidden_states=True).hidden_states[1:]
    real = batch["attention_mask"].bool()
    return [(float(one[real].mean()), float(one[real].std(dim=1, correction=0).mean())) for one in layers]


def _grown(
    small: Mapping[str, Any], fresh: Mapping[str, Any], shape: Shape, levels: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """The weights of the large model: from the small one where that has them, else those it began with.

    Args:
        small: BERT's weights by name.
        fresh: The large model's own, random.
        shape: Of the large model.
        levels: As `_levels` gives them.
    """
    import torch

    deeper = shape.layers // LAYERS
    weights = {name: value.clone() for name, value in fresh.items()}
    wide = {name: widened(name, value, shape.width // WIDTH) for name, value in small.items()}
    for name, value in wide.items():
        place = _renamed(name, shape.kind, deeper)
        if place in weights and not place.startswith("classifier"):
            weights[place][: len(value)] = value  # it may have fewer words
    if shape.kind == "distilbert":  # which knows no second text, and adds nothing for the first
        first = wide["bert.embeddings.token_type_embeddings.weight"][0]
        weights["distilbert.embeddings.position_embeddings.weight"] += first
    for layer in (number for number in range(shape.layers) if number % deeper):
        mean, deviation = levels[layer // deeper]
        for part in ("attention.output", "output"):
            name = f"bert.encoder.layer.{layer}.{part}"
            weights[f"{name}.dense.weight"] = torch.randn_like(weights[f"{name}.dense.weight"]) * QUIET
            weights[f"{name}.LayerNorm.weight"] = torch.full_like(weights[f"{name}.LayerNorm.weight"], deviation)
            weights[f"{name}.LayerNorm.bias"] = torch.full_like(weights[f"{name}.LayerNorm.bias"], mean)
    return weights


def widened(name: str, values: Any, times: int) -> Any:
    """A weight of BERT for a model `times` as wide that computes the same, every hidden value `times` over.

    Copies of a value stay in its attention head: there the product of queries and keys grows with their number, and the
    root by which it is divided grows less, so that queries are divided by the rest.
    """
    blocks = HEADS if ".self." in name else 1
    wide = values if "_embeddings" in name else _repeated(values, 0, times, blocks)
    if values.ndim == 2:
        wide = _repeated(wide, 1, times, HEADS if name.endswith("attention.output.dense.weight") else 1)
        if "_embeddings" not in name:
            wide = wide / times
    return wide / times**0.5 if ".query." in name else wide


def _repeated(values: Any, axis: int, times: int, blocks: int) -> Any:
    """Every block of an axis `times` over."""
    import torch

    parts = values.unflatten(axis, (blocks, -1))
    return torch.cat([parts] * times, dim=axis + 1).flatten(axis, axis + 1)


def _renamed(name: str, kind: str, deeper: int) -> str:
    """What a weight of BERT is called in a model of a kind that has `deeper` layers for each of its own."""
    parts = name.split(".")
    if "layer" in parts:
        place = parts.index("layer") + 1
        parts[place] = str(int(parts[place]) * deeper)
    name = ".".join(parts)
    if kind == "distilbert":
        for old, new in IN_DISTILBERT:
            name = name.replace(old, new)
    return name


def _fit(model: Any, tokenizer: Any, rows: Sequence[tuple[str, str]]) -> None:
    """Set the last layer to the logistic regression of the labels on what that layer is given."""
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegression

    rows = sorted(rows, key=lambda row: len(row[0]))  # batches of like lengths
    features = _features(model, tokenizer, [text for text, _ in rows])
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    found = LogisticRegression(C=0.01, max_iter=1000).fit((features - mean) / deviation, [label for _, label in rows])
    weight = found.coef_ / deviation
    bias = found.intercept_ - weight @ mean
    if len(weight) == 1:  # of two labels, one row of coefficients tells both apart
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(weight))
        model.classifier.bias.copy_(torch.from_numpy(bias))


def _features(model: Any, tokenizer: Any, texts: Sequence[str]) -> Any:
    """What the last layer is given, shape (texts, width)."""
    import torch

    given: list[Any] = []
    hook = model.classifier.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(list(texts[start : start + 32]), padding=True, truncation=True, return_tensors="pt")
            batch.pop("token_type_ids", None)  # one text each
            model(**batch)
    hook.remove()
    return torch.cat(given).double().numpy()


def _quiet(transformers: Any) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
