"""The marks that the engine is to reach, and what the benchmarks say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from bench.simulation import POINT

Documents = Mapping[str, Mapping[str, Any]]
"""Name of a step of `bench.all` → its document."""

EXACT, SCREENED = "ours, exact", "ours, screened"
REAL_REPEATS = 5
RACES = 200
CLEAR = 1.15


@dataclass(frozen=True)
class Mark:
    """One line of the table."""

    text: str
    reached: str
    """What was measured; empty where nothing was."""
    ok: bool | None
    """None where it was not measured, or not as the mark asks."""

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "reached", False: "**missed**", None: "not measured"}[self.ok]


def marks(found: Documents) -> list[Mark]:
    """All of them, in order."""
    return [
        *_exact(found),
        _labels(found),
        _bare(found, EXACT, 0.95, "exact quality pass beside a bare sorted loop, 10,000 rows: ≥ 0.95 ×"),
        _bare(found, "ours, compiled", 1.1, "the same once its layers are compiled: ≥ 1.1 ×"),
        *_screened(found),
        _decision(found),
        *_winners(found),
        *_overhead(found),
        *_latency(found),
        *_runner(found),
    ]


def _exact(found: Documents) -> Iterator[Mark]:
    for contender, least, steps in (
        ("evaluate.evaluator", 2.5, ("short", "long", "questions")),
        ("pipeline, batch 32", 7.0, ("long",)),
        ("DataLoader, batch 32", 2.0, ("long",)),
    ):
        where = "" if len(steps) > 1 else ", long-tailed texts"
        yield _ratios(found, steps, contender, EXACT, least, f"exact quality pass vs {contender}{where}")


def _screened(found: Documents) -> Iterator[Mark]:
    steps, loop = ("thousands",), "screened vs the bare sorted float32 loop, 4,000 rows"
    yield _ratios(found, steps, "evaluate.evaluator", SCREENED, 7.0, "screened vs evaluate.evaluator, 4,000 rows")
    yield _ratios(found, steps, "bare sorted loop", SCREENED, 2.7, loop)
    shares = {
        (name, table["table"], table["model"]): line["equal"]
        for name, table in _tables(found, tuple(found))
        for line in table["lines"]
        if line["contender"] == SCREENED
    }
    same = sum(share == 1 for share in shares.values())
    reached = f"{same} of {len(shares)} pairs of model and texts" if shares else ""
    yield Mark("screened: labels identical to float32's", reached, same == len(shares) if shares else None)


def _ratios(found: Documents, steps: Sequence[str], contender: str, ours: str, least: float, text: str) -> Mark:
    """The least median over models and texts decides."""
    ratios = [
        (line[ours][0], f"{table['model']}, {name}")
        for name, table in _tables(found, steps)
        for line in table["lines"]
        if line["contender"] == contender and ours in line
    ]
    reached = "; ".join(f"{ratio:.2f} × ({where})" for ratio, where in ratios)
    return Mark(f"{text}: ≥ {least:g} ×", reached, min(ratios)[0] >= least if ratios else None)


def _labels(found: Documents) -> Mark:
    lines = [
        line
        for _, table in _tables(found, tuple(found))
        if table["table"] in ("short", "long", "compiled")
        for line in table["lines"]
        if not line["contender"].startswith("ours")
    ]
    text = "exact quality pass: labels equal to every float32 contender's, logits within 1e-4"
    if not lines:
        return Mark(text, "", None)
    furthest = max(line["difference"] or 0.0 for line in lines)
    equal = min(line["equal"] for line in lines)
    ok = equal == 1 and furthest <= 1e-4
    return Mark(text, f"{equal:.2%} of labels at least, logits within {furthest:.1e}", ok)


def _bare(found: Documents, ours: str, least: float, text: str) -> Mark:
    """The bare loop's seconds over ours, from medians where ours is not one of the two that ratios are taken to."""
    ratios = []
    for _, table in _tables(found, ("many",)):
        seconds = {line["contender"]: line["seconds"][0] for line in table["lines"]}
        if {"bare sorted loop", ours} <= set(seconds):
            ratios.append((seconds["bare sorted loop"] / seconds[ours], table["model"]))
    reached = "; ".join(f"{ratio:.2f} × ({model})" for ratio, model in ratios)
    return Mark(text, reached, min(ratios)[0] >= least if ratios else None)


