"""A checkpoint as an ONNX graph with free batch size and length, for the runtimes that run one.

The graph is made in a process of its own, so that the memory it takes is not charged to the runtime that runs it. It
lives as long as the process that asked for it. How a task's own `forward` runs on it: `task_model`.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from core import registry
from core.engine.backends.torch_devices import Cpu
from core.engine.backends.torch_loading import load_model, loading, quiet, skeleton
from core.engine.backends.trial_run import largest_call
from core.errors import TrialFailed
from core.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = ("onnx==1.23.2", "onnxscript==0.7.2")
"""What exporting takes besides torch."""
Arrays = Mapping[str, "NDArray[np.generic]"]
Run = Callable[[Arrays], Arrays]
"""A graph on its inputs by name; its outputs by name."""

PROTOBUF_BYTES = 2**31
"""A protobuf message is smaller than that: larger weights stand in a second file."""


def task_model(folder: Path, task: Task, open_graph: Callable[[Path], Run], quantized: bool) -> tuple[Any, Any, float]:
    """A model whose `forward` is a graph: all else of it is what transformers says, without weights.

    Args:
        folder: The checkpoint.
        task: What it is for.
        open_graph: Loads a file into the runtime.
        quantized: Dynamic int8 instead of float32.

    Returns:
        The model, its processor, and the seconds of the export, which an application pays once and ahead of time.

    Raises:
        TrialFailed: Kinds `load`, `unsupported` (it generates, or cannot be exported).
    """
    with loading(Cpu()):
        model = skeleton(folder, task)
        if task.generates and model.can_generate():
            raise TrialFailed("unsupported", "Only models that do not generate are exported to ONNX.")
        processor = task.load_processor(folder, model)
        started = time.perf_counter()
        file = graph(folder.resolve(), task.name, quantized)
        seconds = time.perf_counter() - started
        model.forward = _forward(model, open_graph(file))
    return model, processor, seconds


def _forward(model: Any, run: Run) -> Callable[..., Any]:
    """`forward` with the signature that tasks look at, from tensors to tensors, over arrays."""

    @wraps(model.forward)
    def forward(**inputs: Any) -> Any:
        import numpy as np
        import torch

        arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
        return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in run(arrays).items()})

    return forward


@cache
def graph(folder: Path, task: str, quantized: bool) -> Path:
    """The file of the graph. Raises TrialFailed (kinds `load`, `unsupported`)."""
    plain = None if not quantized else graph(folder, task, False)
    place = Path(tempfile.mkdtemp(dir=_place()))
    request = {"folder": str(folder), "task": task, "place": str(place), "plain": str(plain) if plain else None}
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(request)],
        env={**os.environ, "PYTHONPATH": root},
        cwd=place,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    report = place / "failure.json"
    if report.exists():
        failure = json.loads(report.read_text())
        raise TrialFailed(failure["kind"], failure["message"], failure["hint"], failure["log_tail"])
    if done.returncode:
        raise TrialFailed("unsupported", f"The export to ONNX ended with exit code {done.returncode}.")
    return place / "model.onnx"


@cache
def _place() -> str:
    """Where this process keeps graphs; a trial's process has a folder for temporary files of its own."""
    folder = tempfile.mkdtemp(prefix="onnx-", dir=os.environ.get("TMPDIR"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# --- in the exporting process --------------------------------------------------------------------------------------


def _main() -> None:
    request = json.loads(sys.argv[1])
    place = Path(request["place"])
    try:
        _lift_file_limit()
        if request["plain"]:
            _quantize(Path(request["plain"]), place / "model.onnx")
        else:
            _export(Path(request["folder"]), registry.task(request["task"]), place / "model.onnx")
    except TrialFailed as failed:
        _report(place, failed.kind, failed.message, failed.hint, failed.log_tail)
    except Exception as error:  # exporters fail in every way there is
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        tail = traceback.format_exc()[-4000:]
        _report(place, "unsupported", f"The model cannot be exported to ONNX: {reason}", "Use the backend torch.", tail)


def _report(place: Path, kind: str, message: str, hint: str, log_tail: str) -> None:
    report = {"kind": kind, "message": message, "hint": hint, "log_tail": log_tail}
    (place / "failure.json").write_text(json.dumps(report))


def _lift_file_limit() -> None:
    """A trial's files are limited to what a log may need; weights are larger."""
    if sys.platform == "win32":
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def _export(folder: Path, task: Task, file: Path) -> None:
    """Write the float32 graph of the call that the task makes; every axis that the model leaves free stays free."""
    import torch
    import transformers

    quiet(transformers)
    with loading(Cpu()):
        model = load_model(folder, task, "float32", Cpu())
        processor = task.load_processor(folder, model)
    inputs, outputs = largest_call(task, model, processor)
    free = tuple(dict.fromkeys(range(tensor.dim()), torch.export.Dim.AUTO) for tensor in inputs.values())
    with torch.no_grad():
        program = torch.onnx.export(
            _positional(model, list(inputs), list(outputs)).eval(),
            tuple(inputs.values()),
            dynamic_shapes=(free,),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamo=True,
            verbose=False,
        )
    if any(isinstance(one.shape[0], int) for one in program.model.graph.inputs):
        raise TrialFailed("unsupported", "The model only exports with a fixed batch size.", "Use the backend torch.")
    program.save(file, external_data=True)


def _positional(model: Any, inputs: list[str], outputs: list[str]) -> Any:
    """The model on tensors in order, with tensors in order as its answer: what a graph has."""
    import torch

    class Positional(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            answer = self.model(**dict(zip(inputs, tensors, strict=True)))
            return tuple(answer[name] for name in outputs)

    return Positional()


def _quantize(plain: Path, file: Path) -> None:
    """Weights of matrix products and embeddings to int8, by output channel; activations as they come, at each call."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(plain)
    # Shapes that the exporter noted no longer hold for the graph that the quantizer makes, and it trusts them.
    del model.graph.value_info[:]
    quantize_dynamic(
        model,
        file,
        per_channel=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=model.ByteSize() >= PROTOBUF_BYTES,
    )


if __name__ == "__main__":
    _main()
