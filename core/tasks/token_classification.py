"""A tag for every word of a sentence: names of people and places, parts of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.options import Option
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.tags import OUTSIDE, entity_types, iob2, split_labels
from core.tasks.text import TextTask, load_tokenizer, token_piece
from core.tasks.windows import windows

Tokens = tuple[dict[str, list[int]], list[int | None]]
"""What the model takes, and for each token the word that it is of; None for special tokens."""


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """The IOB2 tags of one sentence's words. A long sentence is read in windows that overlap by a quarter."""
    import re
    from inspect import signature
    from itertools import accumulate

    import torch
    from transformers import PreTrainedTokenizerFast

    if processor.is_fast and type(processor) is not PreTrainedTokenizerFast:
        splitter = processor.backend_tokenizer.pre_tokenizer
        if type(splitter).__name__ == "ByteLevel":
            splitter.add_prefix_space = True
    words, how = list(row["words"]), settings["aggregation"]
    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    known = signature(model.forward).parameters

    def tokenised(part: list[str], **more: Any) -> tuple[Any, list[int | None]]:
        """What the model takes, and the word of each token."""
        if processor.is_fast:
            inputs = processor(part, is_split_into_words=True, verbose=False, return_tensors="pt", **more)
            return inputs, inputs.word_ids(0)
        ids = [processor.convert_tokens_to_ids(processor.tokenize(word)) for word in part]
        flat = [token for of_word in ids for token in of_word]
        inputs = processor.prepare_for_model(
            flat, return_special_tokens_mask=True, verbose=False, return_tensors="pt", prepend_batch_axis=True, **more
        )
        owners = iter([word for word, of_word in enumerate(ids) for _ in of_word])
        return inputs, [None if mark else next(owners) for mark in inputs.pop("special_tokens_mask")[0].tolist()]

    owners = tokenised(words)[1] if words else []
    before = [0, *accumulate(owners.count(word) for word in range(len(words)))]
    room = len(owners) if len(owners) <= limit else limit - owners.count(None)
    runs, start, stop = [], 0, 0
    while stop < len(words):
        stop = max(stop, start + 1)
        while stop < len(words) and before[stop + 1] - before[start] <= room:
            stop += 1
        runs.append((start, stop))
        if stop < len(words):
            start, spare = stop, min(room // 4, room - (before[stop + 1] - before[stop]))
            while start > 0 and before[stop] - before[start - 1] <= spare:
                start -= 1

    labels, context = ["O"] * len(words), [-1.0] * len(words)
    for start, stop in runs:
        inputs, owners = tokenised(words[start:stop], truncation=True, max_length=limit)
        if not owners:
            continue
        with torch.inference_mode():
            tensors = {name: tensor.to(model.device) for name, tensor in inputs.items() if name in known}
            shares = model(**tensors).logits[0].float().softmax(-1)
        for word in {owner + start for owner in owners if owner is not None}:
            left = before[word] - before[start] if start else float("inf")
            right = before[stop] - before[word + 1] if stop < len(words) else float("inf")
            if min(left, right) > context[word]:
                of_word = shares[[token for token, owner in enumerate(owners) if owner == word - start]]
                surest = of_word[0 if how == "first" else of_word.max(-1).values.argmax()]
                best = (of_word.mean(0) if how == "average" else surest).argmax()
                labels[word], context[word] = model.config.id2label[int(best)], min(left, right)

    names = [name for name in model.config.id2label.values() if name != "O"]
    marks = {name: re.fullmatch(r"([BIMESLU])(?:[-_](.*))?", name, re.DOTALL) for name in names}
    prefixed = 2 * sum(mark is not None for mark in marks.values()) > len(names)
    tags, opened = [], None
    for label in labels:
        mark = marks.get(label) if prefixed else None
        prefix, kind = (mark[1], mark[2] or "_") if mark else ("I", None if label == "O" else label)
        name = settings["labels"].get(kind, kind)
        begins = "B" if prefix in "BSU" or kind != opened else "I"
        tags.append("O" if name in (None, "O") else f"{begins}-{name}")
        opened = None if prefix in "ESLU" else kind
    return tags


@dataclass(frozen=True)
class Tagged:
    """What a piece says about its sentence."""

    words: int
    """Of the whole sentence."""
    spans: tuple[tuple[int, int, int], ...]
    """(word, its first token in this piece, the token behind its last), of the words that this piece decides."""


class TokenClassification(TextTask):
    """Tagging of words by a model with a token classification head."""

    name = "token-classification"
    title = "Token classification"
    tags = ("token-classification",)
    columns = (
        Column("words", "input", "words", "Words", guesses=("words", "tokens", "token", "word", "sentence", "text")),
        Column(
            "tags",
            "reference",
            "tags",
            "Tags",
            guesses=(
                *("tags", "ner_tags", "ner", "labels", "label", "entities", "tag", "pos_tags", "pos", "upos"),
                *("chunk_tags", "chunks", "iob", "bio", "gold"),
            ),
        ),
    )
    default_metrics = ("f1", "precision", "recall")
    judged_by = "exact_match"
    auto_classes = ("AutoModelForTokenClassification",)
    labelled = True
    options: Mapping[str, Option] = {
        "aggregation": Option(
            "first",
            ("first", "max", "average"),
            "Which tokens of a word decide its tag: the first, the surest, or all on average.",
        )
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"words": ["Ana", "Silva", "moved", "to", "Łódź", "."]},
                {"words": ["The", "lift", "stopped", "again", "."]},
                {"words": ["Müller", "&", "Co", "hired", "Ana", "👍"]},
            ),
            references=(
                ["B-PER", "I-PER", "O", "O", "B-LOC", "O"],
                ["O", "O", "O", "O", "O"],
                ["B-ORG", "I-ORG", "I-ORG", "O", "B-PER", "O"],
            ),
        ),
    )

    def known_labels(self, model_labels: Sequence[str]) -> tuple[str, ...]:
        """Entity types in order of first appearance: `B-LOC` and `I-LOC` are `LOC`, and `O` is none."""
        return entity_types(model_labels)

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The tokenizer; it puts a space before every word where its vocabulary has spaces in it. Raises TrialFailed.

        Tokenizers like RoBERTa's know a word within a sentence as another token than the word alone. Before version 5
        transformers refused single words without that space.
        """
        import transformers

        tokenizer = load_tokenizer(folder, model)
        # A tokenizer of no class of its own was used in training as its file says.
        if tokenizer.is_fast and type(tokenizer) is not transformers.PreTrainedTokenizerFast:
            splitter = tokenizer.backend_tokenizer.pre_tokenizer
            if type(splitter).__name__ == "ByteLevel":
                splitter.add_prefix_space = True
        return tokenizer

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """One piece per sentence, or several windows that overlap where it is too long for the model.

        A window begins and ends between words, so each word is seen whole; it gets its tag in the window that shows
        most on both sides of it.
        """
        sentences = [row["words"] for row in inputs]
        return [
            _whole(words, tokens) if len(tokens[1]) <= processor.model_max_length else _cut(processor, words, tokens[1])
            for words, tokens in zip(sentences, _tokenised(processor, sentences), strict=True)
        ]

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits, float32, one array (tokens, model labels) per piece, without padding."""
        logits = model(**accepted_inputs(model, batch)).logits.float().cpu()
        # Some tokenizers pad on the left.
        return [one[mask].numpy() for one, mask in zip(logits, batch["attention_mask"].bool().cpu(), strict=True)]

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """Each prediction is `{"answer": tags}`: one IOB2 tag per word, whatever scheme the model has.

        Entity types have their data set names (`context.mapping`); a type that stands for `O` is no entity. Words that
        the tokenizer drops are `O`.
        """
        labels = split_labels(context.model_labels)
        split = [labels[label] for label in context.model_labels]
        found = []
        for row in rows:
            tags = [(OUTSIDE, "")] * (row.pieces[0].notes.words if row.pieces else 0)
            for piece, logits in zip(row.pieces, row.outputs, strict=True):
                best = _best(logits, piece.notes.spans, context.options["aggregation"])
                for (word, _, _), label in zip(piece.notes.spans, best, strict=True):
                    tags[word] = split[label]
            named = [(prefix, context.mapping.get(kind, kind)) for prefix, kind in iob2(tags)]
            found.append({"answer": [OUTSIDE if OUTSIDE in tag else "-".join(tag) for tag in named]})
        return found

    def blank(self, inputs: Mapping[str, Any]) -> Prediction:
        """No word is of an entity."""
        return {"answer": [OUTSIDE] * len(inputs["words"])}


