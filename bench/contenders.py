"""Other ways to the same answers: each loads a model once and then answers all rows, as often as it is asked."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import registry
from core.engine.backends.torch_copy import lowered
from core.engine.backends.torch_regions import regions
from core.engine.batching import batches
from core.engine.events import Event, Rows
from core.engine.quality import QualityPass
from core.engine.screening import LOW
from core.records import Protocol, Variant
from core.tasks.base import Answered, Context, Prediction
from core.tasks.sentence_encoder import SentenceEncoder
from core.tasks.text_classification import TextClassification

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSIFICATION, SUMMARIZATION, GENERATION = "text-classification", "summarization", "text-generation"
NEW_TOKENS = 64


@dataclass(frozen=True)
class Answers:
    """What a contender says of all rows, in row order."""

    said: Sequence[str]
    """The model's own labels, texts, or similarities to four decimals."""
    outputs: NDArray[Any] | None = None
    """What they come from: logits, shape (rows, labels), the largest logit alone, shape (rows,), or embeddings. None
    where the contender does not give them out."""


Pass = Callable[[], Answers]
"""Answers every row once."""
Make = Callable[[Path, Sequence[str]], Pass]


class Classifier(TextClassification):
    """Keeps the logits."""

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """As the task, with `outputs` besides."""
        predictions = super().decode(processor, rows, context)
        return [{**one, "outputs": self.logits(row, context)} for one, row in zip(predictions, rows, strict=True)]


class Encoder(SentenceEncoder):
    """Keeps the embeddings."""

    def decode(self, processor: Any, rows: Sequence[Answered], context: Context) -> list[Prediction]:
        """As the task, with `outputs` besides."""
        predictions = super().decode(processor, rows, context)
        return [{**one, "outputs": row.outputs} for one, row in zip(predictions, rows, strict=True)]


def shortlist(
    task: Any, folder: Path, rows: Sequence[Mapping[str, str]], *, screened: bool = False, compiled: bool = False
) -> Pass:
    """Shortlist's quality pass as a trial has it, calibration included, with one of its accelerations or with none."""
    import numpy as np

    session = registry.backend("torch").load(folder, task, Variant())
    if compiled and (layers := regions(session)):
        layers.start()
    context = Context(
        labels=session.model_labels,
        model_labels=session.model_labels,
        options={name: option.default for name, option in task.options.items()},
        protocol=Protocol(max_new_tokens=NEW_TOKENS),
    )

    def run() -> Answers:
        found: list[Prediction] = [{} for _ in rows]

        def keep(event: Event) -> None:
            if isinstance(event, Rows):
                for position, prediction in zip(event.positions, event.predictions, strict=True):
                    found[position] = prediction

        copy = (lambda: lowered(session, LOW)) if screened else None
        work = QualityPass(session, task, context, keep, copy=copy)
        work.run(rows)
        work.close()
        kept = [one["outputs"] for one in found if "outputs" in one]  # a screened row has none
        said = [one["answer"] if isinstance(one["answer"], str) else f"{one['answer']:.4f}" for one in found]
        return Answers(said, np.asarray(kept) if len(kept) == len(rows) else None)

    return run


