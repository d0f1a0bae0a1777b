"""predict.py: the chosen model as a program of its own."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from core import options, registry
from core.catalog import SAMPLES, safety, stored
from core.errors import UserError
from core.export.base import fill
from core.export.text import one_line
from core.review import chosen

if TYPE_CHECKING:
    from core.records import Outcome, RunResult, TrialSpec


class Script:
    """A Python program that loads the chosen model as it was measured and answers what it is given."""

    name = "script"
    title = "Script"
    description = "A Python program that loads the model as it was measured and answers what it is given."
    filename = "predict.py"
    media_type = "text/x-python"
    companions = ()

    def render(self, run: RunResult, trial: str) -> bytes:
        """The program. Raises UserError for a runtime other than torch, which it could not load the same way."""
        outcome = chosen(run, trial)
        spec = outcome.spec
        if spec.source == stored.SOURCE:
            raise UserError(
                f"{Path(spec.model).name!r} holds predictions made elsewhere: there is no model to run.",
                "Choose a trial of a model to get a program.",
            )
        if spec.variant.backend != "torch" or spec.variant.quantization:
            how = spec.variant.quantization or spec.variant.backend
            raise UserError(f"No script can be written for a {how!r} trial yet.", "Choose a trial that runs on torch.")
        task = registry.task(spec.task)
        return fill(
            "predict.py.txt",
            spec=spec,
            requirements=_requirements(outcome),
            patterns=list(safety.ALLOW_PATTERNS),
            auto_classes=task.auto_classes,
            processor_class=task.processor_class,
            inputs={column.name: column for column in task.columns if column.role == "input"},
            folder=None if spec.source == "hub" else str(_folder(spec)),
            settings={
                "task": spec.task,
                "labels": dict(spec.labels),
                "classes": list(run.evalset.labels),
                "max_new_tokens": spec.protocol.max_new_tokens,
                "num_beams": spec.protocol.num_beams,
                **options.resolve(task.options, spec.options),
            },
            predict=inspect.getsource(task.script).rstrip(),
        )


def _folder(spec: TrialSpec) -> Path:
    """Where a model that is not on the Hub lies on this machine."""
    return (SAMPLES if spec.source == "samples" else Path(spec.source)) / spec.model


def _requirements(outcome: Outcome) -> str:
    """The versions it was measured with, as pip takes them; build marks like `+cpu` belong to one machine."""
    packages = ("torch", "transformers", "huggingface_hub")
    known = {name: str(outcome.environment.get(name) or "").partition("+")[0] for name in packages}
    return one_line(" ".join(f"{name}=={version}" if version else name for name, version in known.items()))


FORMAT = Script()
