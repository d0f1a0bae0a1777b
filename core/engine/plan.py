"""The plan file: YAML that a person writes, read into a `Plan` and written back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core import codec, registry
from core.catalog import stored
from core.catalog.fit import parse_params
from core.engine import race, serving
from core.engine.backends.base import Backend
from core.engine.fields import Fields, located, suggestion
from core.engine.yaml_text import FlowList, dump, flow, load
from core.errors import PlanError
from core.metrics.base import Metric
from core.metrics.module import is_module, module_name, module_settings
from core.options import Option
from core.records import DatasetSpec, Limits, Plan, PlanCandidate, Protocol, Sample, Variant
from core.tasks.base import Task

SECTIONS = (
    *("task", "dataset", "candidates", "variants", "metrics", "limits"),
    *("quality", "race", "latency", "generation", "timeout", "max_memory_mb"),
)
DATASET = ("path", "repo", "config", "split", "revision", "reader", "columns", "labels", "sample")
CANDIDATE = ("model", "source", "revision", "labels", "variants")
VARIANT = ("device", "dtype", "backend", "quantization", "threads")
LIMITS = ("latency_p95_ms", "memory_mb", "params", "download_mb", "licenses")
QUALITY = ("batch_size", "batch_tokens", "screen", "compile")
SHORTCUT = {"auto": True, "off": False}
RACE = {"tolerance": "race_tolerance", "alpha": "race_alpha"}
LATENCY = ("batch_sizes", "min_calls", "min_seconds", "max_seconds", "warmup")
SERVER = {"p99_ms": "server_p99_ms", "max_batch": "server_max_batch"}
GENERATION = ("max_new_tokens", "num_beams")
MODULE = ("module", "value", "higher_is_better")


def read(path: Path) -> Plan:
    """The plan in a file. Relative paths in it are taken from the file's folder. Raises PlanError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PlanError(f"There is no plan file {str(path)!r}.", "Give the path of a YAML file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan file {str(path)!r} cannot be read: {error}", "It must be text in UTF-8.") from None
    return parse(load(text), base=path.parent.absolute())


def parse(data: Any, base: Path | None = None) -> Plan:
    """The plan in plain values, as a YAML or JSON file gives them.

    Args:
        data: The file's content.
        base: Folder that relative paths start from; None leaves them as they are.

    Raises:
        PlanError: A key or name that is not known (with the nearest that is), a value of the wrong kind, a missing key.
    """
    task = _task(data)
    options, minima = _options(task), {f"min_{name}": name for name in registry.metrics_of(task)}
    plan = Fields("", data, (*SECTIONS, *options))
    metrics = _metrics(plan, task, base)
    return Plan(
        task=task.name,
        dataset=_dataset(plan, base),
        candidates=_candidates(plan, base),
        variants=_variants(plan) or (Variant(),),
        metrics=metrics,
        options={name: _option(plan, name, options[name]) for name in plan.given(options) if plan.has(name)},
        protocol=_raced(plan, _protocol(plan, task), registry.metric((metrics or task.default_metrics)[0], task), task),
        limits=_limits(plan, minima),
    )


def _task(data: Any) -> Task:
    """The task, before all other keys: which of them there are depends on it."""
    if not isinstance(data, Mapping) or "task" not in data:
        Fields("", data, SECTIONS)  # a misspelt `task` gets its answer here
        data = {}
    name = Fields("", {"task": data.get("task")}, SECTIONS).required_text("task")
    return located("task", registry.task, name)


def plan_hash(plan: Plan) -> str:
    """Names a plan by its content."""
    return codec.identity(plan)


def _dataset(plan: Fields, base: Path | None) -> DatasetSpec:
    fields = Fields("dataset", plan.raw("dataset"), DATASET)
    path, repo = fields.text("path"), fields.text("repo")
    if (path is None) == (repo is None):
        found = "both" if path else "neither"
        raise PlanError(f"dataset needs either `path` or `repo`; found {found}.", "path: rows.csv, or repo: org/name")
    sample = None
    if fields.has("sample"):
        drawn = Fields("dataset.sample", fields.raw("sample"), ("size", "seed", "stratify"))
        if not drawn.has("size"):
            raise PlanError("dataset.sample lacks the key 'size'.", "sample: {size: 500, seed: 7}")
        sample = Sample(drawn.integer("size", 1), drawn.integer("seed", 0, least=0), drawn.flag("stratify", True))
    return DatasetSpec(
        path=_absolute(path, base) if path else None,
        repo=repo,
        config=fields.text("config"),
        split=fields.text("split"),
        revision=fields.text("revision"),
        reader=fields.text("reader"),
        columns=fields.columns("columns"),
        labels=fields.names("labels"),
        sample=sample,
    )


