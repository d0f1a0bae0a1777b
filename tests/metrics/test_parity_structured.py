"""Entities, answers and transcripts equal seqeval, the scripts of SQuAD, jiwer and Whisper's normalizer."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import cache
from typing import Any

import jiwer
import numpy as np
import pytest
from numpy.random import Generator
from seqeval import scheme as schemes
from seqeval.metrics import accuracy_score
from seqeval.metrics import sequence_labeling as lenient
from seqeval.metrics import v1 as strict

from core.metrics import entities, squad, tag_accuracy, wer
from core.metrics.base import overall, resolve_options
from core.metrics.spans import SCHEMES, prefixes

AVERAGES = ("micro", "macro", "weighted")
TYPES = ("LOC", "PER", "人-名", "_")
EM, F1 = squad.METRIC[:2]
WORDS = (
    *(
        "the",
        "A",
        "an",
        "cat",
        "cats",
        "Eiffel-Tower",
        "don't",
        "$5.00",
        "5",
        "naïve",
        "ＡＢＣ",
        "鶴が",
        "飛ぶ",
        "«oui»",
    ),
    *("...", "\t", "\u00a0", "é", "e\u0301", "ß", "(laughs)", "[noise]", "<unk>", "👍🏽", "\u202e", "İ"),
)


def sentences(count: int, seed: int, known: str, types: tuple[str, ...] = TYPES) -> list[list[str]]:
    """Random tags of none to nine words, most of them in entities, some of which break every scheme."""
    generator = np.random.default_rng(seed)
    choices = ["O", "O", *(f"{prefix}-{name}" for prefix in known for name in types), *known]
    return [generator.choice(choices, size=size).tolist() for size in generator.integers(0, 10, size=count)]


def like(references: list[list[str]], seed: int, known: str, types: tuple[str, ...] = TYPES) -> list[list[str]]:
    """The same tags, a third of them changed, in sentences of the same length."""
    generator = np.random.default_rng(seed)
    other = iter(np.concatenate(sentences(len(references) * 3, seed, known, types)).tolist())
    return [[next(other) if generator.random() < 1 / 3 else tag for tag in tags] for tags in references]


def scored(metric: Any, answers: list[Any], references: list[Any], labels: tuple[str, ...] = (), **options: Any) -> Any:
    """The statistics and the value."""
    complete = resolve_options(metric, {f"{metric.name}_{name}": value for name, value in options.items()})
    rows = metric.rows([{"answer": answer} for answer in answers], references, labels, complete)
    return rows, overall(metric, rows, labels, complete)


def counted(true: list[str], said: list[str], scheme: str | None, labels: tuple[str, ...]) -> list[int]:
    """tp, fp and fn per type of one sentence, from seqeval's own entities."""
    if scheme is None:
        wanted, found = (set(lenient.get_entities(tags)) for tags in (true, said))
    else:
        token = getattr(schemes, scheme)
        wanted, found = (
            {(one.tag, one.start, one.end) for one in schemes.Tokens(tags, token).entities} for tags in (true, said)
        )
    sets = (wanted & found, found - wanted, wanted - found)
    return [sum(one[0] == label for one in group) for label in (*labels, None) for group in sets]


MODES = [pytest.param(None, "BIES", id="lenient"), *((one, "".join(prefixes(one)[1:])) for one in SCHEMES)]


