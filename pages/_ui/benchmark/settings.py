"""What is scored, how it is measured, and what a winner must satisfy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core import registry
from core.catalog.fit import format_params, parse_params
from core.engine import serving
from core.metrics.scoring import shared_options
from core.records import Limits, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.metrics.base import Option
    from core.records import Plan, Selection
    from core.tasks.base import Task

PER_LINE = 4
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
FULL, RACE = "Full", "Race"
CLASSES = ("permissive", "copyleft", "restricted", "non-commercial", "unknown")


def metrics(
    selection: Selection, task: Task, labels: Sequence[str], before: Plan | None
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The metrics, the headline first, and the options of task and metrics under flat names."""
    fitting = registry.metrics_of(task)
    chosen = st.multiselect(
        "Metrics, the first one decides",
        list(fitting),
        [name for name in (before.metrics if before else task.default_metrics) if name in fitting],
        format_func=lambda name: fitting[name].title,
        key=f"metrics_{selection.id}",
        persist_state="session",
    )
    options: dict[str, Any] = {}
    shared = [*((name, option, (name,)) for name, option in task.options.items()), *shared_options(task, chosen)]
    columns = st.columns(max(2, min(len(shared), PER_LINE)))
    for index, (name, option, flat) in enumerate(shared):
        with columns[index % len(columns)]:
            value = _option(selection, name, option, flat, labels, before.options if before else {})
        options |= {} if value is None else dict.fromkeys(flat, value)
    return tuple(chosen), options


def _option(
    selection: Selection,
    name: str,
    option: Option,
    flat: Sequence[str],
    labels: Sequence[str],
    before: Mapping[str, Any],
) -> Any:
    start = next((before[key] for key in flat if key in before), option.default)
    key = f"option_{name}_{selection.id}"
    title = name.replace("_", " ").capitalize()
    if set(option.choices) == {True, False}:
        return st.toggle(title, start, key=key, help=option.help, persist_state="session")
    if not option.choices and option.kind != "label":
        return _typed(title, option, start, key)
    choices = list(option.choices or (None, *labels))
    return st.selectbox(
        title,
        choices,
        choices.index(start) if start in choices else 0,
        format_func=lambda choice: "none" if choice is None else str(choice),
        key=key,
        help=option.help,
        persist_state="session",
    )


def _typed(title: str, option: Option, start: Any, key: str) -> Any:
    """A number or a text that a person types; empty is what the option is when nobody says."""
    if option.kind == "number":
        step = 1 if isinstance(option.default, int) else None
        return st.number_input(title, value=start, step=step, key=key, help=option.help, persist_state="session")
    text = st.text_input(title, start or "", key=key, help=option.help, persist_state="session")
    return text.strip() or option.default


def race(selection: Selection, task: Task, headline: str | None, before: Plan | None) -> bool:
    """Whether the models race. Only where the headline metric says when one is surely worse."""
    usual = before.protocol if before else Protocol()
    able = headline is not None and registry.metric(headline, task).mean_of_rows
    chosen = st.radio(
        "Rows",
        (FULL, RACE),
        int(usual.race),
        captions=(
            "Every model answers every row.",
            "A model stops once it is surely worse than the best, which itself is stopped in at most "
            f"{usual.race_alpha:.0%} of races."
            if able
            else "Not on this metric: it is no mean over rows, so nothing says early that a model is surely worse.",
        ),
        horizontal=True,
        disabled=not able,
        key=f"rows_{selection.id}",
        persist_state="session",
    )
    return able and chosen == RACE


def protocol(selection: Selection, task: Task, before: Plan | None, *, race: bool) -> Protocol:
    """How the numbers are taken."""
    start = before.protocol if before else Protocol(max_new_tokens=task.max_new_tokens)
    sizes = st.multiselect(
        "Latency at batch sizes",
        sorted({*BATCH_SIZES, *start.latency_batch_sizes}),
        start.latency_batch_sizes,
        key=f"sizes_{selection.id}",
        help="Rows in one call. 1 is what one user waits for.",
        persist_state="session",
    )
    left, right = st.columns(2)
    calls = _number(left, "Timed calls at least", "calls", selection, start.min_calls, 10, 10_000, "p95 takes 100.")
    batch = right.number_input(
        "Rows per batch for quality",
        min_value=1,
        max_value=1024,
        value=start.batch_size,
        key=f"batch_{selection.id}",
        placeholder="as many as run fastest",
        help="At most.",
        persist_state="session",
    )
    tokens, beams = start.max_new_tokens, start.num_beams
    if task.generates:
        tokens = _number(left, "New tokens at most", "tokens", selection, tokens, 1, 4096, "Per answer.")
        beams = _number(right, "Beams", "beams", selection, beams, 1, 16, "1 is greedy decoding.")
    server = left.number_input(
        "Server: p99 under … ms",
        min_value=1.0,
        max_value=serving.highest_bound_ms(start.max_seconds),
        value=start.server_p99_ms,
        format="%g",
        key=f"server_{selection.id}",
        placeholder="not measured",
        help="Finds the highest rate of requests at which 99 % are answered in time, when they arrive by chance and "
        "wait for each other. Takes a minute or more per model.",
        persist_state="session",
    )
    return Protocol(
        batch_size=batch,
        batch_tokens=start.batch_tokens,
        screen=start.screen,
        compile=start.compile,
        latency_batch_sizes=tuple(sorted(sizes)) or (1,),
        min_calls=calls,
        min_seconds=start.min_seconds,
        max_seconds=start.max_seconds,
        warmup=start.warmup,
        max_new_tokens=tokens,
        num_beams=beams,
        timeout_seconds=start.timeout_seconds,
        memory_mb=start.memory_mb,
        race=race,
        race_tolerance=start.race_tolerance,
        race_alpha=start.race_alpha,
        server_p99_ms=server,
        server_max_batch=start.server_max_batch,
    )


def _number(place: Any, title: str, name: str, selection: Selection, value: int, low: int, high: int, help: str) -> int:
    number: int = place.number_input(
        title, low, high, value, key=f"{name}_{selection.id}", help=help, persist_state="session"
    )
    return number


def limits(selection: Selection, task: Task, headline: str | None) -> Limits:
    """What a winner must satisfy; empty is no limit. Raises UserError for a size that is none."""
    kept = selection.limits
    p95 = _limit("p95 latency, ms", "p95", selection, kept.latency_p95_ms)
    memory = _limit("Memory, MB", "memory", selection, kept.memory_mb)
    params = st.text_input(
        "Parameters",
        format_params(kept.params) if kept.params else "",
        placeholder="no limit, or 150M",
        key=f"limit_params_{selection.id}",
        persist_state="session",
    )
    licenses = st.multiselect(
        "Licence, any of",
        [*CLASSES, *(tag for tag in kept.licenses if tag not in CLASSES)],
        kept.licenses,
        placeholder="any licence",
        key=f"limit_licences_{selection.id}",
        persist_state="session",
    )
    least = dict(kept.min_metrics)
    if headline:
        value = _limit(
            f"{registry.metric(headline, task).title} at least",
            f"least_{headline}",
            selection,
            least.pop(headline, None),
        )
        least |= {} if value is None else {headline: value}
    return Limits(
        p95, memory, parse_params(params) if params.strip() else None, kept.download_mb, tuple(licenses), least
    )


def _limit(title: str, name: str, selection: Selection, kept: float | None) -> float | None:
    value: float | None = st.number_input(
        title,
        0.0,
        None,
        kept,
        format="%g",
        placeholder="no limit",
        key=f"limit_{name}_{selection.id}",
        persist_state="session",
    )
    return value