def _tokenised(processor: Any, sentences: Sequence[Sequence[str]], truncation: bool = False) -> list[Tokens]:
    """The tokens of each sentence, however long unless they are truncated."""
    if not sentences:
        return []
    if not processor.is_fast:
        return [_tokenised_slowly(processor, words, truncation) for words in sentences]
    encoded = processor(
        [list(words) for words in sentences], is_split_into_words=True, truncation=truncation, verbose=False
    )
    return [
        _never_empty(processor, {key: values[row] for key, values in encoded.items()}, encoded.word_ids(row))
        for row in range(len(sentences))
    ]


def _tokenised_slowly(processor: Any, words: Sequence[str], truncation: bool) -> Tokens:
    """Word by word: a tokenizer written in Python does not say which word a token is of."""
    ids = [processor.convert_tokens_to_ids(processor.tokenize(word)) for word in words]
    flat = [token for of_word in ids for token in of_word]
    inputs = dict(
        processor.prepare_for_model(flat, truncation=truncation, return_special_tokens_mask=True, verbose=False)
    )
    special = inputs.pop("special_tokens_mask")
    owners = iter([word for word, of_word in enumerate(ids) for _ in of_word])
    return _never_empty(processor, inputs, [None if mark else next(owners) for mark in special])


def _never_empty(processor: Any, inputs: dict[str, list[int]], owners: list[int | None]) -> Tokens:
    """One padding token where a tokenizer without special tokens has dropped every word."""
    if owners:
        return inputs, owners
    filler = {name: 1 if name == "attention_mask" else 0 for name in inputs}
    return {name: [value] for name, value in (filler | {"input_ids": processor.pad_token_id}).items()}, [None]