def _candidates(plan: Fields, base: Path | None) -> tuple[PlanCandidate, ...]:
    entries = plan.items("candidates")
    if not entries:
        raise PlanError("The plan names no candidates.", "candidates:\n  - model: org/name")
    return tuple(
        _candidate(Fields(f"candidates[{index}]", entry, CANDIDATE), base) for index, entry in enumerate(entries)
    )


def _candidate(fields: Fields, base: Path | None) -> PlanCandidate:
    model, source = fields.required_text("model"), fields.text("source")
    if source is None:
        model = _absolute(model, base) if _is_local(model, base) else model
    elif source == stored.SOURCE:
        model = _absolute(model, base)
    elif source not in ("hub", "samples"):
        source = _absolute(source, base)
    return PlanCandidate(model, source, fields.text("revision"), fields.names("labels"), _variants(fields))


def _variants(fields: Fields) -> tuple[Variant, ...] | None:
    if not fields.has("variants"):
        return None
    entries = fields.items("variants")
    if not entries:
        raise PlanError(f"{fields.path('variants')} is empty.", "Leave it out for CPU float32.")
    where = fields.path("variants")
    return tuple(_variant(Fields(f"{where}[{index}]", entry, VARIANT)) for index, entry in enumerate(entries))


def _variant(fields: Fields) -> Variant:
    usual = Variant()
    backend = registry.backends()[fields.choice("backend", registry.backends(), usual.backend)]
    return Variant(
        device=fields.choice("device", backend.devices, usual.device),
        dtype=fields.choice("dtype", backend.dtypes, usual.dtype),
        backend=backend.name,
        quantization=_quantization(fields, backend),
        threads=fields.optional_integer("threads"),
    )


def _quantization(fields: Fields, backend: Backend) -> str | None:
    known = [one for one in backend.quantizations if one]
    if not fields.has("quantization"):
        if None in backend.quantizations:
            return None
        where = fields.path("quantization")
        raise PlanError(f"{where} is missing: {backend.name} only quantizes.", f"Use one of: {', '.join(known)}.")
    if not known:
        able = ", ".join(one.name for one in registry.backends().values() if any(one.quantizations))
        where, given = fields.path("quantization"), fields.raw("quantization")
        raise PlanError(f"{where} is {given!r}, but {backend.name} does not quantize.", f"These backends do: {able}.")
    return fields.choice("quantization", known, "")


def _metrics(plan: Fields, task: Task, base: Path | None) -> tuple[str, ...]:
    entries = plan.raw("metrics")
    if isinstance(entries, list | tuple):
        entries = [_module(entry, base) if isinstance(entry, Mapping) else entry for entry in entries]
    names = Fields("", {"metrics": entries}, ("metrics",)).texts("metrics")
    for name in names:
        located("metrics", lambda name: registry.metric(name, task), name)
    return names


def _module(entry: Mapping[str, Any], base: Path | None) -> str:
    """The name of a local `evaluate` module: `{module: ./my_metric}`."""
    fields = Fields("metrics", entry, MODULE)
    path = _absolute(fields.required_text("module"), base)
    return module_name(path, fields.text("value"), fields.flag("higher_is_better", True))


def _options(task: Task) -> dict[str, Option]:
    """The options of the task and of its metrics under their flat names."""
    scoring = {
        f"{metric.name}_{name}": option
        for metric in registry.metrics_of(task).values()
        for name, option in metric.options.items()
    }
    return {**task.options, **scoring}


def _option(plan: Fields, name: str, option: Option) -> Any:
    value = plan.raw(name)
    if option.choices and value not in option.choices:
        raise PlanError(f"{name} is {value!r}.", suggestion(str(value), [str(choice) for choice in option.choices]))
    kinds = int | float if option.kind == "number" else str | int | float
    if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and not option.choices)):
        raise PlanError(f"{name} must be {'a number' if option.kind == 'number' else 'a name'}; found {value!r}.")
    return value


