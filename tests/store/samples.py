"""Small prepared plans for the tests of store and jobs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.engine.prepare import Blocked, Prepared
from core.records import (
    Candidate,
    Chunk,
    DatasetSpec,
    EvalSet,
    Failure,
    LatencySeries,
    Plan,
    PlanCandidate,
    Protocol,
    ServerSeries,
    SkippedRow,
    TrialSpec,
    Variant,
)

FAST = Protocol(latency_batch_sizes=(), timeout_seconds=60)


def evalset(rows: int = 6, name: str = "rows") -> EvalSet:
    return EvalSet(
        id=f"{name}-{rows}",
        task="text-classification",
        ids=tuple(f"r{row}" for row in range(rows)),
        inputs=tuple({"text": f"Zeile {row} ß"} for row in range(rows)),
        references=tuple("positive" if row % 2 else "negative" for row in range(rows)),
        labels=("negative", "positive"),
        extras={"length": tuple(range(rows))},
        skipped=(SkippedRow(7, "empty text", {"text": ""}),),
    )


def candidate(model: str = "org/model", blocked: str | None = None) -> Candidate:
    return Candidate("hub", model, revision="a" * 40, labels=("NEG", "POS"), parameters=1000, blocked=blocked)


def prepared(
    models: Sequence[str] = ("org/a", "org/b"),
    *,
    rows: int = 6,
    variants: Sequence[Variant] = (Variant(),),
    protocol: Protocol = FAST,
    repeat: int = 0,
    hardware: str = "box",
    blocked: Sequence[str] = (),
) -> Prepared:
    """A plan over `models`, those in `blocked` refused."""
    data = evalset(rows)
    candidates = tuple(candidate(model, "a rule" if model in blocked else None) for model in models)
    metrics = ("accuracy",)
    specs = tuple(
        TrialSpec(
            "hub",
            one.id,
            one.revision or "",
            data.task,
            data.id,
            variant,
            metrics,
            protocol=protocol,
            hardware=hardware,
            repeat=repeat,
        )
        for one in candidates
        if not one.blocked
        for variant in variants
    )
    refused = tuple(
        Blocked(one.id, variant, Failure("unsupported", "It is refused: a rule.", "Choose another model."))
        for one in candidates
        if one.blocked
        for variant in variants
    )
    plan = Plan(
        data.task,
        DatasetSpec(path="rows.csv"),
        tuple(PlanCandidate(model) for model in models),
        tuple(variants),
        metrics,
        protocol=protocol,
    )
    return Prepared(plan, data, candidates, specs, blocked=refused)


def chunk(positions: Sequence[int], answer: str = "positive") -> Chunk:
    return Chunk(
        positions=tuple(positions),
        predictions=tuple({"answer": answer, "scores": {"positive": 0.25 + position}} for position in positions),
        statistics={
            "accuracy": np.array([[position % 2] for position in positions], dtype=np.uint8),
            "f1": np.arange(3.0 * len(positions)).reshape(len(positions), 3),
        },
        seconds=0.5 * len(positions),
        units=10 * len(positions),
    )


def rate(per_second: float) -> ServerSeries:
    return ServerSeries(per_second, 1000, (5_000_000, 7_000_000, 6_000_000), (1, 2), "together")


def series(batch_size: int = 1, first: int = 1000) -> LatencySeries:
    return LatencySeries(
        batch_size, (1, 2, 3), (first, 200, 300), (4, 5, 6), 9000, 2, (0, 1, 3), "together", (700, 800, 900)
    )
