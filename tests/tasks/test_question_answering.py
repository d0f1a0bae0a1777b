"""Question answering on tiny models: the best span of all windows, cut out of the context as it stands."""

from __future__ import annotations

import json
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import TrialFailed
from core.tasks.base import Answered, Piece
from core.tasks.question_answering import TASK, Window, best_span
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH, Tiny, texts, tokenizer
from tests.tasks.tiny_language import build, questions

every_architecture = pytest.mark.parametrize("architecture", ["bert", "distilbert"])
ROWS = questions(12, 3, Path())


def session(architecture: str = "bert") -> Tiny:
    return build("question-answering", architecture)


def encode(*rows: dict[str, str], **options: Any) -> list[tuple[Piece, ...]]:
    return TASK.encode(tokenizer(), rows, tiny.context(TASK, options=options))


def official(model: Tiny, row: dict[str, str], longest: int, threshold: float | None) -> str:
    """As transformers' `run_qa.py` chooses an answer, but that every pair of positions is tried, not twenty best."""
    import torch

    features = model.processor(
        row["question"], row["context"], truncation="only_second", max_length=LENGTH, stride=16,
        return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    candidates, least = [], None
    for index, ids in enumerate(features["input_ids"]):
        kinds = torch.tensor([features["token_type_ids"][index]])
        more = {"token_type_ids": kinds} if model.model.config.model_type == "bert" else {}
        with torch.inference_mode():
            outputs = model.model(input_ids=torch.tensor([ids]), **more)
        starts, ends = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
        null = starts[0] + ends[0]
        least = null if least is None else min(least, null)
        offsets, belongs = features["offset_mapping"][index], features.sequence_ids(index)
        for start in range(len(ids)):
            for end in range(start, min(start + longest, len(ids))):
                if belongs[start] == belongs[end] == 1:
                    candidates.append((starts[start] + ends[end], offsets[start][0], offsets[end][1]))
    score, left, right = max(candidates)
    if threshold is not None and least - score > threshold:
        return ""
    return row["context"][left:right]


@every_architecture
@pytest.mark.parametrize(("longest", "threshold"), [(30, None), (3, None), (30, 0.0), (2, -3.0)])
def test_answers_are_those_of_the_official_script(architecture: str, longest: int, threshold: float | None) -> None:
    model, options = session(architecture), {"max_answer_tokens": longest, "null_threshold": threshold}
    found = tiny.predict(model, TASK, ROWS, tiny.context(TASK, options=options), 5)
    wanted = [official(model, row, longest, threshold) for row in ROWS]
    assert [one["answer"] for one in found] == wanted
    assert len(set(wanted)) > 3


@pytest.mark.parametrize("width", [1, 4, 100])
def test_the_best_span_is_the_best_of_all_spans(width: int) -> None:
    generator = np.random.default_rng(5)
    for count in (1, 2, 3, 9, 40):
        logits = generator.normal(size=(2, count + 7)).astype(np.float32)
        offsets = np.array([(3 * token, 3 * token + 2) for token in range(count)])
        found = best_span(logits, Window("", 5, offsets, 0), width)
        score, start, end = max(
            (float(logits[0, 5 + start]) + float(logits[1, 5 + end]), start, end)
            for start in range(count)
            for end in range(start, min(start + width, count))
        )
        assert (found.score, found.start, found.end) == (pytest.approx(score), 3 * start, 3 * end + 2)


def test_the_answer_stands_in_the_context_as_it_is() -> None:
    row = {"question": "w1 w2", "context": "w5 \n  w6\tw7   w8"}
    ((piece,),) = encode(row)
    logits = np.zeros((2, piece.length), dtype=np.float32)
    logits[0, piece.notes.first + 1] = logits[1, piece.notes.first + 3] = 5
    (found,) = TASK.decode(None, [Answered((piece,), (logits,))], tiny.context(TASK))
    assert found == {"answer": "w6\tw7   w8", "score": 10.0, "start": 6, "no_answer_score": -10.0}
    assert row["context"][found["start"] :].startswith(found["answer"])


def test_blanks_that_a_token_takes_along_are_no_part_of_the_answer() -> None:
    window = Window("so it is", 0, np.array([(0, 2), (2, 5)]), 0)
    logits = np.array([[0, 9], [0, 9]], dtype=np.float32)
    row = Answered((Piece({}, 2, 2, window),), (logits,))
    assert TASK.decode(None, [row], tiny.context(TASK))[0]["answer"] == "it"
    assert TASK.decode(None, [row], tiny.context(TASK))[0]["start"] == 3


def test_windows_overlap_and_leave_no_token_of_the_context_out() -> None:
    context = " ".join(texts(20))
    (pieces,) = encode({"question": "w1 w2 w3", "context": context})
    assert all(piece.length <= LENGTH for piece in pieces)
    spans = [(piece.notes.offsets[0, 0], piece.notes.offsets[-1, 1]) for piece in pieces]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(context)
    for piece, later in pairwise(pieces):
        shared = {*map(tuple, piece.notes.offsets)} & {*map(tuple, later.notes.offsets)}
        assert len(shared) == LENGTH // 3


def test_options_say_how_long_windows_are_and_how_they_overlap() -> None:
    row = {"question": "w1 w2", "context": " ".join(texts(10))}
    (pieces,) = encode(row, max_length=30, doc_stride=4)
    assert {piece.length for piece in pieces[:-1]} == {30}
    first, second = ({*map(tuple, piece.notes.offsets)} for piece in pieces[:2])
    assert len(first & second) == 4


def test_an_answer_deep_in_a_context_of_20000_tokens_is_found() -> None:
    context = " ".join(f"w{token % 100}" for token in range(20_000))
    (pieces,) = encode({"question": "w1 w2", "context": context})
    place = context.index("w42", 60_000)
    outputs = []
    for piece in pieces:
        logits = np.zeros((2, piece.length), dtype=np.float32)
        here = np.flatnonzero(piece.notes.offsets[:, 0] == place)
        logits[:, piece.notes.first + here] = 7
        outputs.append(logits)
    (found,) = TASK.decode(None, [Answered(pieces, tuple(outputs))], tiny.context(TASK))
    assert (found["answer"], found["start"]) == ("w42", place)


def test_a_model_reads_a_context_of_20000_tokens() -> None:
    row = {"question": "w1 w2", "context": "w5 w6 w7 w8 " * 5000}
    (found,) = tiny.predict(session(), TASK, [row], tiny.context(TASK), 64)
    assert found["answer"]
    assert found["answer"] in row["context"]


def test_a_question_longer_than_the_window_is_cut() -> None:
    row = {"question": "w9 " * 300, "context": "w5 w6 w7 " * 40}
    (pieces,) = encode(row)
    assert all(piece.length <= LENGTH for piece in pieces)
    assert {piece.notes.first for piece in pieces} == {LENGTH // 3 + 2}
    (found,) = tiny.predict(session(), TASK, [row], tiny.context(TASK), 8)
    assert found["answer"] in row["context"]


def test_how_a_question_is_cut_does_not_depend_on_its_neighbours() -> None:
    rows = [{"question": "w9 " * length, "context": "w5 w6 w7 " * 40} for length in (1, 16, 17, 300)]
    alone = [encode(row)[0] for row in rows]
    for one, other in zip(alone, encode(*rows), strict=True):
        assert [piece.inputs for piece in one] == [piece.inputs for piece in other]
    assert alone[2][0].inputs == alone[3][0].inputs
    assert alone[1][0].length == alone[2][0].length


def test_without_a_threshold_there_is_always_an_answer_and_with_one_it_decides() -> None:
    always = tiny.predict(session(), TASK, ROWS, tiny.context(TASK), 8)
    assert all(one["answer"] for one in always)
    margin = sorted(one["no_answer_score"] for one in always)[len(always) // 2]
    found = tiny.predict(session(), TASK, ROWS, tiny.context(TASK, options={"null_threshold": margin}), 8)
    for one, other in zip(always, found, strict=True):
        silent = one["no_answer_score"] > margin + tiny.STEP
        assert (other["answer"], other["start"]) == (("", None) if silent else (one["answer"], one["start"]))
        assert other["no_answer_score"] == one["no_answer_score"]
    assert 0 < sum(not one["answer"] for one in found) < len(found)


def test_an_empty_context_has_no_answer() -> None:
    rows = [{"question": "w1", "context": ""}, {"question": "", "context": "w1"}]
    empty, full = tiny.predict(session(), TASK, rows, tiny.context(TASK), 2)
    assert empty == {"answer": "", "score": None, "start": None, "no_answer_score": None}
    assert full["answer"] == "w1"


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_cut_off_on_either_side(side: str) -> None:
    processor = copy(tokenizer())
    processor.padding_side = side
    model = Tiny(session().model, processor)
    pieces = [piece for row in encode(*ROWS) for piece in row]
    assert [row.shape for row in tiny.forward(model, TASK, pieces, tiny.context(TASK))] == [
        (2, piece.length) for piece in pieces
    ]


def test_a_tokenizer_that_does_not_know_where_tokens_stand_is_refused(tmp_path: Path) -> None:
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(tmp_path)
    with pytest.raises(TrialFailed, match="where in the text") as caught:
        TASK.load_processor(tmp_path, session().model)
    assert caught.value.kind == "unsupported"


def test_the_exported_function_reads_long_contexts_and_stays_silent_as_the_trial_does() -> None:
    rows = [*ROWS, {"question": "w9 " * 60, "context": "w5 w6 w7 " * 40}]
    for threshold in (None, 0.0):
        context = tiny.context(TASK, options={"null_threshold": threshold, "max_answer_tokens": 4})
        wanted = [one["answer"] for one in tiny.predict(session(), TASK, rows, context, 1)]
        settings = tiny.script_settings(TASK, context)
        assert [TASK.script(session().model, tokenizer(), row, settings) for row in rows] == wanted


def test_a_model_that_knows_the_answers_of_squad_gives_them(shared: Path) -> None:
    from transformers import AutoTokenizer

    processor = AutoTokenizer.from_pretrained(shared / "models/minilm-l6-sst2")
    articles = json.loads((shared / "data/question-answering/squad_v1.1/dev-v1.1.json").read_text())["data"]
    asked = [
        ({"question": one["question"], "context": paragraph["context"]}, one["answers"][0])
        for paragraph in articles[0]["paragraphs"]
        for one in paragraph["qas"]
    ]
    context = tiny.context(TASK, options={"max_length": 128, "doc_stride": 40, "max_answer_tokens": 40})
    encoded, answered, whole = TASK.encode(processor, [row for row, _ in asked], context), [], []
    for pieces, (_, answer) in zip(encoded, asked, strict=True):
        spans = [_tokens(piece, answer["answer_start"], answer["text"]) for piece in pieces]
        logits = tuple(_knowing(piece, span) for piece, span in zip(pieces, spans, strict=True))
        answered.append(Answered(pieces, logits))
        whole.append(any(spans))
    found = TASK.decode(processor, answered, context)
    for one, (_, answer), known in zip(found, asked, whole, strict=True):
        assert not known or (one["answer"], one["start"]) == (answer["text"], answer["answer_start"])
    assert np.mean(whole) > 0.98, "few answers of SQuAD begin or end within a token"
    assert max(map(len, encoded)) > 2


def _tokens(piece: Piece, start: int, text: str) -> tuple[int, int] | None:
    """The first and last token of an answer, where both stand in this window."""
    starts, ends = piece.notes.offsets.T
    first, last = np.flatnonzero(starts == start), np.flatnonzero(ends == start + len(text))
    return (int(first[0]), int(last[0])) if len(first) and len(last) else None


def _knowing(piece: Piece, span: tuple[int, int] | None) -> np.ndarray:
    logits = np.zeros((2, piece.length), dtype=np.float32)
    if span:
        logits[[0, 1], [piece.notes.first + span[0], piece.notes.first + span[1]]] = 9
    return logits
