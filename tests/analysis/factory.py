"""Runs made of numbers instead of models: for the tests of analysis and pages, and for the benchmarks of the app."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core import codec, registry
from core.engine import serving
from core.metrics import scoring
from core.records import (
    Candidate,
    Chunk,
    DatasetSpec,
    EvalSet,
    Failure,
    FixedLengthSeries,
    LatencySeries,
    Limits,
    Outcome,
    Plan,
    PlanCandidate,
    Protocol,
    RunResult,
    ServerSeries,
    SkippedRow,
    TrialSpec,
    Variant,
)

CPU = Variant()
GPU = Variant(device="cuda", dtype="bfloat16")
_WORDS = ("parcel", "order", "refund", "login", "broken", "never", "arrived", "thanks", "slow", "screen", "late")
_LICENSES = (("mit", "permissive"), ("apache-2.0", "permissive"), ("cc-by-nc-4.0", "non-commercial"))
_CHUNK = 64


def make_run(
    trials: int = 3,
    rows: int = 200,
    classes: int = 2,
    seed: int = 0,
    *,
    task: str = "text-classification",
    variants: Sequence[Variant] = (CPU,),
    accuracies: Sequence[float] | None = None,
    metrics: Sequence[str] = (),
    calls: int = 120,
    failed: int = 0,
    limits: Limits | None = None,
) -> RunResult:
    """A finished run with `trials` trials that answered, and `failed` more that did not.

    Args:
        trials: Trials with results; models take the variants in turn.
        rows: Rows of the evaluation set.
        classes: Labels, for a task that has them.
        seed: Equal arguments give equal runs.
        task: Pipeline tag.
        variants: Each model runs in all of them.
        accuracies: Share of right rows per trial; rising from 0.7 to 0.95 when None. Models share what is hard.
        metrics: The task's defaults when empty.
        calls: Latency calls per batch size.
        failed: Trials without a result, after the others.
        limits: The plan's limits.
    """
    generator = np.random.default_rng(seed)
    names = tuple(metrics or registry.task(task).default_metrics)
    evalset = _evalset(task, rows, classes, generator)
    wanted = np.linspace(0.7, 0.95, trials) if accuracies is None else np.asarray(accuracies)
    hardness = generator.random(rows)
    outcomes = []
    for index in range(trials + failed):
        number, variant = divmod(index, len(variants))
        candidate = _candidate(number, task, evalset.labels)
        spec = _spec(candidate, evalset, variants[variant], names)
        if index >= trials:
            outcomes.append(_failed(spec, candidate, rows))
            continue
        noise = generator.random(rows)
        right = np.argsort(np.argsort(0.6 * hardness + 0.4 * noise)) < round(wanted[index] * rows)
        answers = _answers(evalset, right, generator)
        speed = (number + 1) * (0.2 if variants[variant].device == "cuda" else 1.0)
        outcomes.append(_finished(spec, candidate, evalset, answers, speed, calls, generator, repeated=not outcomes))
    plan = Plan(
        task=task,
        dataset=DatasetSpec(path="rows.csv", revision="0" * 64, columns={"text": "text", "label": "label"}),
        candidates=tuple(PlanCandidate(f"org/model-{number:02d}") for number in range(-(-trials // len(variants)))),
        variants=tuple(variants),
        metrics=names,
        limits=limits or Limits(),
    )
    created = "2026-11-01T10:00:00+00:00"
    return RunResult(codec.identity(plan), plan, codec.identity(plan), evalset, tuple(outcomes), created=created)


def with_server(run: RunResult, bound_ms: float = 100.0) -> RunResult:
    """The run with the server scenario of its finished trials, as if each took as long for a batch as for a call."""
    protocol = replace(run.plan.protocol, server_p99_ms=bound_ms)
    outcomes = []
    for one in run.outcomes:
        spec = replace(one.spec, protocol=protocol)
        served = _searched(one.latency[0], protocol) if one.latency else ()
        outcomes.append(replace(one, spec=spec, trial=codec.identity(spec), server=served))
    return replace(run, plan=replace(run.plan, protocol=protocol), outcomes=tuple(outcomes))


def with_tokens(run: RunResult, at_most: int = 64) -> RunResult:
    """The run as if its models had written: one third of a call for the first token, the rest for some more.

    At a fixed length each further token takes as long as it took before.
    """
    outcomes = [
        replace(one, latency=tuple(_written(series, at_most) for series in one.latency)) for one in run.outcomes
    ]
    return replace(run, outcomes=tuple(outcomes))


def _written(series: LatencySeries, at_most: int) -> LatencySeries:
    generator = np.random.default_rng(series.batch_size)
    forward = np.array(series.forward_ns)
    tokens = generator.integers(2, at_most // 2, size=(len(forward), series.batch_size))
    steps = tokens.max(axis=1) - 1
    first, decode = forward // 3, forward // 2
    total = (first + decode / steps * (at_most - 1)).astype(int)[:20]
    return replace(
        series,
        first_token_ns=tuple((first + np.array(series.preprocess_ns)).tolist()),
        decode_ns=tuple(decode.tolist()),
        decode_steps=tuple(steps.tolist()),
        tokens=tuple(tokens.ravel().tolist()),
        fixed_length=FixedLengthSeries(
            tuple(total.tolist()), (at_most * series.batch_size,) * len(total), tuple(range(len(total)))
        ),
    )


def _searched(calls: LatencySeries, protocol: Protocol) -> tuple[ServerSeries, ...]:
    """A search over a clock that moves by the times of `calls`, one after the other."""
    took = itertools.cycle(np.array(calls.forward_ns) * 2)
    now = 0

    def wait(seconds: float) -> None:
        nonlocal now
        now += round(seconds * 1e9)

    def tried(rate: float, requests: int) -> ServerSeries:
        nonlocal now
        now = 0
        taken = serving.serve(
            lambda _: wait(next(took) / 1e9),
            serving.arrivals(requests, rate),
            max_batch=protocol.server_max_batch,
            bound_ns=(protocol.server_p99_ms or 0) * 1e6,
            clock=lambda: now,
            sleep=wait,
        )
        return ServerSeries(rate, requests, tuple(taken.latency_ns), tuple(taken.batch_sizes))

    return serving.joint([serving.Subject(tried, serving.rows_per_second(calls))], protocol, session="together")[0]


def _evalset(task: str, rows: int, classes: int, generator: np.random.Generator) -> EvalSet:
    texts = [" ".join(generator.choice(_WORDS, size=12)) for _ in range(rows)]
    labels = tuple(f"label {index}" for index in range(classes)) if registry.task(task).labelled else ()
    references = (
        tuple(labels[index] for index in generator.integers(classes, size=rows))
        if labels
        else tuple(" ".join(text.split()[:6]) for text in texts)
    )
    return EvalSet(
        id=f"{task}-{rows}-{classes}",
        task=task,
        ids=tuple(str(row) for row in range(rows)),
        inputs=tuple({"text": text} for text in texts),
        references=references,
        labels=labels,
        skipped=(SkippedRow(rows, "the text is empty"),),
    )


def _candidate(number: int, task: str, labels: tuple[str, ...]) -> Candidate:
    tag, license_class = _LICENSES[number % len(_LICENSES)]
    return Candidate(
        source="samples",
        id=f"org/model-{number:02d}",
        revision=f"{number:040x}",
        task=task,
        license=tag,
        license_class=license_class,  # type: ignore[arg-type]
        parameters=(number + 1) * 5_000_000,
        download_bytes=(number + 1) * 20_000_000,
        formats=("safetensors",),
        labels=labels,
    )


def _spec(candidate: Candidate, evalset: EvalSet, variant: Variant, metrics: tuple[str, ...]) -> TrialSpec:
    return TrialSpec(
        source=candidate.source,
        model=candidate.id,
        revision=str(candidate.revision),
        task=evalset.task,
        evalset=evalset.id,
        variant=variant,
        metrics=metrics,
        labels={label: label for label in evalset.labels},
    )


def _answers(evalset: EvalSet, right: np.ndarray, generator: np.random.Generator) -> list[str]:
    """The reference where the row is right; another label, or half of the text, where it is not."""
    shift = generator.integers(1, max(2, len(evalset.labels)), size=len(right))
    place = {label: index for index, label in enumerate(evalset.labels)}

    def wrong(row: int) -> str:
        reference = evalset.references[row]
        if evalset.labels:
            return evalset.labels[(place[reference] + int(shift[row])) % len(evalset.labels)]
        return " ".join(reference.split()[:3]) + " late"

    return [evalset.references[row] if ok else wrong(row) for row, ok in enumerate(right)]


def _finished(
    spec: TrialSpec,
    candidate: Candidate,
    evalset: EvalSet,
    answers: list[str],
    speed: float,
    calls: int,
    generator: np.random.Generator,
    *,
    repeated: bool,
) -> Outcome:
    predictions = [{"answer": answer} for answer in answers]
    statistics = scoring.statistics(
        registry.task(spec.task), spec.metrics, spec.options, evalset.labels, predictions, evalset.references
    )
    order = generator.permutation(len(answers))
    chunks = [
        Chunk(
            positions=tuple(part.tolist()),
            predictions=tuple(predictions[row] for row in part),
            statistics={name: values[part] for name, values in statistics.items()},
            seconds=len(part) * speed / 500,
            units=len(part) * 14,
        )
        for part in np.split(order, range(_CHUNK, len(order), _CHUNK))
    ]
    return Outcome(
        trial=codec.identity(spec),
        spec=spec,
        status="done",
        rows_done=len(answers),
        rows_total=len(answers),
        candidate=candidate,
        chunks=tuple(chunks),
        latency=tuple(_series(size, speed, calls, generator, repeated=repeated) for size in (1, 8)),
        load_seconds=0.2 * speed,
        memory_mb={
            "peak": 120.0 + 80 * speed,
            "load": 20 + 80 * speed,
            "quality": 120.0 + 80 * speed,
            "latency_b1": 30 + 80 * speed,
            "latency_b8": 50 + 80 * speed,
            "model": 78 * speed,
        },
        environment={"cpu": "test", "gpu": None, "torch": "2.13", "transformers": "5.23", "threads": 2},
    )


def _series(
    batch_size: int, speed: float, calls: int, generator: np.random.Generator, *, repeated: bool
) -> LatencySeries:
    """Log-normal times around 4 ms per unit of speed, with a slow call now and then; requests differ alike for all."""
    request = np.random.default_rng(batch_size).lognormal(np.log(4e6 * speed * batch_size**0.7), 0.1, size=calls)
    total, again = (request * generator.lognormal(0, 0.07, size=calls) for _ in range(2))
    total[generator.random(calls) < 0.02] *= 2.5
    parts = [tuple((total * share).astype(np.int64).tolist()) for share in (0.05, 0.92, 0.03)]
    return LatencySeries(
        batch_size,
        *parts,
        first_call_ns=int(total[:1].sum() * 2.1),
        warmup_calls=10,
        requests=tuple(range(calls)),
        session="together",
        again_ns=tuple(again.astype(np.int64).tolist()) if repeated else (),
    )


def _failed(spec: TrialSpec, candidate: Candidate, rows: int) -> Outcome:
    failure = Failure(
        "load", "The weights are cut short: 1,024 of 88,544 bytes.", "Fetch the model again.", "Traceback …"
    )
    return Outcome(codec.identity(spec), spec, "failed", rows_total=rows, candidate=candidate, failure=failure)
