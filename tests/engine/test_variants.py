"""The runtimes beside PyTorch, on a tiny classifier: the same task code, the same answers."""

import re
from pathlib import Path

import numpy as np
import pytest

from core import registry
from core.engine import environment, grid
from core.engine import plan as plans
from core.engine.backends import onnx_graph
from core.engine.events import Failed
from core.engine.worker import as_failure
from core.errors import PlanError, TrialFailed
from core.records import Variant
from core.tasks.base import Context

TASK = registry.task("text-classification")
FURTHER = {f"{one.backend}-{one.quantization or one.dtype}": one for one in grid.further()}
EXACT = [name for name, one in FURTHER.items() if one.dtype == "float32" and not one.quantization]
ROUGH = [name for name in FURTHER if name not in EXACT and name != "torch-compile-bfloat16"]
REPO = Path(__file__).resolve().parents[2]


def load(folder, variant, task=TASK):
    backend = registry.backend(variant.backend)
    if obstacle := backend.unsupported(variant):
        pytest.skip(obstacle)
    backend.start()
    return backend.load(folder, task, variant)


def logits(session, rows):
    pieces = [piece for row in TASK.encode(session.processor, rows, Context()) for piece in row]
    return np.array(session.forward(pieces, Context()))


@pytest.fixture(scope="session")
def classifier(classifier, tmp_path_factory):
    """The tiny classifier with weights of a usual size: with those of the others float32 itself is off by 1e-4."""
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(classifier)
    for name, weight in model.named_parameters():
        if "encoder" in name and weight.dim() == 2:
            weight.data *= 0.2
    folder = tmp_path_factory.mktemp("calm")
    model.save_pretrained(folder)
    for file in classifier.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="session")
def plain(classifier, rows):
    found = logits(load(classifier, Variant(threads=1)), rows)
    assert len(set(found.argmax(axis=1))) > 1
    return found


@pytest.mark.parametrize("name", EXACT)
def test_float32_is_float32_in_every_runtime_whatever_the_shape_of_the_batch(classifier, rows, plain, name):
    session = load(classifier, FURTHER[name])
    np.testing.assert_allclose(logits(session, rows), plain, atol=1e-4)
    for size in (1, 2, 7):
        np.testing.assert_allclose(logits(session, rows[:size]), plain[:size], atol=1e-4)
    assert session.model_labels == ("bad", "fair", "good")
    assert session.environment["threads"] >= 1
    assert session.prepare_seconds > 0


@pytest.mark.parametrize("name", ROUGH)
def test_fewer_bits_give_about_the_same_logits(classifier, rows, plain, name):
    found = logits(load(classifier, FURTHER[name]), rows)
    assert found.shape == plain.shape
    assert np.isfinite(found).all()
    error = np.abs(found - plain).mean() / np.abs(plain).mean()
    agreement = (found.argmax(axis=1) == plain.argmax(axis=1)).mean()
    print(f"{name}: mean error {error:.3f} of the mean logit, {agreement:.0%} of the labels")
    assert 0 < error < 0.2


def test_weights_of_int8_are_smaller(classifier):
    variant = FURTHER["onnxruntime-int8"]
    if registry.backend(variant.backend).unsupported(variant):
        pytest.skip("ONNX Runtime is not installed")
    full, small = (onnx_graph.graph(classifier.resolve(), TASK.name, quantized) for quantized in (False, True))
    weights = sum(file.stat().st_size for file in full.parent.iterdir() if file.suffix == ".data")
    initializers = _initializer_bytes(small)
    assert initializers < 0.5 * weights


def _initializer_bytes(file):
    import onnx

    return sum(onnx.numpy_helper.to_array(one).nbytes for one in onnx.load(file).graph.initializer)


def test_torchao_and_bitsandbytes_hold_linear_layers_in_bytes(classifier):
    for name, kind in {"torchao-int8": "Int8Tensor", "bitsandbytes-int8": "Int8Params"}.items():
        model = load(classifier, FURTHER[name]).model
        assert kind in type(model.bert.encoder.layer[0].intermediate.dense.weight).__name__
        assert model.bert.embeddings.word_embeddings.weight.dtype.itemsize == 4


@pytest.mark.parametrize("name", ["onnxruntime-float32", "torch-compile-float32"])
def test_a_model_that_generates_is_a_row_that_says_why_not(seq2seq, name):
    with pytest.raises(TrialFailed) as caught:
        load(seq2seq, FURTHER[name], registry.task("summarization"))
    failure = as_failure(caught.value)
    assert (failure.kind, Failed(failure).failure) == ("unsupported", failure)
    assert "generate" in failure.message or "growing" in failure.message


def test_a_checkpoint_of_another_task_is_refused_before_it_is_exported(masked_model):
    with pytest.raises(TrialFailed, match="needs BertForSequenceClassification") as caught:
        load(masked_model, FURTHER["onnxruntime-float32"])
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "torchao", "bitsandbytes"])
def test_a_missing_package_is_one_line_that_says_what_to_install(monkeypatch, name):
    backend = registry.backend(name)
    monkeypatch.setattr(environment, "version", lambda package: None)
    reason = backend.unsupported(Variant(backend=name, quantization=backend.quantizations[0]))
    assert reason == f"{backend.title} is not installed: pip install {' '.join(backend.packages)}"


def test_torch_compile_needs_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "C++ compiler" in registry.backend("torch-compile").unsupported(Variant(backend="torch-compile"))


def test_what_is_said_to_be_installed_is_what_the_requirements_pin():
    lines = (REPO / "requirements-variants.txt").read_text().splitlines()
    pinned = {line for line in lines if line and not line.startswith("#")}
    assert {pin for backend in registry.backends().values() for pin in backend.packages} == pinned
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", pin) for pin in pinned)


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("{quantization: nf4}", r"variants\[0\].quantization is 'nf4', but torch does not quantize"),
        ("{backend: torchao}", "quantization is missing: torchao only quantizes"),
        ("{backend: onnxruntime, quantization: nf4}", "quantization is 'nf4', which is not known"),
        ("{backend: openvino, dtype: float16}", "dtype is 'float16', which is not known"),
    ],
)
def test_a_plan_is_refused_for_what_a_runtime_does_not_do(variant, words):
    text = f"task: text-classification\ndataset: {{path: rows.csv}}\ncandidates: [{{model: a}}]\nvariants: [{variant}]"
    with pytest.raises(PlanError, match=words) as caught:
        plans.parse(plans.load(text))
    assert "int8" in caught.value.hint or "torchao" in caught.value.hint or "float32" in caught.value.hint
