"""A small run measured for real, in this process: what an export is made of in life."""

from __future__ import annotations

import json
from pathlib import Path

from core import codec, registry
from core.engine import events
from core.engine.plan import parse
from core.engine.prepare import Prepared, prepare
from core.engine.worker import Job, run_trial
from core.metrics.scoring import statistics
from core.records import Chunk, EvalSet, Outcome, Plan, RunResult, TrialSpec
from tests.tasks.tiny import texts
from tests.tasks.tiny_text import tiny

QUICK = {"batch_sizes": [1], "min_calls": 3, "min_seconds": 0.001, "warmup": 1}
LABELS = {"LABEL_0": "praise", "LABEL_1": "complaint", "LABEL_2": "question"}


def save(architecture: str, folder: Path) -> Path:
    """The tiny model as a checkpoint on disk."""
    made = tiny(architecture)
    made.model.save_pretrained(folder)
    made.processor.save_pretrained(folder)
    return folder


def plan(folder: Path, task: str) -> Plan:
    """Twelve rows and one tiny model, for that task."""
    folder.mkdir(parents=True)
    labelled = registry.task(task).labelled
    names = list(LABELS.values())
    rows = [
        {"id": f"00{row}", "body": text, "truth": names[row % 3] if labelled else " ".join(text.split()[:4])}
        for row, text in enumerate(texts(12))
    ]
    data = folder / "rows.json"
    data.write_text(json.dumps(rows), encoding="utf-8")
    model = save("distilbert" if labelled else "t5", folder / "tiny")
    reference = next(column.name for column in registry.task(task).columns if column.role == "reference")
    return parse(
        {
            "task": task,
            "dataset": {
                "path": str(data),
                "columns": {"text": "body", reference: "truth"},
                "sample": {"size": 9, "seed": 3},
            },
            "candidates": [{"model": str(model), **({"labels": LABELS} if labelled else {})}],
            "latency": QUICK,
            "generation": {"max_new_tokens": 8},
        }
    )


def measure(plan: Plan) -> RunResult:
    """The plan's run, its trials measured one after the other."""
    prepared = prepare(plan)
    outcomes = tuple(_measure(spec, prepared) for spec in prepared.specs)
    name = codec.identity(prepared.plan)
    return RunResult(name, prepared.plan, name, prepared.evalset, outcomes)


def _measure(spec: TrialSpec, prepared: Prepared) -> Outcome:
    said: list[events.Event] = []
    evalset = prepared.evalset
    run_trial(
        Job(spec, str(Path(spec.source) / spec.model), evalset.inputs, evalset.labels),
        emit=said.append,
        wait_turn=lambda: None,
    )
    done = said[-1]
    assert isinstance(done, events.Done)
    return Outcome(
        trial=codec.identity(spec),
        spec=spec,
        status="done",
        candidate=prepared.candidates[0],
        chunks=tuple(_chunk(event, spec, evalset) for event in said if isinstance(event, events.Rows)),
        latency=tuple(event.series for event in said if isinstance(event, events.Latency)),
        environment=done.environment,
    )


def _chunk(rows: events.Rows, spec: TrialSpec, evalset: EvalSet) -> Chunk:
    references = [evalset.references[position] for position in rows.positions]
    task = registry.task(spec.task)
    kept = [name for name in spec.metrics if registry.metric(name, task).stored]
    scored = statistics(task, kept, spec.options, evalset.labels, rows.predictions, references)
    return Chunk(rows.positions, rows.predictions, scored, rows.seconds, rows.units)
