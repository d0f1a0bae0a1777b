"""OpenVINO on the CPU: the exported graph, its precision pinned (left alone it takes bfloat16 without a word)."""

# ruff: noqa: D102 - Backend in `base` says what the methods do

from __future__ import annotations

from pathlib import Path

from core.engine import environment
from core.engine.backends import onnx_graph
from core.engine.backends.base import obstacle
from core.engine.backends.onnx_graph import Arrays, Run
from core.engine.backends.pytorch import MODULES, TorchSession, import_all, prepare, versions
from core.errors import TrialFailed
from core.records import Variant
from core.tasks.base import Task

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """The backend `openvino`."""

    name = "openvino"
    title = "OpenVINO"
    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = tuple(PRECISIONS)
    quantizations: tuple[str | None, ...] = (None,)
    packages: tuple[str, ...] = ("openvino==2026.4.1", *onnx_graph.PACKAGES)
    load_seconds = (10.0, 90.0)

    def unsupported(self, variant: Variant) -> str | None:
        return obstacle(self, variant)

    def start(self) -> None:
        import_all((*MODULES, "openvino"))

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        device = prepare(self, folder, variant)
        threads = variant.threads or environment.cores()
        model, processor, seconds = onnx_graph.task_model(
            folder, task, lambda file: open_graph(file, PRECISIONS[variant.dtype], threads), quantized=False
        )
        facts = {**versions(self), "threads": threads, "attention": None}
        return TorchSession(model, processor, task, device, facts).prepared(seconds)


def open_graph(file: Path, precision: str, threads: int) -> Run:
    """The graph in OpenVINO. Raises TrialFailed where this processor does not know the precision."""
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(str(file), "CPU", hints)
    taken = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if taken != precision:
        raise TrialFailed("unsupported", f"OpenVINO runs at {taken} on this processor, not at {precision}.")
    request = compiled.create_infer_request()
    known = {one.any_name for one in compiled.inputs}
    outputs = [one.any_name for one in compiled.outputs]

    def run(inputs: Arrays) -> Arrays:
        wanted = {name: array for name, array in inputs.items() if name in known}
        try:
            request.infer(wanted, share_inputs=True)
        except RuntimeError as error:
            raise TrialFailed("unsupported", f"OpenVINO cannot run the exported graph: {error}") from None
        return {name: request.get_tensor(name).data.copy() for name in outputs}

    return run


BACKEND = OpenVino()
