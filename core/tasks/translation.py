"""A text in another language."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.errors import TrialFailed
from core.options import Option
from core.tasks.base import Column, Context, Piece, TaskSample
from core.tasks.sequence_to_sequence import SequenceToSequence, task_parameters

LANGUAGE_TOKEN = re.compile(r"[a-z]{2,3}_[A-Za-z]{2,4}")
"""How NLLB (`deu_Latn`) and mBART (`de_DE`) write languages."""


def predict(model: Any, processor: Any, row: dict[str, Any], settings: dict[str, Any]) -> str:
    """The translation of one text."""
    import re
    from inspect import signature

    import torch

    def chosen(option: str, known: Any) -> str | None:
        for name in (settings.get(option) or "").replace(",", " ").split():
            for code in sorted(known, key=lambda code: (code != name, code)):
                if name in (code, code.split("_")[0]):
                    return str(code)
        return None

    before, start = "", {}
    if hasattr(processor, "src_lang"):  # NLLB, M2M100, mBART: tokens of both languages
        tokens = [token for token in processor.all_special_tokens if re.fullmatch("[a-z]{2,3}_[A-Za-z]{2,4}", token)]
        ids = getattr(processor, "lang_code_to_id", None) or dict(
            zip(tokens, processor.convert_tokens_to_ids(tokens), strict=True)
        )
        processor.src_lang = chosen("source_language", ids) or processor.src_lang
        target = chosen("target_language", ids) or processor.init_kwargs.get("tgt_lang")
        if target and model.generation_config.decoder_start_token_id not in ids.values():
            start = {"forced_bos_token_id": ids[target]}
    elif getattr(processor, "supported_language_codes", None):  # Marian: >>fra<<
        before = f">>{chosen('target_language', [code[2:-2] for code in processor.supported_language_codes])}<< "
    elif codes := [token[2:-1] for token in processor.get_vocab() if re.fullmatch(r"<2\w+>", token)]:  # MADLAD: <2fr>
        before = f"<2{chosen('target_language', codes)}> "
    else:  # T5: translate English to French:
        for name, parameters in (getattr(model.config, "task_specific_params", None) or {}).items():
            languages = re.fullmatch(r"translation_(\w+?)_to_(\w+)", name)
            wanted = languages and [chosen(f"{end}_language", languages.groups()) for end in ("source", "target")]
            if languages and wanted == list(languages.groups()):
                before = parameters.get("prefix") or ""

    limit = min(processor.model_max_length, getattr(model.config, "max_position_embeddings", None) or 1024)
    inputs = processor(before + row["text"], truncation=True, max_length=limit, return_tensors="pt").to(model.device)
    accepted = signature(model.forward).parameters
    with torch.inference_mode():
        tokens = model.generate(
            **{name: tensor for name, tensor in inputs.items() if name in accepted},
            max_new_tokens=settings["max_new_tokens"],
            num_beams=settings["num_beams"],
            do_sample=False,
            **start,
        )[0]
    return str(processor.decode(tokens, skip_special_tokens=True)).strip()


@dataclass(frozen=True)
class Direction:
    """From which language to which, as one model is told it."""

    before: str = ""
    """What stands before every text."""
    source: str | None = None
    """Language token that the tokenizer is to put on the text."""
    target: int | None = None
    """Id of the token that the translation begins with."""


class Translation(SequenceToSequence):
    """Translation by models of one pair of languages, and by those that must be told which."""

    script = staticmethod(predict)

    def before(self, processor: Any, context: Context) -> str:
        """What stands before every text: `>>fra<<`, `<2fr>`, `translate English to French:`, or nothing."""
        return _direction(processor, context).before or super().before(processor, context)

    def encode(self, processor: Any, inputs: Sequence[Mapping[str, Any]], context: Context) -> list[tuple[Piece, ...]]:
        """Tokenise all rows in one call.

        Raises:
            TrialFailed: The model must be told a language that the options do not name (kind `data`), or does not know
                the one they name (`unsupported`).
        """
        if inputs and (source := _direction(processor, context).source):
            processor.src_lang = source
        return super().encode(processor, inputs, context)

    def settings(self, model: Any, processor: Any, context: Context) -> dict[str, Any]:
        """Arguments of `generate`, with the token of the language to translate to."""
        given, own = super().settings(model, processor, context), model.generation_config
        tokens = _language_tokens(processor) if hasattr(processor, "src_lang") else {}
        if not tokens or own.decoder_start_token_id in tokens.values():  # the first mBART begins with its one target
            return given
        target = _direction(processor, context).target
        if target is None and own.forced_bos_token_id is None:
            raise _unsaid("target_language", tokens)
        return given if target is None else {**given, "forced_bos_token_id": target}


def _direction(processor: Any, context: Context) -> Direction:
    return direction(processor, context.options["source_language"], context.options["target_language"])


@lru_cache(maxsize=1)  # of a large vocabulary it takes longer than tokenising a row
def direction(processor: Any, source: str | None, target: str | None) -> Direction:
    """How a model is told the languages; its tokenizer shows which way is its own.

    NLLB, M2M100 and mBART have tokens for both languages, which may stand in the tokenizer's own settings. Marian and
    MADLAD models with several target languages want a token before the text. T5 wants a sentence, which its
    configuration names. All others translate one pair and need not be told.

    Args:
        processor: The tokenizer.
        source: Codes of the language to translate from, as in the option.
        target: Codes of the language to translate to.

    Raises:
        TrialFailed: A language is missing (kind `data`) or not known (`unsupported`).
    """
    if hasattr(processor, "src_lang"):
        tokens, own = _language_tokens(processor), processor.init_kwargs
        spoken = _code("source_language", source or own.get("src_lang"), tokens)
        wanted = target or own.get("tgt_lang")
        return Direction(source=spoken, target=tokens[_code("target_language", wanted, tokens)] if wanted else None)
    if marian := getattr(processor, "supported_language_codes", None):
        return Direction(f">>{_code('target_language', target, [token[2:-2] for token in marian])}<< ")
    if madlad := [token[2:-1] for token in processor.get_vocab() if re.fullmatch(r"<2\w+>", token)]:
        return Direction(f"<2{_code('target_language', target, madlad)}> ")
    return Direction(_sentence(task_parameters(str(processor.name_or_path)), source, target))


def _sentence(parameters: Mapping[str, Any], source: str | None, target: str | None) -> str:
    """The prefix that a configuration names under `translation_en_to_de`; empty where it names none for this pair."""
    matches = [(re.fullmatch(r"translation_(\w+?)_to_(\w+)", name), one) for name, one in parameters.items()]
    prefixes = {match.groups(): one.get("prefix") or "" for match, one in matches if match}
    if not prefixes:
        return ""
    if not source:
        raise _unsaid("source_language", {spoken for spoken, _ in prefixes})
    if not target:
        raise _unsaid("target_language", {wanted for _, wanted in prefixes})
    pairs = [pair for pair in prefixes if find(source, {pair[0]}) and find(target, {pair[1]})]
    return str(prefixes[pairs[0]]) if pairs else ""


def _language_tokens(processor: Any) -> dict[str, int]:
    """Language code → id of its token."""
    if known := getattr(processor, "lang_code_to_id", None):
        return dict(known)
    tokens = [token for token in processor.all_special_tokens if LANGUAGE_TOKEN.fullmatch(token)]
    return dict(zip(tokens, processor.convert_tokens_to_ids(tokens), strict=True))


def find(names: str, known: Collection[str]) -> str | None:
    """The first of these names that is a known code: as it stands, or as its first part (`de` of `de_DE`)."""
    for name in names.replace(",", " ").split():
        if name in known:
            return name
        if longer := sorted(code for code in known if code.split("_")[0] == name):
            return longer[0]
    return None


def _code(option: str, names: str | None, known: Collection[str]) -> str:
    if not names:
        raise _unsaid(option, known)
    if code := find(names, known):
        return code
    alike = [code for code in sorted(known) if code[:2] == names[:2]] or sorted(known)
    raise TrialFailed(
        "unsupported",
        f"The model knows no language {names!r}; it knows {len(known)}, among them {', '.join(alike[:5])}.",
        f"Add its own code to `{option}`, behind that of the other models: `{option}: {names} {alike[0]}`.",
    )


def _unsaid(option: str, known: Collection[str]) -> TrialFailed:
    examples = sorted(known)[:5]
    return TrialFailed(
        "data",
        f"The model translates between several languages, and nothing says the {option.replace('_', ' ')}.",
        f"Set `source_language` and `target_language` in the plan. Its codes are of the form {', '.join(examples)}.",
    )


OPTIONS = {
    end: Option(None, help=f"Code of the language to translate {where}, for models of several languages. {more}")
    for end, where, more in (
        ("source_language", "from", "Several codes where models name it differently: `en eng_Latn`."),
        ("target_language", "to", "Several codes where models name it differently: `de deu_Latn`."),
    )
}

TASK = Translation(
    name="translation",
    title="Translation",
    tags=("translation", "text2text-generation"),
    columns=(
        Column("text", "input", "text", "Text", guesses=("text", "source", "src", "source_text", "sentence", "input")),
        Column(
            "translation",
            "reference",
            "texts",
            "Translation",
            guesses=(
                *("translation", "target", "tgt", "reference", "references", "ref", "translations", "target_text"),
                *("output", "translated"),
            ),
        ),
    ),
    samples=(
        TaskSample(
            inputs=(
                {"text": "The lift is out of order."},
                {"text": "Two tickets to Łódź, please."},
                {"text": "猫が寝ている。"},
            ),
            references=(
                "Der Aufzug ist außer Betrieb.",
                ["Zwei Fahrkarten nach Łódź, bitte.", "Bitte zweimal nach Łódź."],
                "Die Katze schläft.",
            ),
        ),
    ),
    default_metrics=("bleu", "chrf", "chrf++", "ter"),
    judged_by="chrf",
    right_at=50.0,
    options=OPTIONS,
)
