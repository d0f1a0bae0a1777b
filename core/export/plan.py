"""plan.yaml: the pinned plan, which measures the same models on the same rows again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from core.engine.plan import to_yaml
from core.export import rows
from core.export.text import one_line
from core.records import DatasetSpec
from core.review import chosen

if TYPE_CHECKING:
    from core.records import RunResult


class PlanFile:
    """The plan with every revision, column and label in it."""

    name = "plan"
    title = "Plan"
    description = "Re-run the comparison: the same models, revisions, rows and settings, with `python -m core run`."
    filename = "plan.yaml"
    media_type = "application/yaml"
    companions = ("rows",)

    def render(self, run: RunResult, trial: str) -> bytes:
        """The plan of the run; its comment names the chosen trial."""
        spec = chosen(run, trial).spec
        variant = ", ".join(filter(None, (spec.variant.device, spec.variant.dtype))) or spec.variant.backend
        header = [
            f"Chosen: {spec.model} at {spec.revision} ({variant}), trial {trial} of run {run.id}.",
            "Run everything again, in this folder: python -m core run plan.yaml",
        ]
        plan = replace(run.plan, dataset=portable(run))
        return ("".join(f"# {one_line(line)}\n" for line in header) + to_yaml(plan)).encode()


def portable(run: RunResult) -> DatasetSpec:
    """The data set as another machine finds it.

    A Hub data set is found by its name and revision. A local file is not, so its rows travel along: already drawn,
    already named in the task's words, hence without sample, column names or label names of the original.
    """
    spec = run.plan.dataset
    if spec.repo is not None:
        return spec
    return DatasetSpec(
        path=rows.FORMAT.filename,
        revision=hashlib.sha256(rows.lines(run.evalset)).hexdigest(),
        reader="jsonl",
        columns={word: word for word in rows.words(run.evalset)},
    )


FORMAT = PlanFile()
