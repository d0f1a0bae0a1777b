"""A decision as a one-page record, read out of its evidence alone: what was signed stays as it was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core import codec, registry
from core.analysis.answer import shipped
from core.analysis.intervals import Interval
from core.analysis.wording import NOTHING, left_the_race, limits_in_words
from core.records import Limits, Stopped, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.metrics.base import Metric


@dataclass(frozen=True)
class Line:
    """A trial with a result. Numbers that do not exist are NaN."""

    trial: str
    name: str
    verdict: str
    score: Interval
    """Of the headline metric."""
    p50_ms: float
    """At the smallest measured batch size; so is `p95_ms`."""
    p95_ms: float
    memory_mb: float


@dataclass(frozen=True)
class Record:
    """What stands on the page."""

    heading: str
    rule: str
    """What the rule picks, and why."""
    metric: Metric
    """The headline."""
    data: str
    limits: tuple[str, ...]
    """One phrase each; empty where nothing was limited."""
    chosen: Line | None
    lines: tuple[Line, ...]
    """Trials with a result, best first, the chosen one among them."""
    without_result: tuple[str, ...]
    """Name of each other trial, and why."""


def record(evidence: Mapping[str, Any], trial: str | None) -> Record:
    """The choice of `trial` under that evidence (`core.review.evidence`); None: nobody is chosen."""
    trials = {one["trial"]: one for one in evidence["trials"]}
    ranked = [trials[id] for id in evidence["ranking"]]
    lines = tuple(_line(one, evidence) for one in ranked if one["status"] == "done")
    others = (one for one in ranked if one["status"] != "done")
    return Record(
        heading=_heading(trials.get(trial or "")),
        rule=_rule(evidence, trials, trial),
        metric=registry.metric(evidence["headline"], registry.task(evidence["task"])),
        data=_data(evidence),
        limits=tuple(limits_in_words(codec.decode(Limits, evidence["limits"]))),
        chosen=next((line for line in lines if line.trial == trial), None),
        lines=lines,
        without_result=tuple(f"{one['name']}: {_why_not(one)}" for one in others),
    )


def _heading(chosen: Mapping[str, Any] | None) -> str:
    if chosen is None:
        return "No trial can be shipped"
    variant = Variant(chosen["device"], chosen["dtype"], chosen["backend"], chosen["quantization"])
    return "Ship {}{}".format(*shipped(chosen["source"], chosen["model"], variant))


def _rule(evidence: Mapping[str, Any], trials: Mapping[str, Any], trial: str | None) -> str:
    reason, winner = str(evidence["winner_reason"]), evidence["winner"]
    if trial == winner:
        return reason
    return f"Chosen by hand: the rule picks {trials[winner]['name'] if winner else 'none'}. {reason}"


def _data(evidence: Mapping[str, Any]) -> str:
    data = evidence["dataset"]
    return f"{registry.task(evidence['task']).title} on {data['rows']:,} rows of {data['id'] or NOTHING}"


def _line(trial: Mapping[str, Any], evidence: Mapping[str, Any]) -> Line:
    score = trial["metrics"][evidence["headline"]]
    times: Mapping[str, Any] = next(iter(trial["latency_ms"].values()), {})
    return Line(
        trial=trial["trial"],
        name=trial["name"],
        verdict=_verdict(trial, evidence),
        score=Interval(*(_number(score[bound]) for bound in ("value", "low", "high"))),
        p50_ms=_number(times.get("p50")),
        p95_ms=_number(times.get("p95")),
        memory_mb=_number(trial["memory_mb"].get("peak")),
    )


def _verdict(trial: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    if stopped := trial.get("stopped"):
        metric = registry.metric(evidence["headline"], registry.task(evidence["task"]))
        return left_the_race(codec.decode(Stopped, stopped), metric.percent)
    if trial["limit_violations"]:
        return f"✗ {'; '.join(trial['limit_violations'])}"
    if trial["trial"] == evidence["winner"]:
        word = "★ winner"
    else:
        word = "≈ tied with the best" if trial["trial"] in evidence["tied_with_best"] else "significantly worse"
    return "; ".join((word, *trial["limits_unknown"]))


def _why_not(trial: Mapping[str, Any]) -> str:
    return str(trial["error"]["message"] if trial["error"] else trial["status"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
