"""Models and devices that fail: each becomes a failure with what was found and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import codec, registry
from core.engine import environment, quality, worker
from core.engine.backends.pytorch import BACKEND, TorchSession
from core.engine.backends.torch_devices import Cpu
from core.engine.backends.torch_faults import gpu_fault
from core.engine.backends.torch_loading import is_out_of_memory, loading
from core.engine.events import Event, Failed, Note, Rows, from_json
from core.engine.room import check_room
from core.engine.worker import Job
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Context
from tests.engine.tiny import LABELS

TASK = registry.task("text-classification")
LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported at some other call"
ASSERT = "CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."
NO_DEVICE = "CUDA error: no CUDA-capable device is detected"
NO_CODE = "CUDA error: no kernel image is available for execution on the device"


def weights(folder: Path, parameters: int, name: str = "model.safetensors") -> None:
    """A file that claims so many float32 parameters. It has a hole where they should be, and takes no disk."""
    tensor = {"dtype": "F32", "shape": [parameters], "data_offsets": [0, 4 * parameters]}
    header = json.dumps({"one": tensor}).encode()
    with (folder / name).open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 4 * parameters)


# --- memory --------------------------------------------------------------------------------------------------------


def test_a_model_larger_than_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    weights(tmp_path, 2 * environment.ram_mb() * 250_000)
    with pytest.raises(TrialFailed) as caught:
        check_room(tmp_path, Variant())
    assert caught.value.kind == "out_of_memory"
    figures = f"The weights alone take {2 * environment.ram_mb():,} MB at float32; the machine has free "
    assert figures in str(caught.value)
    assert "smaller model" in caught.value.hint


@pytest.mark.parametrize(
    ("variant", "fits"),
    [(Variant(), False), (Variant(dtype="bfloat16"), True), (Variant(backend="torchao", quantization="int8"), True)],
)
def test_what_counts_is_what_the_variant_makes_of_the_weights(tmp_path: Path, variant: Variant, fits: bool) -> None:
    weights(tmp_path, 30_000_000, "model-00001-of-00002.safetensors")
    weights(tmp_path, 20_000_000, "model-00002-of-00002.safetensors")
    weights(tmp_path, 900_000_000, "another.safetensors")
    if fits:
        check_room(tmp_path, variant, limit_mb=120)
    else:
        with pytest.raises(TrialFailed, match=r"take 200 MB at float32; `max_memory_mb` allows 120 MB"):
            check_room(tmp_path, variant, limit_mb=120)


def test_on_a_gpu_its_own_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights(tmp_path, 5_000_000_000)
    monkeypatch.setattr(environment, "memory", lambda: {"cuda": 16_000, "cpu": 999_999})
    with pytest.raises(TrialFailed, match=r"take 20,000 MB at float32; the GPU has 16,000 MB"):
        check_room(tmp_path, Variant("cuda"))
    check_room(tmp_path, Variant("cuda", "float16"))


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense", 10**12])
def test_weights_that_cannot_be_read_are_left_to_who_loads_them(tmp_path: Path, content: bytes | int) -> None:
    damaged = content.to_bytes(8, "little") if isinstance(content, int) else content  # a header of a terabyte
    (tmp_path / "model.safetensors").write_bytes(damaged)
    check_room(tmp_path, Variant())
    check_room(tmp_path / "nothing", Variant())


def test_a_trial_of_a_model_that_is_too_large_ends_with_the_figures(
    classifier: Path, tmp_path: Path, rows: Any, spec: Callable[..., Any]
) -> None:
    folder = shutil.copytree(classifier, tmp_path / "large")
    weights(folder, 2 * environment.ram_mb() * 250_000)
    failure = failed(Job(spec(), str(folder), rows, LABELS))
    assert failure.kind == "out_of_memory"
    assert "The weights alone take " in failure.message


def test_a_single_row_that_does_not_fit_is_told_with_its_length(classifier: Path, rows: Any) -> None:
    session = failing(
        classifier, RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 GB")
    )
    events: list[Event] = []
    with pytest.raises(TrialFailed) as caught:
        quality.run(session, TASK, rows, Context(protocol=Protocol(batch_size=8)), done=(), emit=events.append)
    assert caught.value.kind == "out_of_memory"
    assert str(caught.value).startswith("A single row of 48 tokens does not fit: DefaultCPUAllocator: can't allocate")
    assert [event.text.split(":")[0] for event in events if isinstance(event, Note)] == [
        f"Out of memory with {count} rows of 48 tokens" for count in (8, 4, 2)
    ]


@pytest.mark.parametrize("text", ["CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"])
def test_memory_of_a_gpu_is_no_fault_of_it(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))


# --- a GPU that vanishes --------------------------------------------------------------------------------------------


def failing(folder: Path, error: Exception) -> TorchSession:
    """A session whose forward pass raises."""

    class Failing:
        labelled = False

        def collate(self, *told: Any) -> Any:
            return TASK.collate(*told)

        def forward(self, *told: Any) -> Any:
            raise error

    loaded = BACKEND.load(folder, TASK, Variant(threads=1))
    return TorchSession(loaded.model, loaded.processor, Failing(), Cpu())  # type: ignore[arg-type]


def failed(job: Job) -> Any:
    """How the worker of a job that fails ends."""
    sent: list[Event] = []
    told = iter([codec.dumps(job).encode(), b'{"do": "predict", "rows": null}'])
    assert worker._serve(lambda: next(told), lambda message: sent.append(from_json(message))) is False
    assert isinstance(sent[-1], Failed)
    return sent[-1].failure


@pytest.mark.parametrize(
    ("text", "kind", "message", "hint"),
    [
        (LOST, "crash", "The GPU stopped working in the middle of the trial: CUDA error: unspecified", "nvidia-smi"),
        (NO_DEVICE, "crash", "The GPU stopped working in the middle of the trial: CUDA error: no CUDA", "nvidia-smi"),
        (ASSERT, "crash", "The model read beyond one of its tables on the GPU: CUDA error: device-side", "on the CPU"),
        (NO_CODE, "unsupported", "The installed torch holds no code for this GPU: CUDA error: no kernel", "Install"),
    ],
)
def test_a_gpu_that_fails_in_the_middle_ends_the_trial_with_what_to_do(
    classifier: Path, rows: Any, spec: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    text: str, kind: str, message: str, hint: str,
) -> None:  # fmt: skip
    forward, calls = type(TASK).forward, []

    def vanish(self: Any, *told: Any) -> Any:
        calls.append(told)
        if len(calls) > 2:
            raise RuntimeError(text)
        return forward(self, *told)

    monkeypatch.setattr(type(TASK), "forward", vanish)
    failure = failed(Job(spec(protocol=Protocol(batch_size=8)), str(classifier), rows, LABELS))
    assert (failure.kind, failure.message[: len(message)]) == (kind, message)
    assert "\n" not in failure.message
    assert hint in failure.hint
    assert "Traceback" in failure.log_tail


def test_torchs_own_error_for_accelerators_is_known_by_its_type() -> None:
    import torch

    fault = gpu_fault(torch.AcceleratorError("HIP error: the device is gone"))
    assert fault is not None
    assert fault.message == "The GPU stopped working in the middle of the trial: HIP error: the device is gone"
    assert gpu_fault(RuntimeError("shapes do not match")) is None


def test_a_gpu_that_vanishes_while_weights_are_read_is_no_damaged_checkpoint() -> None:
    with pytest.raises(TrialFailed, match="The GPU stopped working") as caught, loading(Cpu()):
        raise RuntimeError(LOST)
    assert caught.value.kind == "crash"


# --- numbers that are none -------------------------------------------------------------------------------------------


def test_a_variant_that_overflows_is_told_to_take_another_precision(classifier: Path, rows: Any) -> None:
    import torch

    session = BACKEND.load(classifier, TASK, Variant(threads=1, dtype="float16"))
    with torch.no_grad():
        session.model.bert.encoder.layer[1].output.dense.weight.fill_(60_000)
    with pytest.raises(TrialFailed, match="not finite") as caught:
        quality.run(session, TASK, rows, Context(LABELS, LABELS), done=(), emit=lambda event: None)
    assert (caught.value.kind, "bfloat16 or float32" in caught.value.hint) == ("unsupported", True)


# --- tokenizers ------------------------------------------------------------------------------------------------------


def test_a_language_model_whose_tokenizer_cannot_pad_writes_in_batches_what_it_writes_alone(
    save: Callable[..., Path], rows: Any
) -> None:
    special = {"eos_token": "<end>", "bos_token": "<end>", "cls_token": "<end>"}
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 80, "bos_token_id": 4, "eos_token_id": 4}
    folder, task = save("GPT2Config", "GPT2LMHeadModel", special, **sizes), registry.task("text-generation")
    assert "pad_token" not in json.loads((folder / "tokenizer_config.json").read_text())
    session = BACKEND.load(folder, task, Variant(threads=1))
    assert session.processor.pad_token == "<end>"
    alone, together = (written(session, task, rows[:16], size) for size in (1, 16))
    assert together == alone
    assert len(set(alone.values())) > 1


def written(session: TorchSession, task: Any, rows: Any, size: int) -> dict[int, str]:
    found: dict[int, str] = {}

    def keep(event: Event) -> None:
        if isinstance(event, Rows):
            found.update(zip(event.positions, (one["answer"] for one in event.predictions), strict=True))

    context = Context(options={"chat_template": True}, protocol=Protocol(batch_size=size, max_new_tokens=12))
    quality.run(session, task, rows, context, done=(), emit=keep)
    return found