def _protocol(plan: Fields, task: Task) -> Protocol:
    usual = Protocol(max_new_tokens=task.max_new_tokens)
    quality = Fields("quality", plan.raw("quality") or {}, QUALITY)
    latency = Fields("latency", plan.raw("latency") or {}, (*LATENCY, "server"))
    generation = Fields("generation", plan.raw("generation") or {}, GENERATION)
    protocol = Protocol(
        batch_size=quality.optional_integer("batch_size"),
        batch_tokens=quality.optional_integer("batch_tokens"),
        screen=SHORTCUT[quality.choice("screen", SHORTCUT, "auto")],
        compile=SHORTCUT[quality.choice("compile", SHORTCUT, "auto")],
        latency_batch_sizes=latency.integers("batch_sizes", usual.latency_batch_sizes),
        min_calls=latency.integer("min_calls", usual.min_calls),
        min_seconds=latency.seconds("min_seconds", usual.min_seconds),
        max_seconds=latency.seconds("max_seconds", usual.max_seconds),
        warmup=latency.integer("warmup", usual.warmup, least=0),
        max_new_tokens=generation.integer("max_new_tokens", usual.max_new_tokens),
        num_beams=generation.integer("num_beams", usual.num_beams),
        timeout_seconds=plan.seconds("timeout", usual.timeout_seconds),
        memory_mb=plan.optional_integer("max_memory_mb"),
    )
    if protocol.max_seconds < protocol.min_seconds:
        raise PlanError(
            f"latency.max_seconds is {protocol.max_seconds:g}, less than min_seconds ({protocol.min_seconds:g}).",
            "Raise max_seconds or lower min_seconds.",
        )
    return _served(latency, protocol)


def _served(latency: Fields, protocol: Protocol) -> Protocol:
    """The protocol with what the plan says of the server scenario."""
    if not latency.has("server"):
        return protocol
    fields = Fields("latency.server", latency.raw("server"), SERVER)
    bound, most = fields.number("p99_ms"), fields.integer("max_batch", protocol.server_max_batch)
    if not bound:
        found = "nothing" if bound is None else "0"
        raise PlanError(
            f"latency.server.p99_ms must be a bound in milliseconds; found {found}.", "server: {p99_ms: 100}"
        )
    protocol = replace(protocol, server_p99_ms=bound, server_max_batch=most)
    serving.check(protocol)
    return protocol


def _raced(plan: Fields, protocol: Protocol, headline: Metric, task: Task) -> Protocol:
    """The protocol with what the plan says of a race: `true`, or its settings."""
    settings = plan.raw("race")
    if not isinstance(settings, Mapping) and not plan.flag("race", False):
        return protocol
    fields = Fields("race", settings if isinstance(settings, Mapping) else {}, RACE)
    race.check(task, headline)
    tolerance, alpha = fields.number("tolerance"), fields.number("alpha")
    if alpha is not None and not 0 < alpha < 1:
        raise PlanError(f"race.alpha is {alpha:g}.", "It is how often the best model may be stopped: 0.05, say.")
    return replace(
        protocol,
        race=True,
        race_tolerance=protocol.race_tolerance if tolerance is None else tolerance,
        race_alpha=protocol.race_alpha if alpha is None else alpha,
    )


def _limits(plan: Fields, minima: Mapping[str, str]) -> Limits:
    fields = Fields("limits", plan.raw("limits") or {}, (*LIMITS, *minima))
    least = {minima[key]: fields.number(key) for key in fields.given(minima)}
    return Limits(
        latency_p95_ms=fields.number("latency_p95_ms"),
        memory_mb=fields.number("memory_mb"),
        params=_params(fields),
        download_mb=fields.number("download_mb"),
        licenses=fields.texts("licenses"),
        min_metrics={name: value for name, value in least.items() if value is not None},
    )


def _params(fields: Fields) -> int | None:
    if isinstance(fields.raw("params"), str):
        return located("limits.params", parse_params, fields.raw("params"))
    return fields.optional_integer("params")


def _is_local(model: str, base: Path | None) -> bool:
    return model.startswith((".", "~", os.sep)) or (base is not None and (base / model).is_dir())