@pytest.mark.parametrize(("scheme", "known"), MODES)
def test_entities_of_a_thousand_sentences_are_those_of_seqeval(scheme: str | None, known: str) -> None:
    references = sentences(1000, 1, known)
    answers = like(references, 2, known)
    options = {"mode": "strict", "scheme": scheme} if scheme else {}
    rows, _ = scored(entities.METRIC[2], answers, references, TYPES, **options)
    wanted = [counted(true, said, scheme, TYPES) for true, said in zip(references, answers, strict=True)]
    assert rows.tolist() == wanted


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("scheme", "known"), MODES)
def test_scores_of_entities_are_those_of_seqeval(scheme: str | None, known: str, average: str) -> None:
    options = {"mode": "strict", "scheme": scheme} if scheme else {}
    for seed, types in ((3, TYPES), (4, TYPES), (5, TYPES[:1]), (6, TYPES[2:3])):
        references = [["B-LOC", "O"] if "B" in known else ["O"], *sentences(12 + seed, seed, known, types)]
        answers = like(references, seed + 10, known, types)
        if scheme is None:
            wanted = lenient.precision_recall_fscore_support(references, answers, average=average, zero_division=0)
        else:
            wanted = strict.precision_recall_fscore_support(
                references, answers, average=average, zero_division=0, scheme=getattr(schemes, scheme)
            )
        found = [
            scored(metric, answers, references, TYPES, average=average, **options)[1] for metric in entities.METRIC[:3]
        ]
        np.testing.assert_allclose(found, wanted[:3], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("average", AVERAGES)
def test_a_resample_scores_as_seqeval_scores_its_sentences(average: str) -> None:
    references = sentences(30, 7, "BIES")
    answers = like(references, 8, "BIES")
    metric, generator = entities.METRIC[2], np.random.default_rng(9)
    options = resolve_options(metric, {"f1_average": average})
    rows, _ = scored(metric, answers, references, TYPES, average=average)
    drawn = generator.integers(30, size=(20, 30))
    weights = np.array([np.bincount(line, minlength=30) for line in drawn])
    wanted = [
        lenient.f1_score([references[i] for i in line], [answers[i] for i in line], average=average, zero_division=0)
        for line in drawn
    ]
    np.testing.assert_allclose(metric.weighted(rows, weights, TYPES, options), wanted)


def test_right_tags_are_those_of_seqeval() -> None:
    references = sentences(1000, 10, "BIES")
    answers = like(references, 11, "BIES")
    _, value = scored(tag_accuracy.METRIC, answers, references)
    assert value == pytest.approx(accuracy_score(references, answers))


def texts(count: int, seed: int, words: tuple[str, ...] = WORDS, longest: int = 8) -> list[str]:
    """Random texts of none to a few words, with one or several spaces between."""
    generator: Generator = np.random.default_rng(seed)
    return [
        "".join(generator.choice(words) + generator.choice([" ", " ", "  "]) for _ in range(size))
        for size in generator.integers(0, longest, size=count)
    ]


@cache
def normalized(text: str) -> str:
    """`normalize_answer` of evaluate-v1.1.py and evaluate-v2.0.py, step by step."""
    lowered = text.lower()
    without = "".join(sign for sign in lowered if sign not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", without).split())


def squad_v1(answer: str, references: list[str]) -> tuple[float, float]:
    """`exact_match_score` and `f1_score` of evaluate-v1.1.py, the best over all references."""

    def f1(wanted: str) -> float:
        said, right = normalized(answer).split(), normalized(wanted).split()
        shared = sum((Counter(said) & Counter(right)).values())
        if shared == 0:
            return 0
        precision, recall = shared / len(said), shared / len(right)
        return 2 * precision * recall / (precision + recall)

    return max(normalized(answer) == normalized(one) for one in references), max(map(f1, references))


def squad_v2(answer: str, references: list[str]) -> tuple[float, float]:
    """`compute_exact` and `compute_f1` of evaluate-v2.0.py, the best over all references."""

    def f1(wanted: str) -> float:
        right, said = normalized(wanted).split(), normalized(answer).split()
        if not right or not said:
            return int(right == said)
        return squad_v1(answer, [wanted])[1]

    gold = [one for one in references if normalized(one)] or [""]
    return max(int(normalized(one) == normalized(answer)) for one in gold), max(map(f1, gold))


def questions(count: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """Answers, and none to three references each, half of them close to the answer."""
    generator, answers = np.random.default_rng(seed), texts(count, seed, longest=5)
    others = iter(texts(count * 3, seed + 1, longest=5))
    references = [
        [next(others) if generator.random() < 0.5 else answer + next(others) for _ in range(generator.integers(4))]
        for answer in answers
    ]
    return answers, references


def test_answers_score_as_in_the_script_of_squad_2() -> None:
    answers, references = questions(1000, 12)
    wanted = np.array([squad_v2(answer, one) for answer, one in zip(answers, references, strict=True)])
    for column, metric in enumerate((EM, F1)):
        rows, value = scored(metric, answers, references)
        np.testing.assert_allclose(rows[:, 0], wanted[:, column], rtol=1e-12)
        assert value == pytest.approx(wanted[:, column].mean())
    answerable = np.array([bool(one) for one in references])
    apart = [wanted[answerable, 0], wanted[answerable, 1], wanted[~answerable, 0]]
    found = [scored(metric, answers, references)[1] for metric in squad.METRIC[2:]]
    np.testing.assert_allclose(found, [part.mean() for part in apart])


def test_answers_score_as_in_the_script_of_squad_1_where_references_have_words() -> None:
    answers, references = questions(1000, 14)
    kept = [[one for one in wanted if normalized(one)] or ["Eiffel"] for wanted in references]
    wanted = np.array([squad_v1(answer, one) for answer, one in zip(answers, kept, strict=True)])
    for column, metric in enumerate((EM, F1)):
        np.testing.assert_allclose(scored(metric, answers, kept)[0][:, 0], wanted[:, column], rtol=1e-12)


def said_like(references: list[str], seed: int) -> list[str]:
    """The same texts, some signs of which are lost or doubled."""
    generator = np.random.default_rng(seed)
    return ["".join(sign * generator.choice([0, 1, 1, 1, 1, 1, 2]) for sign in text) for text in references]


@pytest.mark.parametrize(
    ("metric", "library", "process"),
    [(wer.METRIC[0], jiwer.wer, jiwer.process_words), (wer.METRIC[1], jiwer.cer, jiwer.process_characters)],
    ids=["wer", "cer"],
)
def test_error_rates_are_those_of_jiwer(metric: Any, library: Any, process: Any) -> None:
    references = [*texts(900, 16), *texts(100, 17, ("a",))]
    answers = said_like(references, 18)
    rows, value = scored(metric, answers, references)
    assert value == library(references, answers)
    for row, wanted, answer in zip(rows.tolist(), references, answers, strict=True):
        alone = process(wanted, answer)
        assert row == [alone.hits, alone.substitutions, alone.deletions, alone.insertions, 1]
        assert scored(metric, [answer], [wanted])[1] == library(wanted, answer)


def test_the_basic_normalizer_is_that_of_whisper() -> None:
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer

    theirs = BasicTextNormalizer()
    for text in [*texts(1000, 19), "[a] b (c) <d> e", "(", ")(", "<a]", "ǅ ﬁ ①", ""]:
        assert wer.basic(text) == theirs(text)
