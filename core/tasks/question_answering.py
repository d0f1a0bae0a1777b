"""The part of a text that answers a question, or nothing where the text does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TrialFailed
from core.options import Option
from core.tasks.base import Answered, Column, Context, Piece, Prediction, TaskSample, accepted_inputs
from core.tasks.classification import DECIMALS
from core.tasks.text import TextTask, token_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The answer to one question."""
    from inspect import signature

    import numpy as np
    import torch

    positions = getattr(model.config, "max_position_embeddings", None) or 1024
    limit = min(processor.model_max_length, positions, settings["max_length"])
    third, question = limit // 3, row["question"]
    tokens = processor(
        question, add_special_tokens=False, truncation=True, max_length=third + 1, return_offsets_mapping=True
    )["offset_mapping"]
    windows = processor(
        question[: tokens[third - 1][1]] if len(tokens) > third else question,
        row["context"],
        truncation="only_second",
        max_length=limit,
        stride=min(settings["doc_stride"], third),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    known = signature(model.forward).parameters
    best, none, span = -np.inf, np.inf, (0, 0)
    for index, tokens in enumerate(windows["input_ids"]):
        batch = {name: torch.tensor([windows[name][index]]) for name in windows if name in known}
        with torch.inference_mode():
            outputs = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
        starts, ends = (one[0].float().cpu().numpy() for one in (outputs.start_logits, outputs.end_logits))
        first = tokens.index(processor.cls_token_id) if processor.cls_token_id in tokens else 0
        none = min(none, float(starts[first] + ends[first]))
        inside = [position for position, text in enumerate(windows.sequence_ids(index)) if text == 1]
        for start in inside:
            last = max(
                range(start, min(start + settings["max_answer_tokens"], inside[-1] + 1)), key=lambda at: ends[at]
            )
            if starts[start] + ends[last] > best:
                best, offsets = float(starts[start] + ends[last]), windows["offset_mapping"][index]
                span = (offsets[start][0], offsets[last][1])
    if settings["null_threshold"] is not None and none - best > settings["null_threshold"]:
        return ""
    return str(row["context"][slice(*span)].strip())


@dataclass(frozen=True)
class Window:
    """Where the tokens of a piece stand in the context."""

    context: str
    first: int
    """Position of the first token of the context in the piece."""
    offsets: NDArray[Any]
    """Characters of each token of the context: shape (k, 2), start and end."""
    no_answer: int
    """Position of the token that stands for no answer."""


@dataclass(frozen=True)
class Span:
    """The best span of a window."""

    score: float
    """Start logit and end logit; minus infinity where the window holds nothing of the context."""
    start: int
    """Characters in the context."""
    end: int


class QuestionAnswering(TextTask):
    """Extractive answers by a model that scores where an answer starts and ends."""

    name = "question-answering"
    title = "Question answering"
    tags = ("question-answering",)
    columns = (
        Column("question", "input", "text", "Question", guesses=("question", "query", "questions")),
        Column(
            "context",
            "input",
            "text",
            "Context",
            guesses=("context", "passage", "paragraph", "document", "text", "article", "contexts"),
        ),
        Column(
            "answers",
            "reference",
            "answers",
            "Answers",
            guesses=("answers", "answer", "gold_answers", "answer_text", "label", "target", "reference", "references"),
        ),
    )
    default_metrics = ("f1", "exact_match")
    judged_by = "exact_match"
    auto_classes = ("AutoModelForQuestionAnswering",)
    rows_at_once = 2_000
    options: Mapping[str, Option] = {
        "max_length": Option(384, kind="number", help="Most tokens of a window, the question included."),
        "doc_stride": Option(
            128, kind="number", help="Tokens that a window shares with the next; at most a third of the window."
        ),
        "max_answer_tokens": Option(30, kind="number", help="Most tokens of an answer."),
        "null_threshold": Option(
            None,
            kind="number",
            help="No answer is given where its score exceeds that of the best span by more than this. Left out: there "
            "is always an answer, as in SQuAD 1.1; 0 suits SQuAD 2.0.",
        ),
    }
    script = staticmethod(predict)
    samples = (
        TaskSample(
            inputs=(
                {"question": "Where does the tram end?", "context": "Line 4 runs from the harbour to the zoo."},
                {"question": "Who wrote it?", "context": "The libretto is by Łucja Żak, the music by 武満徹."},
                {"question": "How much is a ticket?", "context": "The museum is open from nine to five."},
            ),
            references=(["the zoo", "zoo"], ["Łucja Żak"], []),
        ),
    )

    def load_processor(self, folder: Path, model: Any) -> Any:
        """The tokenizer, which must know where in a text its tokens stand. Raises TrialFailed."""
        tokenizer = super().load_processor(folder, model)
        if not tokenizer.is_fast:
            raise TrialFailed(
                "unsupported",
                f"{type(tokenizer).__name__} does not say where in the text a token stands: no answer can be cut out.",
                "Choose a checkpoint with a tokenizer.json.",
            )
        return tokenizer

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Question and context together, in windows that overlap where the context is long.

        A question keeps a third of a window at most; what is longer is cut off.
        """
        if not inputs:
            return []
        limit = min(int(context.options["max_length"]), processor.model_max_length)
        questions, contexts = [row["question"] for row in inputs], [row["context"] for row in inputs]
        shown = _shortened(processor, questions, limit // 3)
        encoded = processor(
            shown,
            contexts,
            truncation="only_second",
            max_length=limit,
            stride=min(int(context.options["doc_stride"]), limit // 3),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        rows: list[list[Piece]] = [[] for _ in inputs]
        for row, piece in _windows(processor, encoded, contexts):
            rows[row].append(replace(piece, truncated=shown[row] != questions[row]))
        return [tuple(row) for row in rows]

    def forward(self, model: Any, processor: Any, batch: Mapping[str, Any], context: Context) -> Sequence[Any]:
        """Logits of the start and of the end, float32: shape (2, tokens) for each piece, without padding."""
        import torch

        outputs = model(**accepted_inputs(model, batch))
        logits = torch.stack((outputs.start_logits, outputs.end_logits), dim=1).float().cpu().numpy()
        masks = batch["attention_mask"].cpu().numpy().astype(bool)
        return [row[:, mask] for row, mask in zip(logits, masks, strict=True)]

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """The span with the largest sum of start and end logit, over all windows.

        Each prediction is `{"answer": text, "score": …, "start": …, "no_answer_score": …}`: the text as it stands in
        the context, the sum of its logits, its first character, and by how much the score of no answer exceeds that
        sum. The score of no answer is the smallest of all windows, as in transformers' `run_qa.py`, which tries the
        twenty best starts with the twenty best ends; here every pair is tried.
        """
        width, threshold = int(context.options["max_answer_tokens"]), context.options["null_threshold"]
        return [_answer(row, width, None if threshold is None else float(threshold)) for row in rows]


def _shortened(processor: Any, questions: Sequence[str], most: int) -> list[str]:
    """The questions, those of more than `most` tokens cut behind that many."""
    encoded = processor(
        list(questions), add_special_tokens=False, truncation=True, max_length=most + 1, return_offsets_mapping=True
    )
    return [
        question[: offsets[most - 1][1]] if len(offsets) > most else question
        for question, offsets in zip(questions, encoded["offset_mapping"], strict=True)
    ]


def _windows(processor: Any, encoded: Any, contexts: Sequence[str]) -> Iterator[tuple[int, Piece]]:
    """Each window as a piece, and the position of its row."""
    import numpy as np

    names = [name for name in encoded if name not in ("offset_mapping", "overflow_to_sample_mapping")]
    for index, row in enumerate(encoded["overflow_to_sample_mapping"]):
        tokens = {name: encoded[name][index] for name in names}
        belongs = encoded.sequence_ids(index)
        first = belongs.index(1) if 1 in belongs else 0
        offsets = np.array(encoded["offset_mapping"][index][first : first + belongs.count(1)], dtype=np.int32)
        ids = tokens["input_ids"]
        no_answer = ids.index(processor.cls_token_id) if processor.cls_token_id in ids else 0
        yield row, token_piece(tokens, Window(contexts[row], first, offsets.reshape(-1, 2), no_answer))


def _answer(row: Answered, width: int, threshold: float | None) -> Prediction:
    spans = [best_span(output, piece.notes, width) for piece, output in zip(row.pieces, row.outputs, strict=True)]
    best = max(spans, key=lambda span: span.score)  # the first of equals
    none = min(
        float(output[:, piece.notes.no_answer].sum()) for piece, output in zip(row.pieces, row.outputs, strict=True)
    )
    if best.score == float("-inf"):
        return {"answer": "", "score": None, "start": None, "no_answer_score": None}
    silent = threshold is not None and none - best.score > threshold
    found = row.pieces[0].notes.context[best.start : best.end]
    return {
        "answer": "" if silent else found.strip(),
        "score": round(best.score, DECIMALS),
        "start": None if silent else best.start + len(found) - len(found.lstrip()),
        "no_answer_score": round(none - best.score, DECIMALS),
    }


def best_span(logits: NDArray[Any], window: Window, width: int) -> Span:
    """The span of at most `width` tokens of the context with the largest sum of start and end logit.

    Args:
        logits: Of start and end, shape (2, tokens).
        window: Where the context stands.
        width: Most tokens of an answer.
    """
    import numpy as np

    count = len(window.offsets)
    if not count:
        return Span(float("-inf"), 0, 0)
    starts, ends = logits[:, window.first : window.first + count].astype(np.float64)
    width = min(width, count)
    ends = np.pad(ends, (0, width - 1), constant_values=-np.inf)
    scores = starts[:, None] + np.lib.stride_tricks.sliding_window_view(ends, width)
    start, more = np.unravel_index(scores.argmax(), scores.shape)
    left, right = window.offsets[start, 0], window.offsets[start + more, 1]
    return Span(float(scores[start, more]), int(left), int(right))


TASK = QuestionAnswering()