def _decision(found: Documents) -> Mark:
    text = "decision, K = 10, all rows of SST-2, raced vs looped evaluator: ≥ 15 ×"
    repeats = found["decision"]["repeats"] if "decision" in found else []
    slow = [one["evaluator"]["seconds"] for one in repeats if "evaluator" in one]
    if not slow:
        return Mark(text, "", None)
    ratios = [median(slow) / one["raced"]["seconds"] for one in repeats]
    reached = f"{median(ratios):.1f} × [{min(ratios):.1f}, {max(ratios):.1f}], {found['decision']['rows']:,} rows"
    return Mark(text, reached, median(ratios) >= 15)


def _winners(found: Documents) -> Iterator[Mark]:
    text = f"winner within 1 point in ≥ 97 % of {RACES} simulated races, K = 10, N = 10,000"
    races = found.get("simulated", {}).get("races", {}).get("10000", [])
    share = fmean(one["behind_full"] <= POINT for one in races) if races else 0.0
    yield Mark(text, f"{share:.1%} of {len(races)}" if races else "", share >= 0.97 if len(races) >= RACES else None)
    repeats = found["decision"]["repeats"] if "decision" in found else []
    near = [behind(one) <= POINT for one in repeats]
    ok = all(near) if len(near) >= REAL_REPEATS else None
    yield Mark(f"and in {REAL_REPEATS} real ones", f"{sum(near)} of {len(near)}" if near else "", ok)


def behind(repeat: Mapping[str, Any]) -> float:
    """Accuracy of the best candidate of the full run, less that of the race's winner."""
    full = repeat["full"]["accuracies"]
    return float(max(full.values()) - full[repeat["raced"]["winner"]])


def _overhead(found: Documents) -> Iterator[Mark]:
    lines = found["overhead"]["lines"] if "overhead" in found else []
    times = [line["wall"][0] - 1 for line in lines]
    memory = [line["mb"][0] / line["loop_mb"][0] - 1 for line in lines]
    for what, values, most in (("time", times, 0.05), ("memory", memory, 0.10)):
        reached = f"{min(values):+.1%} to {max(values):+.1%}" if values else ""
        ok = max(values) <= most if values else None
        yield Mark(f"engine over the bare loop: {what} ≤ {most:.0%}", reached, ok)


def _latency(found: Documents) -> Iterator[Mark]:
    document = found.get("latency", {})
    line: Mapping[str, Any] = next((one for one in document.get("lines", []) if one["method"] == "together"), {})
    error, wrong, coverage = (line.get(name) for name in ("median_error", "wrong_order", "coverage"))
    text = "latency ratio beside a bursty neighbour: median error ≤ 3 %"
    yield Mark(text, "" if error is None else f"{error:.1%}", None if error is None else error <= 0.03)
    text = f"never the wrong order for a true ratio ≥ {CLEAR}"
    reached = "" if wrong is None else f"{wrong} of {line['runs']} at {document['truth']:.2f}"
    yield Mark(text, reached, None if wrong is None else wrong == 0)
    text = "its 95 % interval holds the truth in ≥ 90 %"
    yield Mark(text, "" if coverage is None else f"{coverage:.0%}", None if coverage is None else coverage >= 0.9)


def _runner(found: Documents) -> Iterator[Mark]:
    runs = found["runner"]["runs"] if "runner" in found else []
    begin = [seconds for run in runs for seconds in run["begin"]]
    reached = f"median {median(begin):.2f} s, most {max(begin):.2f} s" if begin else ""
    text = "a second trial in a warm fork server: first batch within 0.5 s + model load"
    yield Mark(text, reached, max(begin) <= 0.5 if begin else None)
    shares = "; ".join(f"{run['share']:.1%} ({run['way']})" for run in runs)
    text = "10 candidates in the queue: share of wall time in forward passes ≥ 85 %"
    yield Mark(text, shares, min(run["share"] for run in runs) >= 0.85 if runs else None)


def _tables(found: Documents, steps: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Tables of the quality pass, with the name of their step."""
    for name in steps:
        for table in found.get(name, {}).get("tables", []):
            yield name, table
