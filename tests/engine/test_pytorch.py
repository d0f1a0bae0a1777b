import json
import shutil

import numpy as np
import pytest

from core import registry
from core.engine import quality
from core.engine.backends.pytorch import BACKEND, TorchSession
from core.engine.backends.torch_devices import Cpu
from core.engine.backends.torch_loading import is_out_of_memory
from core.engine.events import Rows
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Context
from tests.engine.tiny import LABELS

TASK = registry.task("text-classification")


def load(folder, task=TASK, **variant):
    return BACKEND.load(folder, task, Variant(threads=1, **variant))


def failure(folder, task=TASK, **variant):
    with pytest.raises(TrialFailed) as caught:
        load(folder, task, **variant)
    return caught.value


def predict(session, rows, **protocol):
    events = []
    names = {label: label for label in LABELS}
    context = Context(LABELS, session.model_labels, names, protocol=Protocol(**protocol))
    quality.run(session, TASK, rows, context, done=(), emit=events.append)
    return {
        position: prediction
        for event in events
        if isinstance(event, Rows)
        for position, prediction in zip(event.positions, event.predictions, strict=True)
    }


def pieces(session, rows):
    return [piece for row in TASK.encode(session.processor, rows, Context()) for piece in row]


@pytest.fixture
def copy(classifier, tmp_path):
    return shutil.copytree(classifier, tmp_path / "model")


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_batches_answer_as_single_rows_do(classifier, rows):
    session = load(classifier)
    alone = predict(session, rows, batch_size=1)
    assert len({prediction["answer"] for prediction in alone.values()}) > 1
    for size, tokens in ((8, 2048), (64, 2048), (64, 100)):
        together = predict(session, rows, batch_size=size, batch_tokens=tokens)
        assert {key: one["answer"] for key, one in together.items()} == {
            key: one["answer"] for key, one in alone.items()
        }


def test_logits_of_a_batch_equal_those_of_single_rows(classifier, rows):
    session = load(classifier)
    batch = pieces(session, rows[:16])
    single = np.concatenate([session.forward([piece], Context()) for piece in batch])
    np.testing.assert_allclose(session.forward(batch, Context()), single, atol=1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_runs_and_gives_plain_numbers(classifier, rows, dtype):
    session = load(classifier, dtype=dtype)
    assert str(session.model.dtype) == f"torch.{dtype}"
    assert len(predict(session, rows[:10])) == 10


def test_attention_is_scaled_dot_product_and_threads_are_as_asked(classifier):
    session = load(classifier)
    assert session.environment == {"threads": 1, "attention": "sdpa"}
    assert session.model_labels == LABELS
    assert not session.model.training


def test_a_text_longer_than_the_model_is_cut_even_if_the_tokenizer_knows_no_limit(classifier):
    session = load(classifier)
    assert session.processor.model_max_length == 48
    assert len(predict(session, [{"text": "w1 " * 50_000}])) == 1


def test_positions_that_roberta_cannot_use_do_not_count(roberta):
    session = load(roberta)
    assert session.processor.model_max_length == 48
    assert len(predict(session, [{"text": "w1 " * 100}])) == 1


def test_a_tokenizer_without_padding_pads_with_the_end_of_text(decoder_without_pad, rows):
    session = load(decoder_without_pad)
    assert session.processor.pad_token == "<end>"
    assert session.model.config.pad_token_id == session.processor.pad_token_id
    alone = predict(session, rows[:20], batch_size=1)
    assert predict(session, rows[:20], batch_size=8) == alone


def test_a_checkpoint_without_the_head_is_not_given_a_random_one(masked_model):
    failed = failure(masked_model)
    assert failed.kind == "unsupported"
    assert (
        "The checkpoint is BertForMaskedLM; text-classification needs BertForSequenceClassification" in failed.message
    )
    assert "classifier.weight" in failed.message


def test_a_checkpoint_with_another_head_is_named(tagger):
    failed = failure(tagger)
    assert failed.kind == "unsupported"
    assert "BertForTokenClassification" in failed.message


def test_a_head_that_fits_by_chance_is_refused_by_its_name(copy):
    edit_config(copy, architectures=["BertForMultipleChoice"])
    assert "BertForMultipleChoice" in failure(copy).message


@pytest.mark.parametrize("architectures", [None, [], ["BertForSequenceClassification"], ["BertModelWithHead"]])
def test_a_checkpoint_that_does_not_say_its_head_is_judged_by_its_weights(copy, architectures):
    edit_config(copy, architectures=architectures)
    assert load(copy).model_labels == LABELS


def test_a_model_family_that_cannot_do_the_task_is_unsupported(seq2seq, tmp_path):
    folder = shutil.copytree(seq2seq, tmp_path / "model")
    edit_config(folder, model_type="vit")
    assert failure(folder).kind == "unsupported"


def test_an_unknown_architecture_is_unsupported(copy):
    edit_config(copy, model_type="from-the-future")
    failed = failure(copy)
    assert failed.kind == "unsupported"
    assert "from-the-future" in failed.message


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_truncated_weights_fail_to_load(copy, keep):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    failed = failure(copy)
    assert failed.kind == "load"
    assert "cannot be loaded" in failed.message
    assert failed.log_tail


def test_weights_of_another_size_fail_to_load(copy):
    edit_config(copy, hidden_size=64)
    assert failure(copy).kind == "load"


def test_weights_that_are_not_numbers_fail_the_quality_pass(copy, rows):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(copy / "model.safetensors")
    tensors["classifier.weight"][:] = np.nan
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrialFailed, match="not finite"):
        predict(load(copy), rows[:2])