def _absolute(path: str, base: Path | None) -> str:
    return path if base is None else os.path.normpath(base / Path(path).expanduser())


# --- writing -------------------------------------------------------------------------------------------------------


def to_yaml(plan: Plan) -> str:
    """The plan as a file that `read` gives back. What equals the default is left out."""
    blocks = [dump({key: value}) for key, value in _sections(plan).items() if value not in (None, {}, [])]
    text = ""
    for before, block in zip(["", *blocks], blocks, strict=False):
        apart = before and (before.count("\n") > 1 or block.count("\n") > 1)
        text += "\n" + block if apart else block
    return text


def _sections(plan: Plan) -> dict[str, Any]:
    protocol, usual = plan.protocol, Protocol()
    quality = _differing(protocol, usual, QUALITY)
    return {
        "task": plan.task,
        "dataset": _dataset_section(plan.dataset),
        "candidates": [_candidate_section(candidate) for candidate in plan.candidates],
        "variants": [] if plan.variants == (Variant(),) else [_variant_section(variant) for variant in plan.variants],
        "metrics": FlowList(_metric_entry(name) for name in plan.metrics),
        **plan.options,
        "quality": flow({key: "off" if value is False else value for key, value in quality.items()}),
        "race": (_differing(protocol, usual, RACE, RACE) or True) if protocol.race else None,
        "latency": _latency_section(protocol, usual),
        "generation": _differing(protocol, usual, GENERATION),
        "timeout": None if protocol.timeout_seconds == usual.timeout_seconds else _duration(protocol.timeout_seconds),
        "max_memory_mb": protocol.memory_mb,
        "limits": _limits_section(plan.limits),
    }


def _latency_section(protocol: Protocol, usual: Protocol) -> dict[str, Any]:
    section = _differing(protocol, usual, LATENCY, {"batch_sizes": "latency_batch_sizes"})
    if protocol.server_p99_ms is None:
        return section
    return flow({**section, "server": _differing(protocol, usual, SERVER, SERVER)})


def _metric_entry(name: str) -> Any:
    return flow(module_settings(name)) if is_module(name) else name


def _dataset_section(dataset: DatasetSpec) -> dict[str, Any]:
    sample = dataset.sample
    return _filled(
        {
            **{key: getattr(dataset, key) for key in DATASET},
            "columns": flow(dataset.columns),
            "labels": flow(dataset.labels),
            "sample": sample and flow({"size": sample.size, "seed": sample.seed, "stratify": sample.stratify}),
        }
    )


def _candidate_section(candidate: PlanCandidate) -> dict[str, Any]:
    variants = candidate.variants and [_variant_section(variant) for variant in candidate.variants]
    section = {key: getattr(candidate, key) for key in CANDIDATE}
    return _filled({**section, "labels": flow(candidate.labels), "variants": variants})


def _variant_section(variant: Variant) -> dict[str, Any]:
    return flow(_filled({key: getattr(variant, key) for key in VARIANT}))


def _limits_section(limits: Limits) -> dict[str, Any]:
    numbers = {key: _plain(getattr(limits, key)) for key in LIMITS if key != "licenses"}
    minima = {f"min_{name}": _plain(value) for name, value in limits.min_metrics.items()}
    if limits.params and limits.params % 1_000_000 == 0:
        numbers["params"] = f"{limits.params // 1_000_000}M"
    return flow(_filled({**numbers, "licenses": FlowList(limits.licenses), **minima}))


def _differing(
    protocol: Protocol, usual: Protocol, keys: Iterable[str], names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    fields = {key: (names or {}).get(key, key) for key in keys}
    changed = {key: field for key, field in fields.items() if getattr(protocol, field) != getattr(usual, field)}
    return flow({key: _plain(getattr(protocol, field)) for key, field in changed.items()})


def _filled(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if value is not None and value != {} and value != []}


def _plain(value: Any) -> Any:
    """2.0 as 2, a tuple as a list in one line."""
    if isinstance(value, tuple):
        return FlowList(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _duration(seconds: float) -> Any:
    if not seconds or not seconds.is_integer() or seconds % 60:
        return _plain(seconds)
    hours, minutes = divmod(int(seconds) // 60, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
