"""Translation: models that must be told the languages are told them, each in its own way."""

from __future__ import annotations

import io
import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.errors import TrialFailed
from core.tasks.translation import TASK, Direction, direction, find
from tests.tasks import tiny
from tests.tasks.tiny import Tiny, texts, tokenizer
from tests.tasks.tiny_language import build, nllb

ROWS = [{"text": text} for text in texts(4)]


@cache
def unsettled() -> Tiny:
    """A model of many languages whose tokenizer has no direction of its own."""
    return nllb(source=None, target=None)


def languages(source: str | None, target: str | None, **more: Any) -> Any:
    return tiny.context(TASK, options={"source_language": source, "target_language": target}, **more)


def outputs(model: Tiny, context: Any) -> list[list[int]]:
    return [row.outputs[0].tolist() for row in tiny.answered(model, TASK, ROWS, context, 3)]


def test_nllb_is_told_both_languages() -> None:
    model, context = unsettled(), languages("eng_Latn", "fra_Latn")
    for (piece,) in TASK.encode(model.processor, ROWS, context):
        assert model.processor.convert_ids_to_tokens(piece.inputs["input_ids"][0]) == "eng_Latn"
    begins = {model.processor.convert_ids_to_tokens(row[0]) for row in outputs(model, context)}
    assert begins == {"fra_Latn"}
    assert "fra_Latn" not in str(tiny.predict(model, TASK, ROWS, context, 4))


def test_another_language_gives_another_translation() -> None:
    french, german, from_german = (
        tiny.predict(unsettled(), TASK, ROWS, languages(*pair), 4)
        for pair in (("eng_Latn", "fra_Latn"), ("eng_Latn", "deu_Latn"), ("deu_Latn", "fra_Latn"))
    )
    assert french != german
    assert french != from_german


def test_options_win_over_the_tokenizers_own_direction() -> None:
    model = build("translation", "nllb")
    own, other = (direction(model.processor, *pair) for pair in ((None, None), ("fra_Latn", "ita_Latn")))
    assert (own.source, model.processor.convert_ids_to_tokens(own.target)) == ("eng_Latn", "deu_Latn")
    assert (other.source, model.processor.convert_ids_to_tokens(other.target)) == ("fra_Latn", "ita_Latn")


def test_a_language_that_nobody_names_is_asked_for() -> None:
    with pytest.raises(TrialFailed, match="nothing says the source language") as caught:
        TASK.encode(unsettled().processor, ROWS, languages(None, None))
    assert caught.value.kind == "data"
    assert "`source_language` and `target_language`" in caught.value.hint
    assert "ace_Arab" in caught.value.hint
    with pytest.raises(TrialFailed, match="nothing says the target language"):
        tiny.predict(unsettled(), TASK, ROWS, languages("eng_Latn", None), 4)


def test_a_language_that_the_model_does_not_know_is_named_with_those_like_it() -> None:
    with pytest.raises(TrialFailed, match=r"no language 'de'.*deu_Latn") as caught:
        TASK.encode(unsettled().processor, ROWS, languages("eng_Latn", "de"))
    assert caught.value.kind == "unsupported"
    assert "target_language: de deu_Latn" in caught.value.hint


def test_a_checkpoint_that_always_begins_with_one_language_needs_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    model, context = unsettled(), languages("fra_Latn", None)
    german, english = (model.processor.convert_tokens_to_ids(code) for code in ("deu_Latn", "eng_Latn"))
    monkeypatch.setattr(model.model.generation_config, "forced_bos_token_id", german)
    assert {row[0] for row in outputs(model, context)} == {german}
    monkeypatch.setattr(model.model.generation_config, "decoder_start_token_id", english)
    monkeypatch.setattr(model.model.generation_config, "forced_bos_token_id", None)
    settings = TASK.settings(model.model, model.processor, languages("fra_Latn", "deu_Latn"))
    assert "forced_bos_token_id" not in settings


def test_several_codes_suit_models_that_name_a_language_differently() -> None:
    assert find("de deu_Latn", ["deu_Latn", "fra_Latn"]) == "deu_Latn"
    assert find("de, deu_Latn", ["de", "fr"]) == "de"
    assert find("de", ["de_DE", "fr_XX"]) == "de_DE"
    assert find("zho", ["zho_Hant", "zho_Hans"]) == "zho_Hans"
    assert find("pt_BR pt", ["pt", "pt_PT"]) == "pt"
    assert find("xx", ["de", "fr"]) is None


