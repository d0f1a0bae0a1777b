"""Tags of words on tiny models: one per word, whatever the tokenizer does and however long the sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.tasks.base import Answered, Context, Piece
from core.tasks.token_classification import TASK, Tagged
from tests.tasks import tiny
from tests.tasks.tiny import LENGTH, Tiny
from tests.tasks.tiny_labels import TAGS, tagger

every_architecture = pytest.mark.parametrize("architecture", ["bert", "distilbert"])
every_aggregation = pytest.mark.parametrize("aggregation", ["first", "max", "average"])


def words(count: int, seed: int = 0) -> list[str]:
    """Words of one token, and now and then of three."""
    numbers = np.random.default_rng(seed).integers(0, 110, size=(count, 2))
    return [f"w{one}-w{two}" if two % 3 == 0 else f"w{one}" for one, two in numbers.tolist()]


def tags(session: Tiny, sentences: list[list[str]], aggregation: str = "first", batch_size: int = 8) -> list[list[str]]:
    context = tiny.context(TASK, session.labels, options={"aggregation": aggregation})
    rows = [{"words": sentence} for sentence in sentences]
    return [one["answer"] for one in tiny.predict(session, TASK, rows, context, batch_size)]


def byte_tagger() -> Tiny:
    """A model whose tokenizer is written in Python and does not say which word a token is of."""
    import transformers

    config = transformers.T5Config(
        vocab_size=384, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2, pad_token_id=0,
        id2label=dict(enumerate(TAGS)),
    )  # fmt: skip
    model = tiny.shaken(lambda: transformers.T5ForTokenClassification(config))
    return Tiny(model, transformers.ByT5Tokenizer(model_max_length=LENGTH))


def word_pieces() -> Any:
    """A tokenizer that marks what goes on with a word, as the pipeline wants it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "##a", "##b", *(f"w{number}" for number in range(110))]
    fast = Tokenizer(models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=LENGTH
    )


@every_architecture
@every_aggregation
def test_words_get_what_transformers_own_pipeline_gives_them(architecture: str, aggregation: str) -> None:
    import transformers

    session = Tiny(tagger(architecture).model, word_pieces())
    pipeline = transformers.pipeline(
        "token-classification",
        model=session.model,
        tokenizer=session.processor,
        aggregation_strategy=aggregation,
        device="cpu",
    )
    seen: set[str] = set()
    for seed in range(12):
        sentence = [re.sub(r"-w\d+", "ab"[: seed % 3], word) for word in words(10, seed)]
        starts = {sum(len(word) + 1 for word in sentence[:place]): place for place in range(len(sentence))}
        ends = {start + len(sentence[place]): place for start, place in starts.items()}
        wanted = ["O"] * len(sentence)
        for entity in pipeline([sentence], is_split_into_words=True)[0]:
            first, last = starts[entity["start"]], ends[entity["end"]]
            wanted[first : last + 1] = [
                f"B-{entity['entity_group']}",
                *[f"I-{entity['entity_group']}"] * (last - first),
            ]
        assert tags(session, [sentence], aggregation) == [wanted]
        seen |= {*wanted}
    assert len(seen) > 3


def test_aggregations_differ_where_words_have_several_tokens() -> None:
    sentences = [words(10, seed) for seed in range(10)]
    found = {aggregation: tags(tagger("bert"), sentences, aggregation) for aggregation in ("first", "max", "average")}
    assert found["first"] != found["max"] != found["average"] != found["first"]
    for sentence in ([word for word in one if "-" not in word] for one in sentences):
        alone = [tags(tagger("bert"), [sentence], aggregation) for aggregation in found]
        assert alone[0] == alone[1] == alone[2]


@every_architecture
def test_a_long_sentence_is_cut_into_windows_that_decide_each_word_once(architecture: str) -> None:
    session = tagger(architecture)
    sentence = words(300)
    (pieces,) = TASK.encode(session.processor, [{"words": sentence}], tiny.context(TASK, TAGS))
    assert len(pieces) > 10
    assert all(piece.length == len(piece.inputs["input_ids"]) <= LENGTH for piece in pieces)
    decided = [word for piece in pieces for word, _, _ in piece.notes.spans]
    assert decided == list(range(300))
    tokens = session.processor.convert_ids_to_tokens
    for piece in pieces:
        for word, start, stop in piece.notes.spans:
            shown = tokens(piece.inputs["input_ids"][start:stop])
            assert shown == session.processor.tokenize(sentence[word])


