"""The result of a run as one JSON document: DESIGN.md, section 4. Fields are added, never renamed.

A number that does not exist is `null`, never 0 and never NaN.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from core.analysis import latency_ratio, serving
from core.analysis.cost import ENERGY, joules_per_row
from core.analysis.intervals import UNDEFINED
from core.analysis.notes import notes, truncated_rows
from core.analysis.raced import raced
from core.analysis.ranking import Ranking, choose
from core.analysis.summary import Analysis, TrialSummary, analyse
from core.analysis.timing import LEAST_CALLS
from core.analysis.writing import speed_ratios, writings
from core.tasks.base import AUDIO_SECOND

if TYPE_CHECKING:
    from core.analysis.intervals import Interval
    from core.analysis.paired import Pair
    from core.analysis.serving import ScenarioRow, Server, TriedRate
    from core.analysis.timing import Latency
    from core.analysis.writing import Writing
    from core.records import Failure, RunResult

_ENVIRONMENT = ("cpu", "gpu", "torch", "transformers", "threads")


def report(run: RunResult) -> dict[str, Any]:
    """Everything a run found, as plain JSON values."""
    analysis = analyse(run)
    return document(analysis, choose(analysis))


def document(analysis: Analysis, ranking: Ranking) -> dict[str, Any]:
    """As `report`, of a run that is analysed and ranked already."""
    run, dataset = analysis.run, analysis.run.plan.dataset
    return {
        "run": run.id,
        "status": run.status,
        "created": run.created or None,
        "plan_hash": run.plan_hash,
        "task": run.plan.task,
        "headline": analysis.headline.name,
        "dataset": {
            "id": dataset.repo or (PurePath(dataset.path).name if dataset.path else None),
            "revision": dataset.revision,
            "config": dataset.config,
            "split": dataset.split,
            "evalset": run.evalset.id,
            "rows": len(run.evalset.ids),
            "labels": list(run.evalset.labels),
            "skipped": [{"row": skipped.row, "reason": skipped.reason} for skipped in run.evalset.skipped],
        },
        "race": asdict(race) if (race := raced(run)) else None,
        "trials": [_trial(analysis, ranking, trial) for trial in analysis.trials],
        "ranking": list(ranking.order),
        "tied_with_best": list(ranking.tied),
        "winner": ranking.winner,
        "winner_reason": ranking.reason,
        "pairs": [_pair(pair) for pair in analysis.pairs(baseline=ranking.leader)],
        **_timed_together(analysis, ranking),
        **_token_rates(analysis, ranking),
    }


def _timed_together(analysis: Analysis, ranking: Ranking) -> dict[str, Any]:
    """`latency_ratios`: a takes that many times as long as b, the chosen one; `noise_floor` by batch size.

    `latency_not_compared`: trials that were not timed together with b, by batch size, and why that is no ratio.
    """
    ratios, floors, refused = [], {}, {}
    for size in sorted({size for trial in analysis.finished for size in trial.latency}):
        against = latency_ratio.baseline(analysis, ranking, size)
        if against is not None:
            ratios += latency_ratio.ratios(analysis, against, size)
            if missing := latency_ratio.apart(analysis, against, size):
                refused[str(size)] = {"trials": missing, "reason": latency_ratio.APART}
        floor = latency_ratio.noise_floor(analysis, size)
        if floor is not None:
            floors[str(size)] = {
                "trial": floor.trial,
                "ratio": _number(floor.ratio.value),
                "low": _number(floor.ratio.low),
                "high": _number(floor.ratio.high),
                "cv": _number(floor.cv),
                "calls": floor.calls,
                "noisy": floor.noisy,
            }
    plain = [{name: _number(v) if isinstance(v, float) else v for name, v in asdict(one).items()} for one in ratios]
    return {"latency_ratios": plain, "latency_not_compared": refused, "noise_floor": floors}


def _token_rates(analysis: Analysis, ranking: Ranking) -> dict[str, Any]:
    """`token_rate_ratios`, of tasks that write: a writes so many times b's tokens per second, at a fixed length."""
    found = []
    for size in sorted({size for trial in analysis.finished for size in trial.latency}):
        against = latency_ratio.baseline(analysis, ranking, size)
        if against is not None:
            found += speed_ratios(analysis, against, size)
    plain = [{name: _number(v) if isinstance(v, float) else v for name, v in asdict(one).items()} for one in found]
    return {"token_rate_ratios": plain} if plain else {}


