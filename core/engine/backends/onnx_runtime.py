"""ONNX Runtime on the CPU: the exported graph at float32, or quantized to int8 as it runs."""

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


class OnnxRuntime:
    """The backend `onnxruntime`."""

    name = "onnxruntime"
    title = "ONNX Runtime"
    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = ("float32",)
    quantizations: tuple[str | None, ...] = (None, "int8")
    packages: tuple[str, ...] = ("onnxruntime==1.31.1", *onnx_graph.PACKAGES)
    load_seconds = (10.0, 90.0)

    def unsupported(self, variant: Variant) -> str | None:
        return obstacle(self, variant)

    def start(self) -> None:
        import_all((*MODULES, "onnxruntime"))

    def load(self, folder: Path, task: Task, variant: Variant) -> TorchSession:
        device = prepare(self, folder, variant)
        threads = variant.threads or environment.cores()
        model, processor, seconds = onnx_graph.task_model(
            folder, task, lambda file: open_graph(file, threads), variant.quantization == "int8"
        )
        facts = {**versions(self), "threads": threads, "attention": None}
        return TorchSession(model, processor, task, device, facts).prepared(seconds)


def open_graph(file: Path, threads: int) -> Run:
    """The graph in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning take the processor from whatever else runs on a shared machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    known = {one.name for one in session.get_inputs()}
    outputs = [one.name for one in session.get_outputs()]

    def run(inputs: Arrays) -> Arrays:
        wanted = {name: array for name, array in inputs.items() if name in known}
        try:
            return dict(zip(outputs, session.run(outputs, wanted), strict=True))
        except Exception as error:  # its exceptions share no class
            raise TrialFailed("unsupported", f"ONNX Runtime cannot run the exported graph: {error}") from None

    return run


BACKEND = OnnxRuntime()