def test_a_word_of_a_long_sentence_gets_what_its_window_alone_would_give() -> None:
    session = tagger("bert")
    sentence = words(150)
    (whole,) = tags(session, [sentence])
    (pieces,) = TASK.encode(session.processor, [{"words": sentence}], tiny.context(TASK, TAGS))
    first = [word for word, _, _ in pieces[0].notes.spans]
    owners = session.processor(sentence, is_split_into_words=True, truncation=True).word_ids(0)
    fitting = owners[-2] if owners.count(owners[-2]) == len(session.processor.tokenize(sentence[owners[-2]])) else None
    shown = sentence[: owners[-2] + (fitting is not None)]
    (alone,) = tags(session, [shown])
    assert [whole[word] for word in first] == [alone[word] for word in first]
    assert first[-1] < len(shown) - 1, "the words at the edge belong to the next window"


@pytest.mark.parametrize("make", [lambda: tagger("bert"), byte_tagger], ids=["fast", "python"])
def test_twenty_thousand_words_get_as_many_tags(make: Any) -> None:
    session = make()
    count = 20_000 if session.processor.is_fast else 2_000
    (found,) = tags(session, [words(count)], batch_size=256)
    assert len(found) == count
    assert len(set(found)) > 2


@pytest.mark.parametrize("make", [lambda: tagger("bert"), byte_tagger], ids=["fast", "python"])
def test_words_that_the_tokenizer_drops_are_outside(make: Any) -> None:
    session = make()
    found = tags(session, [["", "w1", "", "w2"], ["", ""], [], ["w3"]])
    assert [len(one) for one in found] == [4, 2, 0, 1]
    assert found[0][0] == found[0][2] == "O"
    assert found[1] == ["O", "O"]
    (kept,) = tags(session, [["w1", "w2"]])
    assert [found[0][1], found[0][3]] == kept or found[0][2] == "O"


def test_a_tokenizer_without_special_tokens_may_drop_everything() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.WordLevel({"[PAD]": 0, "w1": 1}, unk_token="[PAD]"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    session = Tiny(tagger("bert").model, PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="[PAD]"))
    assert tags(session, [["", " "], ["w1"]])[0] == ["O", "O"]


def test_python_tokenizers_count_words_as_fast_ones_do() -> None:
    session = byte_tagger()
    (pieces,) = TASK.encode(session.processor, [{"words": ["ab", "", "c"]}], tiny.context(TASK, TAGS))
    assert pieces[0].notes == Tagged(3, ((0, 0, 2), (2, 2, 3)))
    assert pieces[0].inputs["input_ids"] == [100, 101, 102, 1]


def test_python_tokenizers_give_in_a_batch_what_they_give_alone() -> None:
    session = byte_tagger()
    sentences = [words(count, count) for count in (1, 3, 9, 40, 2)]
    assert tags(session, sentences, "average", 1) == tags(session, sentences, "average", 8)


def test_padding_on_the_left_is_taken_away_again() -> None:
    import transformers

    # Unlike absolute positions, those of T5 do not notice padding.
    session = byte_tagger()
    left = transformers.ByT5Tokenizer(model_max_length=LENGTH, padding_side="left")
    sentences = [words(count, count) for count in (1, 12, 5, 20)]
    assert tags(Tiny(session.model, left), sentences) == tags(session, sentences, batch_size=1)


def test_a_word_longer_than_a_window_gets_a_tag() -> None:
    session = tagger("bert")
    sentence = ["w1", "-".join(["w2"] * 100), "w3"]
    (pieces,) = TASK.encode(session.processor, [{"words": sentence}], tiny.context(TASK, TAGS))
    assert [piece.length for piece in pieces] == [3, LENGTH, 3]
    assert pieces[1].inputs["input_ids"][-1] == 2, "the end-of-text token is kept"
    assert [word for piece in pieces for word, _, _ in piece.notes.spans] == [0, 1, 2]