def test_pickled_weights_are_never_opened(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    failed = failure(copy)
    assert failed.kind == "unsupported"
    assert "No safetensors weights (found pytorch_model.bin)" in failed.message


def test_remote_code_is_refused(copy):
    edit_config(copy, auto_map={"AutoModelForSequenceClassification": "evil.Model"})
    (copy / "evil.py").write_text("raise SystemExit('ran')")
    failed = failure(copy)
    assert failed.kind == "unsupported"
    assert "Remote code" in failed.message


def test_remote_code_of_the_tokenizer_is_refused(copy):
    file = copy / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "auto_map": {"AutoTokenizer": ["evil.T", None]}}))
    assert "Remote code" in failure(copy).message


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
def test_a_foreign_kernel_is_refused(copy, key):
    edit_config(copy, **{key: "attacker/kernel"})
    failed = failure(copy)
    assert failed.kind == "unsupported"
    assert "Foreign kernel" in failed.message


@pytest.mark.parametrize("content", ["", "{", "[]", "\xff"])
def test_a_broken_configuration_fails_to_load(copy, content):
    (copy / "config.json").write_bytes(content.encode("latin-1"))
    assert failure(copy).kind == "load"


def test_a_missing_tokenizer_fails_to_load(copy):
    for file in copy.glob("tokenizer*"):
        file.unlink()
    failed = failure(copy)
    assert failed.kind == "load"
    assert "no tokenizer" in failed.message


def test_a_sequence_to_sequence_model_writes_the_same_in_batches_as_alone(seq2seq, rows):
    task = registry.task("summarization")
    alone, together = [], []
    for answers, size in ((alone, 1), (together, 16)):
        events = []
        context = Context(protocol=Protocol(batch_size=size, max_new_tokens=12))
        session = BACKEND.load(seq2seq, task, Variant(threads=1))
        quality.run(session, task, rows[:16], context, done=(), emit=events.append)
        found = {
            p: one["answer"] for event in events for p, one in zip(event.positions, event.predictions, strict=True)
        }
        answers += [found[position] for position in range(16)]
        assert 0 < sum(event.units for event in events) <= 16 * 12
    assert together == alone
    assert len(set(alone)) > 1


def test_a_classifier_does_not_write_summaries(classifier):
    failed = failure(classifier, registry.task("summarization"))
    assert failed.kind == "unsupported"


class Exhausted:
    """A task whose forward pass runs out of memory."""

    labelled = False
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    def collate(self, processor, pieces):
        return TASK.collate(processor, pieces)

    def forward(self, model, processor, batch, context):
        raise self.error


class Gpu(Cpu):
    """A fake device that records what is asked of it."""

    def __init__(self):
        self.calls = []

    def title(self):
        return "Tesla T4"

    def synchronize(self):
        self.calls.append("synchronize")

    def peak_bytes(self):
        return 5_000_000

    def empty_cache(self):
        self.calls.append("empty_cache")


def test_a_forward_pass_waits_for_the_device(classifier, rows):
    loaded, gpu = load(classifier), Gpu()
    session = TorchSession(loaded.model, loaded.processor, TASK, gpu)
    session.forward(pieces(session, rows[:2]), Context())
    assert gpu.calls == ["synchronize"]
    assert session.environment["gpu"] == "Tesla T4"
    assert session.device_peak_bytes() == 5_000_000


def test_out_of_memory_frees_the_device_and_says_so(classifier, rows):
    loaded, gpu = load(classifier), Gpu()
    session = TorchSession(loaded.model, loaded.processor, Exhausted(), gpu)
    with pytest.raises(TrialFailed, match="2 rows of up to") as caught:
        session.forward(pieces(session, rows[:2]), Context())
    assert caught.value.kind == "out_of_memory"
    assert gpu.calls == ["empty_cache"]


def test_other_errors_of_a_forward_pass_are_not_taken_for_memory(classifier, rows):
    task = Exhausted()
    task.error = RuntimeError("shapes do not match")
    loaded = load(classifier)
    session = TorchSession(loaded.model, loaded.processor, task, Cpu())
    with pytest.raises(RuntimeError, match="shapes"):
        session.forward(pieces(session, rows[:2]), Context())


def test_the_devices_own_error_counts_as_memory():
    import torch

    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
