"""PyTorch compiled by TorchInductor, for tasks that do not generate: shapes stay symbolic, so it compiles once."""

# ruff: noqa: D102 - Backend in `base` says what the methods do

from __future__ import annotations

import time
from pathlib import Path

from core.engine.backends.pytorch import MODULES, TorchSession, import_all, open_session, torch_obstacle
from core.engine.backends.torch_devices import open_device
from core.engine.backends.torch_loading import loading
from core.engine.backends.torch_regions import compiler_obstacle, import_compiler, set_up_compiler
from core.engine.backends.trial_run import example
from core.errors import TrialFailed
from core.records import Variant
from core.tasks.base import Task


class TorchCompile:
    """The backend `torch-compile`."""

    name = "torch-compile"
    title = "torch.compile"
    devices: tuple[str, ...] = ("cpu", "cuda")
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    quantizations: tuple[str | None, ...] = (None,)
    packages: tuple[str, ...] = ()
    load_seconds = (15.0, 120.0)

    def unsupported(self, variant: Variant) -> str | None:
        return compiler_obstacle(variant.device) or torch_obstacle(self, variant)

    def start(self) -> None:
        import_all(MODULES)
        import_compiler()

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        import torch.fx.experimental._config

        session = open_session(self, folder, task, variant)
        if task.generates and session.model.can_generate():
            raise TrialFailed("unsupported", "A growing text has a new shape at each token: nothing is compiled once.")
        set_up_compiler()
        # A batch of one is no special case: without this it would be compiled by itself.
        torch.fx.experimental._config.backed_size_oblivious = True
        started = time.perf_counter()
        with loading(open_device(variant.device)):
            session.model.compile(dynamic=True)
            pieces, context = example(task, session.model, session.processor)
            for batch in (pieces, pieces[:1]):
                session.forward(batch, context)
        return session.prepared(time.perf_counter() - started)


BACKEND = TorchCompile()
