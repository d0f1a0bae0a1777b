"""What a language model writes after a text, and how likely it finds a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import TrialFailed
from core.options import Option
from core.tasks import generation
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import DECIMALS
from core.tasks.text import TextTask, token_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 256
"""Tokens whose likelihoods are computed together: a vocabulary may have 250,000 of them."""


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """What the model writes after one text."""
    from inspect import signature

    import torch

    text, special = row["text"], True
    if settings["chat_template"] and processor.chat_template:
        turns = [{"role": "user", "content": text}]
        text, special = processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True), False
    tokens = processor(text, add_special_tokens=special)["input_ids"]
    if not tokens:
        tokens = [next(one for one in (processor.bos_token_id, processor.eos_token_id, 0) if one is not None)]
    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    tokens = tokens[-max(1, limit - settings["max_new_tokens"]) :]
    prompt = torch.tensor([tokens], device=model.device)
    inputs = {"input_ids": prompt, "attention_mask": torch.ones_like(prompt)}
    with torch.inference_mode():
        written = model.generate(
            **{name: tensor for name, tensor in inputs.items() if name in signature(model.forward).parameters},
            max_new_tokens=min(settings["max_new_tokens"], limit - len(tokens)),
            num_beams=settings["num_beams"],
            do_sample=False,
            pad_token_id=next(one for one in (processor.pad_token_id, processor.eos_token_id) if one is not None),
        )[0, len(tokens) :]
    return str(processor.decode(written, skip_special_tokens=True)).strip()


@dataclass(frozen=True)
class Scored:
    """The part of a window that counts."""

    tokens: int
    """The last so many: those before them count elsewhere or are only read."""
    bytes: int
    """Of the text that they stand for, in UTF-8."""


class TextGeneration(TextTask):
    """Writing by a causal language model, and the likelihood of texts.

    Either is computed only where a metric reads it. The likelihood is always that of the text itself, as it stands:
    each token's given those before it. A tokenizer that starts texts with a token of its own (Llama's) gives the first
    word a likelihood too; with others (GPT-2's) the first token is only read. A text that is longer than a window is
    read in windows that overlap, each token counted once: transformers' "Perplexity of fixed-length models".
    """

    name = "text-generation"
    title = "Text generation"
    tags = ("text-generation",)
    columns = (
        Column(
            "text",
            "input",
            "text",
            "Text or prompt",
            guesses=("text", "prompt", "input", "instruction", "question", "content", "query", "sentence", "mr"),
        ),
        Column(
            "continuation",
            "reference",
            "continuation",
            "Continuation",
            guesses=(
                *("continuation", "continuations", "completion", "response", "reference", "references", "output"),
                *("target", "answer", "ref"),
            ),
            required=False,
        ),
    )
    default_metrics = ("perplexity", "bits_per_byte")
    judged_by = None
    auto_classes = ("AutoModelForCausalLM",)
    generates = True
    rows_at_once = 5_000
    options: Mapping[str, Option] = {
        "chat_template": Option(
            True,
            (True, False),
            "Put the prompt into the model's chat template, where it has one. Likelihoods never do.",
        ),
        "max_length": Option(
            2048, kind="number", help="Most tokens of a window in which likelihoods are computed; at most the model's."
        ),
        "stride": Option(
            None, kind="number", help="Tokens from one such window to the next; half a window when left out."
        ),
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=({"text": "The quick brown fox"}, {"text": "Zwei mal zwei ist"}, {"text": "桜の花が"}),
            references=("jumps over the lazy dog.", ["genau vier", "4"], None),
        ),
    )

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """The prompt, where an answer is wanted, and the windows of the text, where its likelihood is.

        Of a prompt that leaves no room for `max_new_tokens`, the beginning is left out.

        Raises:
            TrialFailed: The chat template refuses a prompt.
        """
        if not inputs:
            return []
        texts = [row["text"] for row in inputs]
        rows: list[list[Piece]] = [[] for _ in inputs]
        if "answer" in context.needs:
            for row, prompt in zip(rows, _prompts(processor, texts, context), strict=True):
                row.append(prompt)
        if "nll" in context.needs:
            for row, windows in zip(rows, _texts(processor, texts, context), strict=True):
                row.extend(windows)
        return [tuple(row) for row in rows]

    def collate(self, processor: Any, pieces: Sequence[Piece]) -> Mapping[str, Any]:
        """Prompts padded on the left, texts on the right, where padding changes nothing that stands before it.

        `is_prompt` says which is which, in order of the pieces.
        """
        import torch

        prompts = [piece for piece in pieces if piece.notes is None]
        texts = [piece for piece in pieces if piece.notes is not None]
        return {
            "is_prompt": [piece.notes is None for piece in pieces],
            **{f"prompt_{name}": tensor for name, tensor in _padded(processor, prompts, "left").items()},
            **{f"text_{name}": tensor for name, tensor in _padded(processor, texts, "right").items()},
            "scored": torch.tensor([piece.notes.tokens for piece in texts]),
        }

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Of a prompt the new tokens, an array; of a text the negative log-likelihood of what counts, in nats."""
        prompts, texts = _named(batch, "prompt_"), _named(batch, "text_")
        written = iter(_write(model, processor, prompts, context) if prompts else ())
        nats = iter(_nats(model, texts, batch["scored"].tolist()) if texts else ())
        return [next(written) if is_prompt else next(nats) for is_prompt in batch["is_prompt"]]

    def count(self, row: Answered) -> float:
        """Tokens written, and tokens whose likelihood was computed."""
        return sum(
            len(output) if piece.notes is None else piece.units
            for piece, output in zip(row.pieces, row.outputs, strict=True)
        )

    def written(self, row: Answered) -> int:
        """With the one that ends the text."""
        return sum(len(out) for piece, out in zip(row.pieces, row.outputs, strict=True) if piece.notes is None)

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": text}`, only what is new; empty where no metric reads it.

        Where the likelihood is wanted, `nll` (nats), `tokens` and `bytes` say it, of what counts.
        """
        predictions = []
        for row in rows:
            written = [output for piece, output in zip(row.pieces, row.outputs, strict=True) if piece.notes is None]
            answer = processor.decode(written[0], skip_special_tokens=True).strip() if written else ""
            predictions.append({"answer": answer} | (_likelihood(row) if "nll" in context.needs else {}))
        return predictions


def _prompts(processor: Any, texts: Sequence[str], context: Context) -> Iterator[Piece]:
    chat = bool(context.options["chat_template"] and processor.chat_template)
    encoded = processor(_as_chats(processor, texts) if chat else list(texts), add_special_tokens=not chat)
    most = max(1, processor.model_max_length - context.protocol.max_new_tokens)
    for ids in encoded["input_ids"]:
        kept = ids[-most:] or [_first_token(processor)]
        yield token_piece({"input_ids": kept, "attention_mask": [1] * len(kept)}, truncated=len(ids) > most)


def _as_chats(processor: Any, texts: Sequence[str]) -> list[str]:
    """Each text as what a user says, up to where the assistant's turn begins."""
    from jinja2 import TemplateError

    turns = [[{"role": "user", "content": text}] for text in texts]
    try:
        return list(processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except TemplateError as error:
        raise TrialFailed(
            "unsupported",
            f"The model's chat template cannot be used: {error}",
            "Set `chat_template: false` to give it the prompts as they are.",
        ) from None


def _first_token(processor: Any) -> int:
    """What an empty text begins with."""
    return next(int(one) for one in (processor.bos_token_id, processor.eos_token_id, 0) if one is not None)


def _texts(processor: Any, texts: Sequence[str], context: Context) -> Iterator[list[Piece]]:
    """The windows of each text."""
    import numpy as np

    width = min(int(context.options["max_length"]), processor.model_max_length)
    stride = min(int(context.options["stride"] or width // 2), width - 1)
    encoded = processor(list(texts), return_offsets_mapping=processor.is_fast)
    for row, (text, ids) in enumerate(zip(texts, encoded["input_ids"], strict=True)):
        # Where the text up to and with a token ends. Some tokenizers cannot say it: then the last has all of it.
        ends = np.zeros(len(ids), dtype=int)
        if processor.is_fast:
            ends = np.maximum.accumulate([end for _, end in encoded["offset_mapping"][row]], dtype=int)
        ends[-1:] = len(text)
        yield [
            _window(ids[first:end], scored, text[ends[end - scored - 1] : ends[end - 1]])
            for first, end, scored in windows(len(ids), width, stride)
        ]


def _window(ids: list[int], scored: int, text: str) -> Piece:
    size = len(text.encode("utf-8", "surrogatepass"))
    return Piece({"input_ids": ids, "attention_mask": [1] * len(ids)}, len(ids), scored, Scored(scored, size))


def windows(tokens: int, width: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Where windows begin and end, and how many tokens at their end count, so that all but the first count once.

    Args:
        tokens: Of the text.
        width: Most tokens of a window.
        stride: From one window to the next, less than `width`.
    """
    counted = 1
    for first in range(0, tokens, stride):
        end = min(first + width, tokens)
        if end > counted:
            yield first, end, end - counted
            counted = end


def _padded(processor: Any, pieces: Sequence[Piece], side: str) -> Mapping[str, Any]:
    if not pieces:
        return {}
    padded: Mapping[str, Any] = processor.pad(
        [dict(piece.inputs) for piece in pieces], padding_side=side, return_tensors="pt"
    )
    return padded


def _named(batch: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in batch.items() if name.startswith(prefix)}


def _write(model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> list[NDArray[Any]]:
    """The new tokens of each prompt."""
    width = batch["input_ids"].shape[1]
    settings = generation.settings(context, room=processor.model_max_length - width)
    tokens = model.generate(**accepted_inputs(model, batch), **settings, pad_token_id=processor.pad_token_id)
    return generation.trimmed(tokens[:, width:], model)


def _nats(model: Any, batch: Mapping[str, Any], scored: Sequence[int]) -> list[float]:
    """The negative log-likelihood of the last tokens of each text, as many as `scored` says."""
    from torch.nn.functional import cross_entropy

    logits = model(**accepted_inputs(model, batch)).logits
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    nats = []
    for row, (length, count) in enumerate(zip(lengths, scored, strict=True)):
        guesses, tokens = logits[row, length - count - 1 : length - 1], batch["input_ids"][row, length - count : length]
        parts = zip(guesses.split(AT_ONCE), tokens.split(AT_ONCE), strict=True)
        nats.append(
            sum(cross_entropy(guess.float(), token, reduction="none").double().sum().item() for guess, token in parts)
        )
    return nats


def _likelihood(row: Answered) -> Prediction:
    texts = [
        (piece.notes, nats) for piece, nats in zip(row.pieces, row.outputs, strict=True) if piece.notes is not None
    ]
    return {
        "nll": round(float(sum(nats for _, nats in texts)), DECIMALS),
        "tokens": sum(scored.tokens for scored, _ in texts),
        "bytes": sum(scored.bytes for scored, _ in texts),
    }


TASK = TextGeneration()
