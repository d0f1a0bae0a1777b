"""What metrics of written text have in common: rows without a reference, signatures, options, resamples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU as SacreBleu
from sacrebleu.metrics.chrf import CHRF as SacreChrf
from sacrebleu.metrics.ter import TER as SacreTer

from core import registry
from core.errors import MissingDependency, UserError
from core.metrics.base import Metric, describe_options, per_row
from core.metrics.bleu import METRIC as BLEU
from core.metrics.chrf import METRIC as CHRFS
from core.metrics.exact_match import METRIC as EXACT_MATCH
from core.metrics.length_ratio import METRIC as LENGTH_RATIO
from core.metrics.ter import METRIC as TER
from tests.metrics.texts import options, random_references, random_texts, score, statistics

CHRF, CHRF_PLUS_PLUS = CHRFS
OF_TEXTS = [one for one in registry.metrics() if {"texts", "continuation"} <= set(one.kinds)]
ANSWERS = random_texts(60, seed=1, longest=10)
REFERENCES = random_references(ANSWERS, seed=2, most=3)

every_metric_of_texts = pytest.mark.parametrize("metric", OF_TEXTS, ids=[one.name for one in OF_TEXTS])


def described(metric: Metric, references: list[Any] | tuple[()] = (), **chosen: Any) -> str:
    return describe_options(metric, options(metric, chosen), references)


@every_metric_of_texts
def test_a_row_without_a_reference_changes_nothing(metric: Metric) -> None:
    missing: list[Any] = [None, [], None]
    answers = ["a text", "", "another", *ANSWERS]
    assert score(metric, answers, [*missing, *REFERENCES]) == score(metric, ANSWERS, REFERENCES)
    assert np.isnan(score(metric, answers[:3], missing))


@every_metric_of_texts
def test_a_row_without_a_reference_has_no_value_of_its_own(metric: Metric) -> None:
    found = statistics(metric, ["a cat", "a cat"], [None, "a cat"])
    assert np.isnan(per_row(metric, found, (), options(metric, {}))).tolist() == [True, False]


@every_metric_of_texts
def test_a_text_and_a_list_of_one_text_are_the_same(metric: Metric) -> None:
    first = [texts[0] for texts in REFERENCES]
    assert score(metric, ANSWERS, first) == score(metric, ANSWERS, [[text] for text in first])


@pytest.mark.parametrize(
    ("metric", "library", "chosen"),
    [
        *((BLEU, SacreBleu, {"smooth_method": method}) for method in ("exp", "floor", "add-k", "none")),
        (CHRF, SacreChrf, {}),
        (CHRF, SacreChrf, {"eps_smoothing": True}),
        (TER, SacreTer, {}),
    ],
)
def test_many_resamples_at_once_equal_sacrebleu_one_by_one(metric: Any, library: Any, chosen: dict[str, Any]) -> None:
    found = statistics(metric, ANSWERS[:12], REFERENCES[:12], **chosen)
    totals = np.random.default_rng(0).multinomial(2, [1 / 12] * 12, size=(5, 40)) @ found
    scorer = library(**chosen)
    wanted = [[scorer._compute_score_from_stats(one[:-1].tolist()).score for one in block] for block in totals]
    np.testing.assert_allclose(metric.value(totals, (), options(metric, chosen)), wanted, rtol=1e-12, atol=1e-300)


def test_the_signature_of_sacrebleu_stands_behind_the_score() -> None:
    assert described(BLEU) == "case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    lowercased = described(BLEU, lowercase=True, tokenize="intl", smooth_method="add-k", use_effective_order=True)
    assert lowercased == "case:lc|eff:yes|tok:intl|smooth:add-k[1.00]|version:2.6.0"
    assert described(CHRF) == "case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"
    assert described(CHRF_PLUS_PLUS) == "case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0"
    assert described(TER) == "case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0"


def test_the_signature_says_how_many_references_a_row_has() -> None:
    assert described(BLEU, ["a", "b"]).startswith("nrefs:1|case:")
    assert described(BLEU, [["a", "b"], ["c", "d"]]).startswith("nrefs:2|case:")
    assert described(BLEU, ["a", None]).startswith("nrefs:1|case:")
    assert described(BLEU, ["a", ["c", "d"]]).startswith("nrefs:var|case:")


def test_signatures_are_those_of_sacrebleu() -> None:
    streams = [[text[0] for text in REFERENCES]]
    libraries = (BLEU, SacreBleu()), (CHRF, SacreChrf()), (CHRF_PLUS_PLUS, SacreChrf(word_order=2)), (TER, SacreTer())
    for metric, library in libraries:
        library.corpus_score(ANSWERS, streams)
        assert described(metric, streams[0]) == str(library.get_signature())


def test_a_tokenizer_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    with pytest.raises(MissingDependency) as found:
        score(BLEU, [], [], tokenize="ja-mecab")
    assert found.value.hint == "pip install sacrebleu[ja]"


def test_a_tokenizer_whose_model_is_not_there_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    with pytest.raises(
        UserError, match=r"bleu_tokenize is 'flores101', but .*tokenizer_spm\.model is not there"
    ) as found:
        score(BLEU, [], [], tokenize="flores101")
    assert found.value.hint.startswith("Download https://")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_right_if_any_reference_is_equal() -> None:
    assert score(EXACT_MATCH, ["b", "b", "b"], [["a", "b"], "b", ["a"]]) == pytest.approx(2 / 3)


def test_texts_of_which_nothing_is_left_are_only_equal_if_they_were() -> None:
    assert score(EXACT_MATCH, ["!", "?"], ["?", "?"], ignore_punctuation=True) == 0.5


def test_the_length_ratio_tells_short_texts_from_long_ones() -> None:
    assert score(LENGTH_RATIO, ["one two"], ["one two three four"]) == 0.5
    assert score(LENGTH_RATIO, ["one two three"], [["one two", "one two three four", "one"]]) == 1.5
    assert np.isnan(score(LENGTH_RATIO, ["one"], [""]))
