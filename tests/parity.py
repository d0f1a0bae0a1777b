"""docs/parity.md: every metric beside the library that defines it, on the same made-up rows.

python -m tests.parity          prints the document
python -m tests.parity --write  writes it
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from core import registry
from core.metrics.scoring import values
from tests.conftest import REPO

ROWS = 300
LABELS = ("cat", "dog", "owl")
TOPICS = ("art", "law", "sport", "war")
TYPES = ("LOC", "ORG", "PER")
WORDS = ["the", "A", "line", "trams", "stopped", "Harbour", "zoo", "late", "Łódź", "running", "early", "Not", "ends"]

Predictions = list[dict[str, Any]]
Library = Callable[[Predictions, list[Any]], float]


@dataclass(frozen=True)
class Case:
    """A metric with its options, and the same from its library."""

    task: str
    metric: str
    library: str
    """Distribution and function, as people write it."""
    theirs: Library
    options: Mapping[str, Any] = field(default_factory=dict)


def rows(task: str) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    """Predictions, references and labels of a task, the same every time."""
    return _ROWS[task](np.random.default_rng(11))


def _single(generator: np.random.Generator) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    wanted = generator.integers(3, size=ROWS)
    shares = generator.dirichlet(np.ones(3), size=ROWS) * 0.6 + 0.4 * np.eye(3)[wanted]
    said = [
        {"answer": LABELS[row.argmax()], "score": float(row.max()), "probabilities": row.tolist()} for row in shares
    ]
    return said, [LABELS[one] for one in wanted], LABELS


def _several(generator: np.random.Generator) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    wanted = generator.random((ROWS, 4)) < 0.3
    shares = (0.6 * generator.random((ROWS, 4)) + 0.4 * wanted).round(4)
    said = [
        {
            "answer": [name for name, share in zip(TOPICS, row, strict=True) if share > 0.5],
            "probabilities": row.tolist(),
        }
        for row in shares
    ]
    return said, [[name for name, given in zip(TOPICS, row, strict=True) if given] for row in wanted], TOPICS


def _tags(generator: np.random.Generator) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    every = ["O", "O", "O", *(f"{prefix}-{kind}" for kind in TYPES for prefix in "BI")]
    references = [generator.choice(every, size=generator.integers(1, 12)).tolist() for _ in range(ROWS)]
    said = [
        {"answer": [tag if generator.random() < 0.8 else str(generator.choice(every)) for tag in row]}
        for row in references
    ]
    return said, references, TYPES


def _written(generator: np.random.Generator) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    references = [" ".join(generator.choice(WORDS, size=generator.integers(1, 15))) for _ in range(ROWS)]
    said = [
        {"answer": " ".join(_respelt(word, generator) for word in row.split() if generator.random() < 0.8)}
        for row in references
    ]
    return said, references, ()


def _respelt(word: str, generator: np.random.Generator) -> str:
    """The word, sometimes in lower case, sometimes in another form."""
    chance = generator.random()
    return word.lower() if chance < 0.2 else word.removesuffix("ing") if chance < 0.4 else word


def _numbers(generator: np.random.Generator) -> tuple[Predictions, list[Any], tuple[str, ...]]:
    wanted = generator.integers(0, 26, size=ROWS) / 5
    said = (wanted / 5 + generator.normal(scale=0.3, size=ROWS)).round(4)
    return [{"answer": float(one)} for one in said], wanted.tolist(), ()


_ROWS: Mapping[str, Callable[[np.random.Generator], tuple[Predictions, list[Any], tuple[str, ...]]]] = {
    "text-classification": _single,
    "multi-label-classification": _several,
    "token-classification": _tags,
    "summarization": _written,
    "translation": _written,
    "automatic-speech-recognition": _written,
    "sentence-similarity": _numbers,
}


def _answers(said: Predictions) -> list[Any]:
    return [one["answer"] for one in said]


def _shares(said: Predictions) -> Any:
    return np.array([one["probabilities"] for one in said])


def _sklearn(name: str, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(references, _answers(said), **options))

    return theirs


def _sklearn_shares(name: str, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(references, _shares(said), labels=list(LABELS), **options))

    return theirs


def _sklearn_several(name: str, shares: bool = False, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from sklearn import metrics

        def marks(rows: Sequence[Sequence[str]]) -> Any:
            return np.array([[topic in row for topic in TOPICS] for row in rows]).astype(int)

        given = _shares(said) if shares else marks(_answers(said))
        return float(getattr(metrics, name)(marks(references), given, **options))

    return theirs


def _seqeval(name: str, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from seqeval import metrics, scheme

        chosen = {key: getattr(scheme, value) if key == "scheme" else value for key, value in options.items()}
        return float(getattr(metrics, name)(references, _answers(said), **chosen))

    return theirs


def _rouge(name: str, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([name], **options)
        pairs = zip(references, _answers(said), strict=True)
        return float(np.mean([scorer.score(wanted, one)[name].fmeasure for wanted, one in pairs]))

    return theirs


def _sacrebleu(name: str, **options: Any) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        import sacrebleu

        return float(getattr(sacrebleu, name)(**options).corpus_score(_answers(said), [references]).score)

    return theirs


def _jiwer(name: str) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        import jiwer

        return float(getattr(jiwer, name)(references, _answers(said)))

    return theirs


def _scipy(name: str) -> Library:
    def theirs(said: Predictions, references: list[Any]) -> float:
        from scipy import stats

        return float(getattr(stats, name)(_answers(said), references).statistic)

    return theirs


def _of_label(metric: str, function: str) -> list[Case]:
    averages = ("macro", "micro", "weighted")
    return [
        Case(
            "text-classification",
            metric,
            f"scikit-learn {function}",
            _sklearn(function, average=average, zero_division=0),
            {f"{metric}_average": average},
        )
        for average in averages
    ]


def _of_labels(metric: str, function: str) -> list[Case]:
    return [
        Case(
            "multi-label-classification",
            metric,
            f"scikit-learn {function}",
            _sklearn_several(function, average=average, zero_division=0),
            {f"{metric}_average": average},
        )
        for average in ("micro", "macro", "weighted", "samples")
    ]


CASES = (
    Case("text-classification", "accuracy", "scikit-learn accuracy_score", _sklearn("accuracy_score")),
    *_of_label("f1", "f1_score"),
    *_of_label("precision", "precision_score"),
    *_of_label("recall", "recall_score"),
    Case("text-classification", "mcc", "scikit-learn matthews_corrcoef", _sklearn("matthews_corrcoef")),
    Case("text-classification", "log_loss", "scikit-learn log_loss", _sklearn_shares("log_loss")),
    Case("text-classification", "brier_score", "scikit-learn brier_score_loss", _sklearn_shares("brier_score_loss")),
    Case(
        "text-classification",
        "roc_auc",
        "scikit-learn roc_auc_score, one against the rest",
        _sklearn_shares("roc_auc_score", multi_class="ovr"),
    ),
    *_of_labels("f1", "f1_score"),
    Case("multi-label-classification", "accuracy", "scikit-learn accuracy_score", _sklearn_several("accuracy_score")),
    Case("multi-label-classification", "hamming_loss", "scikit-learn hamming_loss", _sklearn_several("hamming_loss")),
    Case(
        "multi-label-classification",
        "average_precision",
        "scikit-learn average_precision_score, macro",
        _sklearn_several("average_precision_score", shares=True, average="macro"),
        {"average_precision_average": "macro"},
    ),
    Case("token-classification", "f1", "seqeval f1_score", _seqeval("f1_score")),
    Case("token-classification", "precision", "seqeval precision_score", _seqeval("precision_score")),
    Case("token-classification", "recall", "seqeval recall_score", _seqeval("recall_score")),
    Case(
        "token-classification",
        "f1",
        "seqeval f1_score, macro",
        _seqeval("f1_score", average="macro"),
        {"f1_average": "macro"},
    ),
    Case(
        "token-classification",
        "f1",
        "seqeval f1_score, strict IOB2",
        _seqeval("f1_score", mode="strict", scheme="IOB2"),
        {"f1_mode": "strict", "f1_scheme": "IOB2"},
    ),
    Case("token-classification", "accuracy", "seqeval accuracy_score", _seqeval("accuracy_score")),
    *(Case("summarization", name, f"rouge_score {name}", _rouge(name)) for name in ("rouge1", "rouge2", "rougeL")),
    Case("summarization", "rougeLsum", "rouge_score rougeLsum", _rouge("rougeLsum")),
    Case(
        "summarization",
        "rouge1",
        "rouge_score rouge1, stemmer",
        _rouge("rouge1", use_stemmer=True),
        {"rouge1_use_stemmer": True},
    ),
    Case("translation", "bleu", "sacrebleu BLEU", _sacrebleu("BLEU")),
    Case(
        "translation", "bleu", "sacrebleu BLEU, lowercase", _sacrebleu("BLEU", lowercase=True), {"bleu_lowercase": True}
    ),
    Case("translation", "chrf", "sacrebleu CHRF", _sacrebleu("CHRF")),
    Case("translation", "chrf++", "sacrebleu CHRF(word_order=2)", _sacrebleu("CHRF", word_order=2)),
    Case("translation", "ter", "sacrebleu TER", _sacrebleu("TER")),
    Case("automatic-speech-recognition", "wer", "jiwer wer", _jiwer("wer")),
    Case("automatic-speech-recognition", "cer", "jiwer cer", _jiwer("cer")),
    Case("sentence-similarity", "spearman", "scipy spearmanr", _scipy("spearmanr")),
    Case("sentence-similarity", "pearson", "scipy pearsonr", _scipy("pearsonr")),
)


def both(case: Case) -> tuple[float, float]:
    """Our value and the library's."""
    said, references, labels = rows(case.task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = case.theirs(said, references)
    ours = values(registry.task(case.task), [case.metric], case.options, labels, said, references)[case.metric]
    assert ours is not None
    return ours, theirs


def table() -> str:
    """One line per case."""
    lines = ["| task | metric | options | library | ours | theirs |", "|---|---|---|---|---:|---:|"]
    for case in CASES:
        ours, theirs = both(case)
        options = ", ".join(f"`{name}: {value}`" for name, value in case.options.items()) or "defaults"
        lines.append(f"| {case.task} | `{case.metric}` | {options} | {case.library} | {ours:.10f} | {theirs:.10f} |")
    return "\n".join(lines)


def document() -> str:
    """The whole page: what is written by hand, with the table between its marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    names = ("scikit-learn", "seqeval", "rouge_score", "sacrebleu", "jiwer", "scipy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{before}{BEGIN}\n{versions}; {ROWS} rows.\n\n{table()}\n{END}{after}"


PAGE = REPO / "docs" / "parity.md"
BEGIN, END = "<!-- table: python -m tests.parity --write -->", "<!-- end -->"

if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(document(), encoding="utf-8")
    else:
        print(document())
