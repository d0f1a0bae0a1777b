"""Other ways to the same answers: each loads a model once and then answers all rows, as often as it is asked."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from core import registry
from core.engine.backends.torch_copy import lowered
from core.engine.batching import batches
from core.engine.events import Event, Rows
from core.engine.quality import QualityPass
from core.engine.screening import LOW
from core.records import Protocol, Variant
from core.tasks.base import Context

CLASSIFICATION, SUMMARIZATION = "text-classification", "summarization"
NEW_TOKENS = 64

Pass = Callable[[], list[str]]
"""Answers every row once; the model's own labels, or texts, in row order."""
Make = Callable[[Path, Sequence[str]], Pass]


def shortlist(task_name: str, folder: Path, texts: Sequence[str], *, screened: bool) -> Pass:
    """Shortlist's quality pass as a trial has it, calibration included."""
    task = registry.task(task_name)
    session = registry.backend("torch").load(folder, task, Variant())
    context = Context(
        labels=session.model_labels,
        model_labels=session.model_labels,
        protocol=Protocol(max_new_tokens=NEW_TOKENS),
    )
    rows = [{"text": text} for text in texts]

    def run() -> list[str]:
        answers = [""] * len(rows)

        def keep(event: Event) -> None:
            if isinstance(event, Rows):
                for position, prediction in zip(event.positions, event.predictions, strict=True):
                    answers[position] = prediction["answer"]

        work = QualityPass(session, task, context, keep, copy=(lambda: lowered(session, LOW)) if screened else None)
        work.run(rows)
        work.close()
        return answers

    return run


def exact(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist at float32."""
    return shortlist(CLASSIFICATION, folder, texts, screened=False)


def screened(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist with a bfloat16 copy for what cannot come out otherwise."""
    return shortlist(CLASSIFICATION, folder, texts, screened=True)


def bare_loop(folder: Path, texts: Sequence[str]) -> Pass:
    """What one would write by hand if one knew how: sorted batches of 2,048 tokens, all tokenised at once."""
    model, tokenizer = load(folder)

    def run() -> list[str]:
        encoded = tokenizer(list(texts), truncation=True)
        return bare(model, tokenizer, encoded)

    return run


def bare(model: Any, tokenizer: Any, encoded: Mapping[str, Sequence[list[int]]]) -> list[str]:
    """That loop over rows that are tokenised already."""
    import torch

    known = {name: encoded[name] for name in tokenizer.model_input_names}
    lengths = [len(row) for row in encoded["input_ids"]]
    answers = [""] * len(lengths)
    with torch.inference_mode():
        for batch in batches(lengths, None, 2048):
            rows = {name: [values[index] for index in batch] for name, values in known.items()}
            best = model(**tokenizer.pad(rows, return_tensors="pt")).logits.argmax(-1).tolist()
            for index, label in zip(batch, best, strict=True):
                answers[index] = model.config.id2label[label]
    return answers


def data_loader(folder: Path, texts: Sequence[str]) -> Pass:
    """A DataLoader in row order, batches of 32 padded to their longest."""
    import torch
    import transformers

    model, tokenizer = load(folder)
    collate = transformers.DataCollatorWithPadding(tokenizer)

    def run() -> list[str]:
        encoded = tokenizer(list(texts), truncation=True)
        rows = [{name: encoded[name][index] for name in tokenizer.model_input_names} for index in range(len(texts))]
        answers = []
        with torch.inference_mode():
            for batch in torch.utils.data.DataLoader(rows, batch_size=32, collate_fn=collate):
                answers += [model.config.id2label[label] for label in model(**batch).logits.argmax(-1).tolist()]
        return answers

    return run


def trainer(folder: Path, texts: Sequence[str]) -> Pass:
    """`Trainer.predict` with its own batch size, 8."""
    import transformers

    model, tokenizer = load(folder)
    settings = transformers.TrainingArguments(
        tempfile.mkdtemp(prefix="bench_"), use_cpu=True, report_to=[], disable_tqdm=True, log_level="error"
    )
    judge = transformers.Trainer(model, settings, processing_class=tokenizer)

    def run() -> list[str]:
        encoded = tokenizer(list(texts), truncation=True)
        rows = [{name: encoded[name][index] for name in tokenizer.model_input_names} for index in range(len(texts))]
        best = judge.predict(rows).predictions.argmax(-1).tolist()
        return [model.config.id2label[label] for label in best]

    return run


def pipeline(batch_size: int) -> Make:
    """`transformers.pipeline` over the texts in their order."""

    def make(folder: Path, texts: Sequence[str]) -> Pass:
        one = _pipeline(folder)
        return lambda: [answer["label"] for answer in one(list(texts), batch_size=batch_size, truncation=True)]

    return make


def evaluator(folder: Path, texts: Sequence[str]) -> Pass:
    """The evaluator of text-classification, as its documentation shows it, around a pipeline."""
    import datasets
    import evaluate

    _mend_evaluator()
    one = _pipeline(folder)
    labels = one.model.config.label2id
    answers: list[str] = []

    class Collect(evaluate.Metric):  # type: ignore[misc]
        """Stands in for a metric, whose code `evaluate` would fetch from the Hub; keeps the predictions."""

        def _info(self) -> Any:
            features = datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            )
            return evaluate.MetricInfo(description="", citation="", features=features)

        def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
            names = {index: name for name, index in labels.items()}
            answers[:] = [names[int(index)] for index in predictions]
            return {"rows": float(len(references))}

    rows = datasets.Dataset.from_dict({"text": list(texts), "label": [0] * len(texts)})
    judge, metric = evaluate.evaluator(CLASSIFICATION), Collect()
    one._preprocess_params["truncation"] = True

    def run() -> list[str]:
        judge.compute(model_or_pipeline=one, data=rows, metric=metric, label_mapping=labels)
        return list(answers)

    return run