def exact(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist at float32."""
    return shortlist(Classifier(), folder, _rows(texts))


def screened(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist with a bfloat16 copy for what cannot come out otherwise."""
    return shortlist(Classifier(), folder, _rows(texts), screened=True)


def compiled(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist at float32 on compiled layers. The compiler works in the first pass, which no ratio counts."""
    return shortlist(Classifier(), folder, _rows(texts), compiled=True)


def embedded(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist's embeddings of every two texts, and how alike they are."""
    known = registry.task("feature-extraction")
    task = Encoder(known.name, known.title, tuple(known.tags))
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return shortlist(task, folder, [{"sentence1": one, "sentence2": other} for one, other in pairs])


def _rows(texts: Sequence[str]) -> list[Mapping[str, str]]:
    return [{"text": text} for text in texts]


def bare_loop(folder: Path, texts: Sequence[str]) -> Pass:
    """What one would write by hand if one knew how: sorted batches of 2,048 tokens, all tokenised at once."""
    model, tokenizer = load(folder)

    def run() -> Answers:
        encoded = tokenizer(list(texts), truncation=True)
        return bare(model, tokenizer, encoded)

    return run


def bare(model: Any, tokenizer: Any, encoded: Mapping[str, Sequence[list[int]]]) -> Answers:
    """That loop over rows that are tokenised already."""
    import numpy as np
    import torch

    known = {name: encoded[name] for name in tokenizer.model_input_names}
    lengths = [len(row) for row in encoded["input_ids"]]
    logits = np.empty((len(lengths), model.config.num_labels), dtype=np.float32)
    with torch.inference_mode():
        for batch in batches(lengths, None, 2048):
            rows = {name: [values[index] for index in batch] for name, values in known.items()}
            logits[batch] = model(**tokenizer.pad(rows, return_tensors="pt")).logits.numpy()
    return labelled(model, logits)


def labelled(model: Any, logits: NDArray[Any]) -> Answers:
    """The labels that a classifier's logits name."""
    return Answers([model.config.id2label[label] for label in logits.argmax(-1).tolist()], logits)


def data_loader(folder: Path, texts: Sequence[str]) -> Pass:
    """A DataLoader in row order, batches of 32 padded to their longest."""
    import numpy as np
    import torch
    import transformers

    model, tokenizer = load(folder)
    collate = transformers.DataCollatorWithPadding(tokenizer)

    def run() -> Answers:
        encoded = tokenizer(list(texts), truncation=True)
        rows = [{name: encoded[name][index] for name in tokenizer.model_input_names} for index in range(len(texts))]
        with torch.inference_mode():
            loader = torch.utils.data.DataLoader(rows, batch_size=32, collate_fn=collate)
            return labelled(model, np.concatenate([model(**batch).logits.numpy() for batch in loader]))

    return run


def trainer(folder: Path, texts: Sequence[str]) -> Pass:
    """`Trainer.predict` with its own batch size, 8."""
    import transformers

    model, tokenizer = load(folder)
    settings = transformers.TrainingArguments(
        tempfile.mkdtemp(prefix="bench_"), use_cpu=True, report_to=[], disable_tqdm=True, log_level="error"
    )
    judge = transformers.Trainer(model, settings, processing_class=tokenizer)

    def run() -> Answers:
        encoded = tokenizer(list(texts), truncation=True)
        rows = [{name: encoded[name][index] for name in tokenizer.model_input_names} for index in range(len(texts))]
        return labelled(model, judge.predict(rows).predictions)

    return run


def pipeline(batch_size: int) -> Make:
    """`transformers.pipeline` over the texts in their order; as scores it gives the largest logits."""
    import numpy as np

    def make(folder: Path, texts: Sequence[str]) -> Pass:
        one = _pipeline(folder)

        def run() -> Answers:
            found = one(list(texts), batch_size=batch_size, truncation=True, function_to_apply="none")
            return Answers([row["label"] for row in found], np.array([row["score"] for row in found]))

        return run

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

    def run() -> Answers:
        judge.compute(model_or_pipeline=one, data=rows, metric=metric, label_mapping=labels)
        return Answers(list(answers))

    return run


def sentence_transformers(folder: Path, texts: Sequence[str]) -> Pass:
    """`SentenceTransformer.encode`, which sorts by length, in batches of 32."""
    import numpy as np
    import torch
    from sentence_transformers import SentenceTransformer

    from core.engine import environment

    torch.set_num_threads(environment.cores())
    getLogger("sentence_transformers").setLevel(ERROR)  # that the checkpoint is a plain one, averaged over its tokens
    model = SentenceTransformer(str(folder), device="cpu")

    def run() -> Answers:
        found = model.encode(list(texts), batch_size=32, show_progress_bar=False).reshape(len(texts) // 2, 2, -1)
        one, other = found.astype(np.float64).swapaxes(0, 1)
        alike = (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
        return Answers([f"{cosine:.4f}" for cosine in alike], found)

    return run


def summaries(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist's quality pass of a model that reads a text and writes another."""
    return shortlist(registry.task(SUMMARIZATION), folder, _rows(texts))


def continuations(folder: Path, texts: Sequence[str]) -> Pass:
    """Shortlist's quality pass of a model that writes on."""
    return shortlist(registry.task(GENERATION), folder, _rows(texts))


def generate(auto_class: str, *, goes_on: bool) -> Make:
    """`model.generate` over batches of 32 in row order, greedy; `goes_on`: with the prompt before the answer."""

    def make(folder: Path, texts: Sequence[str]) -> Pass:
        import torch
        import transformers

        from core.engine import environment

        torch.set_num_threads(environment.cores())
        model = getattr(transformers, auto_class).from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left" if goes_on else "right")
        limit = min(tokenizer.model_max_length, 1024) - NEW_TOKENS * goes_on

        def run() -> Answers:
            said: list[str] = []
            with torch.inference_mode():
                for start in range(0, len(texts), 32):
                    some = list(texts[start : start + 32])
                    batch = tokenizer(some, padding=True, truncation=True, max_length=limit, return_tensors="pt")
                    batch.pop("token_type_ids", None)
                    tokens = model.generate(**batch, max_new_tokens=NEW_TOKENS, num_beams=1, do_sample=False)
                    new = tokens[:, batch["input_ids"].shape[1] :] if goes_on else tokens
                    said += [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
            return Answers(said)

        return run

    return make


OURS = "ours, exact"
CLASSIFIERS: Mapping[str, Make] = {
    OURS: exact,
    "ours, screened": screened,
    "bare sorted loop": bare_loop,
    "DataLoader, batch 32": data_loader,
    "Trainer.predict": trainer,
    "pipeline, batch 1": pipeline(1),
    "pipeline, batch 8": pipeline(8),
    "pipeline, batch 32": pipeline(32),
    "evaluate.evaluator": evaluator,
}
COMPILERS: Mapping[str, Make] = {
    OURS: exact,
    "ours, compiled": compiled,
    "bare sorted loop": bare_loop,
}
ENCODERS: Mapping[str, Make] = {OURS: embedded, "sentence-transformers": sentence_transformers}
SUMMARIZERS: Mapping[str, Make] = {
    OURS: summaries,
    "generate, batch 32": generate("AutoModelForSeq2SeqLM", goes_on=False),
}
WRITERS: Mapping[str, Make] = {
    OURS: continuations,
    "generate, batch 32": generate("AutoModelForCausalLM", goes_on=True),
}


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
