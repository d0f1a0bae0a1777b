"""What a run will cost, before it starts: time, download, memory. From earlier trials, else from sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, log, nan, prod, sqrt

from core import registry
from core.catalog import stored
from core.catalog.fit import fits
from core.engine import environment, latency, serving
from core.engine.prepare import Prepared
from core.engine.race import FIRST_ROUND
from core.records import Candidate, EvalSet, Outcome, Protocol, RunResult, TrialSpec

CHARACTERS_PER_TOKEN = 4
LONGEST = 512
"""Where most encoders cut."""
UNKNOWN_PARAMETERS = 110_000_000
"""A BERT-base, where a catalogue does not tell the size."""
FLOPS = {"cpu": (1e10, 1e11), "cuda": (5e12, 1e14), "mps": (5e11, 5e12)}
"""Slowest and fastest useful floating point operations per second: of one core (measured: 80 GFLOP/s at float32 with
AVX-512), of one board."""
SERVER_RATES = 5
"""Rates that the search of the server scenario keeps up to their end, about; those that are lost end early."""
SPREAD = (0.8, 1.5)
"""How far a repeat on the same machine may lie from what was measured."""
RACE = f"The least if the race is decided after its first {FIRST_ROUND} rows, the most if everyone answers every row."


@dataclass(frozen=True)
class Estimate:
    """A range of seconds, and upper bounds of the rest. Of a race, all that it may come to."""

    seconds_low: float
    seconds_high: float
    download_bytes: int
    """At most: what lies in the cache already is not fetched again."""
    memory_mb: float | None
    """Of the largest trial, MB of 10^6 bytes; None where no size is known."""
    basis: str
    """What it rests on, in a sentence."""
    race: str = ""
    """Why a race may take the least and why the most, in a sentence; empty where nothing can be saved."""


def estimate(prepared: Prepared, known: Sequence[Outcome] = ()) -> Estimate:
    """The cost of running every trial of a prepared plan once.

    Args:
        prepared: The trials.
        known: Outcomes of earlier runs; those of the same model and variant on this hardware give the time.
    """
    candidates = {(one.source, one.id): one for one in prepared.candidates}
    measured = {_key(outcome.spec): outcome for outcome in known if outcome.status == "done" and outcome.chunks}
    specs = [spec for spec in prepared.specs if spec.source != stored.SOURCE]
    rows = len(prepared.evalset.ids)
    races = sum(bool(spec.race) for spec in specs) > 1 and rows > FIRST_ROUND
    low = high = 0.0
    raced: list[float] = []
    hits = 0
    for spec in specs:
        earlier = measured.get(_key(spec))
        hits += earlier is not None
        candidate = candidates[spec.source, spec.model]
        row = _measured_row(earlier) if earlier else _computed_row(spec, candidate, prepared.evalset)
        loading = registry.backend(spec.variant.backend).load_seconds
        timing = [_timing_seconds(spec, one) for one in row]
        high += rows * row[1] + timing[1] + loading[1]
        if races and spec.race:
            low += FIRST_ROUND * row[0] + loading[0]
            raced.append(timing[0])
        else:
            low += rows * row[0] + timing[0] + loading[0]
    needs = [fits(candidates[spec.source, spec.model], spec.variant, {}).needed_mb for spec in specs]
    fetched = {(spec.source, spec.model) for spec in specs if spec.source == "hub"}
    return Estimate(
        # Whoever stays in the race is timed, and one stays at least.
        seconds_low=low + min(raced, default=0.0),
        seconds_high=high,
        download_bytes=sum(candidates[key].download_bytes or 0 for key in fetched),
        memory_mb=max((need for need in needs if need is not None), default=None),
        basis=_basis(hits, len(specs)),
        race=RACE if races else "",
    )


def seconds_left(run: RunResult) -> dict[str, float]:
    """Trial → seconds it still takes, about; 0 for those that have ended, NaN where a model's facts are not known.

    A trial goes by its own rows as soon as it has some. The others go by their size, corrected by how far the trials
    measured so far on the same device are from what theirs had promised.
    """
    promised = {
        outcome.trial: sqrt(prod(_computed_row(outcome.spec, outcome.candidate, run.evalset)))
        for outcome in run.outcomes
        if outcome.candidate
    }
    measured = {
        outcome.trial: sum(chunk.seconds for chunk in outcome.chunks) / rows
        for outcome in run.outcomes
        if (rows := sum(len(chunk.positions) for chunk in outcome.chunks))
    }
    errors: dict[str, list[float]] = defaultdict(list)
    for outcome in run.outcomes:
        if measured.get(outcome.trial) and outcome.trial in promised:
            errors[outcome.spec.variant.device].append(log(measured[outcome.trial] / promised[outcome.trial]))
    left = {}
    for outcome in run.outcomes:
        known = errors[outcome.spec.variant.device]
        correction = exp(sum(known) / len(known)) if known else 1.0
        row = measured.get(outcome.trial) or promised.get(outcome.trial, nan) * correction
        runs = outcome.status in ("queued", "running") and outcome.spec.source != stored.SOURCE
        left[outcome.trial] = _seconds_left(outcome, row) if runs else 0.0
    return left


def _seconds_left(outcome: Outcome, row_seconds: float) -> float:
    done = {series.batch_size for series in outcome.latency}
    sizes = [size for size in outcome.spec.protocol.latency_batch_sizes if size not in done]
    timing = _latency_seconds(outcome.spec, row_seconds, sizes)
    usual = sqrt(prod(registry.backend(outcome.spec.variant.backend).load_seconds))
    loading = 0.0 if outcome.stage in ("quality", "ready", "latency", "server") else usual
    server = _server_seconds(outcome.spec.protocol, row_seconds)
    return loading + (outcome.rows_total - outcome.rows_done) * row_seconds + timing + server


def _key(spec: TrialSpec) -> tuple[object, ...]:
    return (spec.source, spec.model, spec.revision, spec.variant, spec.hardware, spec.task)


def _measured_row(outcome: Outcome) -> tuple[float, float]:
    """Least and most seconds of one row, from an earlier trial."""
    rows = sum(len(chunk.positions) for chunk in outcome.chunks)
    seconds = sum(chunk.seconds for chunk in outcome.chunks) / max(rows, 1)
    return seconds * SPREAD[0], seconds * SPREAD[1]


def _computed_row(spec: TrialSpec, candidate: Candidate, evalset: EvalSet) -> tuple[float, float]:
    """The same from sizes: a forward pass takes about two operations per parameter and token (Kaplan et al., 2020)."""
    tokens = _tokens(evalset)
    if registry.task(spec.task).generates:
        tokens += spec.protocol.max_new_tokens * spec.protocol.num_beams
    work = 2.0 * (candidate.parameters or UNKNOWN_PARAMETERS) * tokens
    units = (spec.variant.threads or environment.cores()) if spec.variant.device == "cpu" else 1
    slow, fast = FLOPS.get(spec.variant.device, FLOPS["cpu"])
    return work / (fast * units), work / (slow * units)


def _tokens(evalset: EvalSet) -> float:
    """Tokens of a row, on average."""
    lengths = [sum(len(value) for value in row.values() if isinstance(value, str)) for row in evalset.inputs]
    return sum(min(length / CHARACTERS_PER_TOKEN + 2, LONGEST) for length in lengths) / max(len(lengths), 1)


def _timing_seconds(spec: TrialSpec, row_seconds: float) -> float:
    sizes = spec.protocol.latency_batch_sizes
    return _latency_seconds(spec, row_seconds, sizes) + _server_seconds(spec.protocol, row_seconds)


def _latency_seconds(spec: TrialSpec, row_seconds: float, sizes: Collection[int]) -> float:
    """Models that write are timed a second time, at a fixed length."""
    found = _series_seconds(spec.protocol, row_seconds, sizes)
    if registry.task(spec.task).generates:
        found += _series_seconds(latency.shorter(spec.protocol), row_seconds, sizes)
    return found


def _series_seconds(protocol: Protocol, row_seconds: float, sizes: Collection[int]) -> float:
    calls = protocol.min_calls + protocol.warmup
    return sum(min(max(calls * size * row_seconds, protocol.min_seconds), 2 * protocol.max_seconds) for size in sizes)


def _server_seconds(protocol: Protocol, row_seconds: float) -> float:
    """A search around the rate of single calls."""
    if protocol.server_p99_ms is None or not row_seconds > 0:
        return 0.0
    rate = max(1 / row_seconds, serving.lowest_rate(protocol))
    return SERVER_RATES * serving.requests_at(rate, protocol) / rate


def _basis(measured: int, trials: int) -> str:
    if not trials:
        return "No model runs: predictions made elsewhere are only scored."
    if measured == trials:
        return "Measured on this machine before."
    if measured:
        return f"{measured} of {trials} trials were measured on this machine before; the others go by their size."
    return "By the number of parameters and the length of the rows; nothing was measured yet."