def summaries(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist's quality pass of a model that writes."""
    return shortlist(SUMMARIZATION, folder, texts, screened=False)


def generate(folder: Path, texts: Sequence[str]) -> Pass:
    """`model.generate` over batches of 32 in row order, greedy."""
    import torch
    import transformers

    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    limit = min(tokenizer.model_max_length, 1024)

    def run() -> list[str]:
        answers: list[str] = []
        with torch.inference_mode():
            for start in range(0, len(texts), 32):
                batch = tokenizer(
                    list(texts[start : start + 32]),
                    padding=True,
                    truncation=True,
                    max_length=limit,
                    return_tensors="pt",
                )
                batch.pop("token_type_ids", None)
                tokens = model.generate(**batch, max_new_tokens=NEW_TOKENS, num_beams=1, do_sample=False)
                answers += [text.strip() for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        return answers

    return run


CLASSIFIERS: Mapping[str, Make] = {
    "ours, exact": exact,
    "ours, screened": screened,
    "bare sorted loop": bare_loop,
    "DataLoader, batch 32": data_loader,
    "Trainer.predict": trainer,
    "pipeline, batch 1": pipeline(1),
    "pipeline, batch 8": pipeline(8),
    "pipeline, batch 32": pipeline(32),
    "evaluate.evaluator": evaluator,
}
GENERATORS: Mapping[str, Make] = {"ours, exact": summaries, "generate, batch 32": generate}


def load(folder: Path) -> tuple[Any, Any]:
    """A classifier and its tokenizer, as transformers' documentation loads them, on all cores."""
    import torch
    import transformers

    from core.engine import environment

    _quiet(transformers)
    torch.set_num_threads(environment.cores())
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    positions = getattr(model.config, "max_position_embeddings", None) or 1024
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    tokenizer.model_input_names = [
        name for name in tokenizer.model_input_names if name in signature(model.forward).parameters
    ]
    return model, tokenizer


def _pipeline(folder: Path) -> Any:
    import transformers

    model, tokenizer = load(folder)
    return transformers.pipeline(CLASSIFICATION, model=model, tokenizer=tokenizer, device="cpu")


def _quiet(transformers: Any) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _mend_evaluator() -> None:
    """Version 0.4.6 asks transformers for a TensorFlow class that version 5 no longer has."""
    base = importlib.import_module("evaluate.evaluator.base")
    if type(base.transformers).__name__ == "Transformers":
        return

    class Transformers:
        TFPreTrainedModel = type("TFPreTrainedModel", (), {})

        def __init__(self, module: Any) -> None:
            self._module = module

        def __getattr__(self, name: str) -> Any:
            return getattr(self._module, name)

    base.transformers = Transformers(base.transformers)  # type: ignore[attr-defined]