def decoded(model_labels: tuple[str, ...], best: list[int], **context: Any) -> list[str]:
    """The answer of a model that is sure of one label per word, a token each."""
    spans = tuple((word, word, word + 1) for word in range(len(best)))
    row = Answered((Piece({}, 0, 0, Tagged(len(best), spans)),), (np.eye(len(model_labels))[best],))
    names = Context(model_labels=model_labels, options={"aggregation": "first"}, **context)
    return TASK.decode(None, [row], names)[0]["answer"]


def test_entity_types_get_the_names_of_the_data_set() -> None:
    mapping = {"PER": "person", "LOC": "place"}
    assert decoded(TAGS, [1, 2, 0, 3], mapping=mapping) == ["B-person", "I-person", "O", "B-place"]
    assert decoded(TAGS, [1, 2, 0, 3], mapping={"PER": "person"}) == ["B-person", "I-person", "O", "B-LOC"]


def test_a_type_that_stands_for_o_is_no_entity() -> None:
    assert decoded(("X", "PER", "O"), [0, 1, 2], mapping={"X": "O"}) == ["O", "B-PER", "O"]


def test_neighbours_of_types_that_mean_the_same_stay_two_entities() -> None:
    mapping = {"CITY": "LOC", "LAND": "LOC"}
    assert decoded(("O", "CITY", "LAND"), [1, 1, 2], mapping=mapping) == ["B-LOC", "I-LOC", "B-LOC"]


@pytest.mark.parametrize(
    ("model_labels", "best"),
    [
        (("O", "B-PER", "I-PER"), [1, 2, 0, 1]),
        (("O", "I-PER"), [1, 1, 0, 1]),
        (("O", "PER"), [1, 1, 0, 1]),
        (("O", "B-PER", "I-PER", "E-PER", "S-PER"), [1, 3, 0, 4]),
        (("O", "B-PER", "I-PER", "L-PER", "U-PER"), [1, 3, 0, 4]),
    ],
)
def test_answers_are_iob2_whatever_scheme_the_model_has(model_labels: tuple[str, ...], best: list[int]) -> None:
    assert decoded(model_labels, best) == ["B-PER", "I-PER", "O", "B-PER"]
    assert TASK.known_labels(model_labels) == ("PER",)


@every_aggregation
@pytest.mark.parametrize("make", [lambda: tagger("distilbert"), byte_tagger], ids=["fast", "python"])
def test_the_exported_function_gives_the_same_tags(make: Any, aggregation: str) -> None:
    session = make()
    context = tiny.context(TASK, TAGS, options={"aggregation": aggregation}, mapping={"PER": "person", "LOC": "O"})
    rows = [{"words": one} for one in (words(12), ["", "w1"], [""], [], ["w1", "w2-" * 90, "w3"], words(120))]
    wanted = [row["answer"] for row in tiny.predict(session, TASK, rows, context, 4)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(session.model, session.processor, row, settings) for row in rows] == wanted


@pytest.mark.parametrize("scheme", [("O", "B-A", "E-A", "S-A", "I-A"), ("O", "A", "B"), ("O", "I-A", "I-B")])
def test_the_exported_function_reads_every_scheme(scheme: tuple[str, ...]) -> None:
    session = tagger("bert", scheme)
    context = tiny.context(TASK, scheme)
    rows = [{"words": words(30, seed)} for seed in range(4)]
    wanted = [row["answer"] for row in tiny.predict(session, TASK, rows, context, 4)]
    settings = tiny.script_settings(TASK, context)
    assert [TASK.script(session.model, session.processor, row, settings) for row in rows] == wanted


def test_a_tokenizer_that_knows_words_by_the_space_before_them_gets_one(tmp_path: Path) -> None:
    import transformers
    from tokenizers import pre_tokenizers

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġa"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    transformers.RobertaTokenizer(vocab=vocabulary, merges=[("Ġ", "a")]).save_pretrained(tmp_path)
    tokenizer = TASK.load_processor(tmp_path, tagger("bert").model)
    (pieces,) = TASK.encode(tokenizer, [{"words": ["a", "b"]}], tiny.context(TASK, TAGS))
    assert tokenizer.convert_ids_to_tokens(pieces[0].inputs["input_ids"]) == ["<s>", "Ġa", "Ġ", "b", "</s>"]


def test_a_blank_answer_is_outside_everywhere() -> None:
    assert TASK.blank({"words": ["a", "b"]}) == {"answer": ["O", "O"]}