@cache
def pieces_model() -> bytes:
    """A sentencepiece model of the words of the tests."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts(200)), model_writer=model, vocab_size=40, minloglevel=2,
        bos_id=0, pad_id=1, eos_id=2, unk_id=3,
    )  # fmt: skip
    return model.getvalue()


def vocabulary(folder: Path, *more: str) -> tuple[str, str]:
    """Files of a sentencepiece model, and of its pieces behind these tokens."""
    import sentencepiece

    (folder / "pieces.model").write_bytes(pieces_model())
    model = sentencepiece.SentencePieceProcessor(model_proto=pieces_model())
    names = dict.fromkeys(
        ("<s>", "<pad>", "</s>", "<unk>", *more, *(model.id_to_piece(index) for index in range(len(model))))
    )
    (folder / "vocabulary.json").write_text(json.dumps({name: index for index, name in enumerate(names)}))
    return str(folder / "pieces.model"), str(folder / "vocabulary.json")


def test_m2m100_is_told_both_languages(tmp_path: Path) -> None:
    from transformers import M2M100Tokenizer

    pieces, names = vocabulary(tmp_path)
    processor = M2M100Tokenizer(names, pieces)
    found = direction(processor, "fr fra_Latn", "de deu_Latn")
    assert found == Direction(source="fr", target=processor.get_lang_id("de"))
    ((piece,), *_) = TASK.encode(processor, ROWS, languages("fr", "de"))
    assert piece.inputs["input_ids"][0] == processor.get_lang_id("fr")


def test_mbart_50_is_told_both_languages(tmp_path: Path) -> None:
    from transformers import MBart50Tokenizer

    processor = MBart50Tokenizer(vocab=[("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁w1", -1.0)])
    found = direction(processor, "fr", "de")
    assert found == Direction(source="fr_XX", target=processor.convert_tokens_to_ids("de_DE"))
    ((piece,), *_) = TASK.encode(processor, ROWS, languages("fr", "de"))
    assert piece.inputs["input_ids"][0] == processor.convert_tokens_to_ids("fr_XX")


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_marian_with_several_targets_is_told_the_one(tmp_path: Path) -> None:
    from transformers import MarianTokenizer

    pieces, names = vocabulary(tmp_path, ">>fra<<", ">>deu<<")
    processor = MarianTokenizer(pieces, pieces, names)
    assert direction(processor, None, "fr fra") == Direction(">>fra<< ")
    ((piece,), *_) = TASK.encode(processor, ROWS, languages(None, "deu"))
    assert processor.convert_ids_to_tokens(piece.inputs["input_ids"])[0] == ">>deu<<"
    with pytest.raises(TrialFailed, match="nothing says the target language"):
        direction(processor, "en", None)
    with pytest.raises(TrialFailed, match="no language 'it'"):
        direction(processor, "en", "it")


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_a_model_of_one_pair_need_not_be_told(tmp_path: Path) -> None:
    from transformers import MarianTokenizer

    pieces, names = vocabulary(tmp_path)
    for processor in (MarianTokenizer(pieces, pieces, names), tokenizer()):
        assert direction(processor, None, None) == direction(processor, "en", "de") == Direction()


def madlad() -> Tiny:
    processor = deepcopy(tokenizer())
    processor.add_tokens(["<2en>", "<2de>", "<2zh_Latn>"], special_tokens=True)
    model = deepcopy(build("translation", "t5").model)
    model.resize_token_embeddings(len(processor), mean_resizing=False)
    return Tiny(model, processor)


def test_madlad_is_told_the_target() -> None:
    processor = madlad().processor
    assert direction(processor, None, "deu_Latn de") == Direction("<2de> ")
    assert direction(processor, "en", "zh") == Direction("<2zh_Latn> ")
    ((piece,), *_) = TASK.encode(processor, ROWS, languages(None, "de"))
    assert processor.convert_ids_to_tokens(piece.inputs["input_ids"])[1] == "<2de>"
    with pytest.raises(TrialFailed, match="nothing says the target language"):
        direction(processor, None, None)


T5 = {
    "translation_en_to_de": {"prefix": "w50 w51 "},
    "translation_en_to_ro": {"prefix": "w60 w61 "},
    "summarization": {"prefix": "w70 "},
}


def t5(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    model = build("translation", "t5")
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"task_specific_params": T5}))
    monkeypatch.setattr(model.model.config, "task_specific_params", T5, raising=False)
    processor = deepcopy(tokenizer())
    processor.name_or_path = str(folder)
    return Tiny(model.model, processor)


def test_t5_is_told_in_its_configurations_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = t5(tmp_path / "model", monkeypatch).processor
    assert direction(processor, "en", "ro") == Direction("w60 w61 ")
    assert direction(processor, "eng_Latn en", "deu_Latn de") == Direction("w50 w51 ")
    assert direction(processor, "de", "en") == Direction(), "a direction that the checkpoint was trained for later"
    ((piece,), *_) = TASK.encode(processor, ROWS, languages("en", "ro"))
    assert processor.convert_ids_to_tokens(piece.inputs["input_ids"])[1:3] == ["w60", "w61"]
    with pytest.raises(TrialFailed, match="nothing says the target language") as caught:
        direction(processor, "en", None)
    assert "de, ro" in caught.value.hint
    with pytest.raises(TrialFailed, match="nothing says the source language"):
        direction(processor, None, "de")


def test_a_prefix_for_translation_as_such_is_put_on(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"task_specific_params": {"translation": {"prefix": "w9 "}}}))
    processor = deepcopy(tokenizer())
    processor.name_or_path = str(tmp_path)
    ((piece,), *_) = TASK.encode(processor, ROWS, languages(None, None))
    assert processor.convert_ids_to_tokens(piece.inputs["input_ids"])[1] == "w9"


@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        ("nllb", "eng_Latn", "fra_Latn"),
        ("nllb", "en deu_Latn", "it ita"),
        ("t5", "en", "ro"),
        ("t5", "eng_Latn en", "deu_Latn de"),
        ("t5", "de", "en"),
        ("madlad", None, "de"),
    ],
)
def test_the_exported_function_is_told_the_same(
    kind: str, source: str | None, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"nllb": unsettled, "madlad": madlad, "t5": lambda: t5(tmp_path / "model", monkeypatch)}[kind]()
    context = languages(source, target)
    wanted = [one["answer"] for one in tiny.predict(model, TASK, ROWS, context, 4)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(model.model, model.processor, row, settings) for row in ROWS] == wanted
    assert len(set(wanted)) > 1