def _whole(words: Sequence[str], tokens: Tokens) -> tuple[Piece, ...]:
    inputs, owners = tokens
    return (token_piece(inputs, Tagged(len(words), tuple(_spans(owners)))),)


def _cut(processor: Any, words: Sequence[str], owners: Sequence[int | None]) -> tuple[Piece, ...]:
    """Windows over a sentence that is too long."""
    tokens_of = Counter(owners)
    room = processor.model_max_length - tokens_of[None]
    shown = windows([tokens_of[word] for word in range(len(words))], room)
    parts = _tokenised(processor, [words[window.start : window.stop] for window in shown], truncation=True)
    pieces = []
    for window, (inputs, inner) in zip(shown, parts, strict=True):
        owned = frozenset(window.owned)
        spans = [(word + window.start, start, stop) for word, start, stop in _spans(inner)]
        tagged = Tagged(len(words), tuple(span for span in spans if span[0] in owned))
        # A word that is longer than the model takes has a window to itself, and is cut all the same.
        truncated = sum(tokens_of[word] for word in range(window.start, window.stop)) > room
        pieces.append(token_piece(inputs, tagged, truncated=truncated))
    return tuple(pieces)


def _spans(owners: Sequence[int | None]) -> list[tuple[int, int, int]]:
    """(word, its first token, the token behind its last) of every word that has tokens."""
    places: dict[int, list[int]] = {}
    for token, word in enumerate(owners):
        if word is not None:
            places.setdefault(word, []).append(token)
    return [(word, tokens[0], tokens[-1] + 1) for word, tokens in places.items()]


def _best(logits: Any, spans: Sequence[tuple[int, int, int]], aggregation: str) -> list[int]:
    """The model label of each word."""
    import numpy as np

    if not spans:
        return []
    if aggregation == "first":
        best: list[int] = logits[[start for _, start, _ in spans]].argmax(axis=1).tolist()
        return best
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = exponents / exponents.sum(axis=1, keepdims=True)
    if aggregation == "average":
        return [int(shares[start:stop].mean(axis=0).argmax()) for _, start, stop in spans]
    surest = shares.max(axis=1)
    return [int(shares[start + surest[start:stop].argmax()].argmax()) for _, start, stop in spans]


TASK = TokenClassification()