def _trial(analysis: Analysis, ranking: Ranking, trial: TrialSummary) -> dict[str, Any]:
    outcome, spec, facts = trial.outcome, trial.outcome.spec, trial.outcome.candidate
    written = writings(trial)
    environment = dict.fromkeys(_ENVIRONMENT) | dict(outcome.environment)
    return {
        "trial": outcome.trial,
        "name": trial.name,
        "model": spec.model,
        "revision": spec.revision,
        "source": spec.source,
        "license": facts.license if facts else None,
        "license_class": facts.license_class if facts else None,
        "parameters": facts.parameters if facts else None,
        "device": spec.variant.device or None,
        "dtype": spec.variant.dtype or None,
        "backend": spec.variant.backend,
        "quantization": spec.variant.quantization,
        "status": outcome.status,
        "error": _error(outcome.failure),
        "stopped": asdict(outcome.stopped) if outcome.stopped else None,
        "rows": len(trial.positions),
        "metrics": {
            name: {
                **_interval(score),
                "options": dict(analysis.options[name]),
                "signature": analysis.signatures[name] or None,
            }
            for name, score in trial.scores.items()
        },
        "latency_ms": {str(size): _latency(latency) for size, latency in trial.latency.items()},
        **({"generation": {str(size): _writing(one) for size, one in written.items()}} if written else {}),
        "throughput": {
            "rows_per_second": _number(trial.speed.rows_per_second),
            "tokens_per_second": _number(trial.speed.units_per_second) if analysis.task.unit == "token" else None,
            "unit": analysis.task.unit,
            "units_per_second": _number(trial.speed.units_per_second),
            "screened": trial.speed.screened,
            "rechecked": _number(trial.speed.rechecked),
            "real_time_factor": _number(trial.speed.real_time_factor) if analysis.task.unit == AUDIO_SECOND else None,
        },
        "scenarios": _scenarios(serving.scenario(trial)),
        "memory_mb": {"peak": None, "model": None} | {name: _number(mb) for name, mb in outcome.memory_mb.items()},
        "energy": {
            "joules": _number(outcome.environment.get("energy_joules")),
            "joules_per_row": _number(joules_per_row(outcome)),
            "sources": outcome.environment.get("energy_sources"),
            "counted": ENERGY if outcome.environment.get("energy_joules") is not None else None,
        },
        "load_seconds": _number(outcome.load_seconds),
        "meets_limits": trial.id not in ranking.excluded if trial in analysis.ranked else None,
        "limit_violations": list(ranking.excluded.get(trial.id, ())),
        "limits_unknown": list(ranking.unknown.get(trial.id, ())),
        "truncated_rows": truncated_rows(outcome),
        "notes": list(notes(outcome, analysis.run.outcomes)),
        "environment": environment,
    }


def _error(failure: Failure | None) -> dict[str, str] | None:
    return asdict(failure) if failure else None


def _latency(latency: Latency) -> dict[str, Any]:
    """Calls, mean, and every percentile with its interval; null where there are too few calls."""
    numbers: dict[str, Any] = {"calls": latency.calls, "mean": _number(latency.mean)}
    for percentile in LEAST_CALLS:
        found = latency.tail(percentile)
        numbers[f"p{percentile}"] = _number(found.value if found else None)
        numbers[f"p{percentile}_low"] = _number(found.low if found else None)
        numbers[f"p{percentile}_high"] = _number(found.high if found else None)
    stages = {stage: _number(mean) for stage, mean in latency.stages.items()}
    return numbers | {
        "first_call": _number(latency.first_call),
        "stages": stages,
        "forward_on_gpu": _number(latency.device),
    }


def _writing(writing: Writing) -> dict[str, float | None]:
    """Times of tokens with their intervals, and what was written, of a trial that writes."""
    intervals = {
        **{f"first_token_ms_p{q}": writing.first_token_ms.get(q, UNDEFINED) for q in LEAST_CALLS},
        "token_ms": writing.token_ms,
        "tokens_per_second": writing.tokens_per_second,
    }
    ends = {
        f"{name}{end}": number
        for name, found in intervals.items()
        for end, number in zip(("", "_low", "_high"), _interval(found).values(), strict=True)
    }
    return {
        **ends,
        "tokens_per_row": _number(writing.tokens_per_row),
        "fixed_tokens_per_row": _number(writing.fixed_tokens),
    }


def _scenarios(row: ScenarioRow) -> dict[str, Any]:
    """What is known under the names of MLPerf's scenarios; `server` is null where it was not measured."""
    return {
        "single_stream": {"p90_ms": _number(row.single_stream_ms)},
        "multi_stream": {"rows": row.multi_stream_rows, "p90_ms": _number(row.multi_stream_ms)},
        "offline": {"rows_per_second": _number(row.offline), "screened": row.screened},
        "server": _server(row.server) if row.server else None,
    }


def _server(server: Server) -> dict[str, Any]:
    return {
        "p99_ms": server.bound_ms,
        "max_batch": server.max_batch,
        "highest_rate": _number(server.highest),
        "lost_rate": _number(server.lost),
        "least_rate": server.least_rate,
        "rates": [
            {
                **{name: _number(getattr(one, name)) for name in ("rate", "p50_ms", "mean_batch")},
                **{f"p99_ms{end}": number for end, number in zip(("", "_low", "_high"), _ends(one), strict=True)},
                **{name: getattr(one, name) for name in ("requests", "answered", "late", "held", "sure")},
            }
            for one in server.rates
        ],
    }


def _ends(tried: TriedRate) -> list[float | None]:
    return list(_interval(tried.p99_ms).values())


def _pair(pair: Pair) -> dict[str, Any]:
    numbers = {name: _number(getattr(pair, name)) for name in ("difference", "low", "high", "p", "p_holm")}
    return {"a": pair.a, "b": pair.b, "metric": pair.metric, **numbers, "rows": pair.rows}


def _interval(score: Interval) -> dict[str, float | None]:
    return {"value": _number(score.value), "low": _number(score.low), "high": _number(score.high)}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
