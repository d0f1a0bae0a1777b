"""The GPU paths, on stand-ins for `torch.cuda` and `torch.mps` that record what is asked of them."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from core.engine import environment
from core.engine.backends.pytorch import BACKEND
from core.engine.backends.torch_devices import Cpu, Cuda, Mps
from core.errors import TrialFailed
from core.records import Variant


class FakeCuda:
    def __init__(self, tf32=True):
        self.Event, self.is_tf32_supported = FakeEvent, lambda: tf32
        self.calls, self.held, self.most = [], 3_000_000, 9_000_000

    def get_device_name(self):
        return "Tesla T4"

    def synchronize(self):
        self.calls.append("synchronize")

    def reset_peak_memory_stats(self):
        self.calls.append("reset")
        self.most = self.held

    def memory_allocated(self):
        return self.held

    def max_memory_allocated(self):
        return self.most

    def empty_cache(self):
        self.calls.append("empty")


class FakeEvent:
    """Events of a device whose clock stands at so many milliseconds."""

    now = 0.0

    def __init__(self, enable_timing=False):
        assert enable_timing

    def record(self):
        self.at = FakeEvent.now

    def elapsed_time(self, end):
        return end.at - self.at


class FakeMps:
    Event = FakeEvent

    def __init__(self):
        self.held = 0

    def synchronize(self):
        pass

    def current_allocated_memory(self):
        return self.held

    def empty_cache(self):
        self.held = 0


def test_cuda_is_waited_for_and_asked_for_its_own_peak():
    fake = FakeCuda()
    device = Cuda(fake)
    device.synchronize()
    assert (device.title(), device.allocated_bytes(), device.peak_bytes()) == ("Tesla T4", 3_000_000, 9_000_000)
    device.reset_peak()
    device.empty_cache()
    assert fake.calls == ["synchronize", "reset", "empty"]
    assert device.peak_bytes() == 3_000_000


def test_the_peak_of_an_apple_gpu_is_the_most_seen_when_it_was_waited_for():
    fake = FakeMps()
    device = Mps(fake)
    for held in (10, 50, 20):
        fake.held = held
        device.synchronize()
    assert (device.allocated_bytes(), device.peak_bytes()) == (20, 50)
    device.reset_peak()
    assert device.peak_bytes() == 20


@pytest.mark.parametrize("device", [Cuda(FakeCuda()), Mps(FakeMps())])
def test_a_gpu_tells_by_its_own_clock_how_long_it_worked(device, monkeypatch):
    monkeypatch.setattr(FakeEvent, "now", 4.0)
    began = device.mark()
    monkeypatch.setattr(FakeEvent, "now", 6.5)
    ended = device.mark()
    device.synchronize()
    assert device.nanoseconds(began, ended) == 2_500_000


def backends():
    kinds = {name: SimpleNamespace(fp32_precision="none") for name in ("matmul", "conv", "rnn")}
    return SimpleNamespace(
        cuda=SimpleNamespace(matmul=kinds["matmul"]), cudnn=SimpleNamespace(conv=kinds["conv"], rnn=kinds["rnn"])
    ), kinds


@pytest.mark.parametrize(("dtype", "precision"), [("float32", "ieee"), ("bfloat16", "ieee"), ("tf32", "tf32")])
def test_float32_is_multiplied_exactly_unless_tf32_is_asked_for(dtype, precision):
    modules, kinds = backends()
    Cuda(FakeCuda(), modules).use(dtype)
    assert {one.fp32_precision for one in kinds.values()} == {precision}


def test_a_board_without_tf32_says_so_and_nothing_is_changed():
    modules, kinds = backends()
    with pytest.raises(TrialFailed, match="The Tesla T4 has no units for tf32") as caught:
        Cuda(FakeCuda(tf32=False), modules).use("tf32")
    assert caught.value.kind == "unsupported"
    assert {one.fp32_precision for one in kinds.values()} == {"none"}


def test_the_words_of_the_installed_torch_are_the_ones_that_are_set():
    code = (
        "import torch; from core.engine.backends.torch_devices import Cuda;"
        "torch.cuda.is_tf32_supported = lambda: True; b = torch.backends;"
        "told = lambda: (b.cuda.matmul.fp32_precision, b.cudnn.conv.fp32_precision, b.cudnn.rnn.fp32_precision);"
        "device = Cuda(torch.cuda, b); device.use('tf32'); print(*told()); device.use('float32'); print(*told());"
        # torch.compile asks by the older name, which refuses to answer where the two contradict each other.
        "print(torch.get_float32_matmul_precision())"
    )
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert (told.stdout.split(), told.stderr) == (["tf32"] * 3 + ["ieee"] * 3 + ["highest"], "")


def test_the_cpu_has_no_memory_of_its_own_no_clock_and_no_copies():
    device = Cpu()
    device.use("float32")
    device.synchronize()
    assert device.ahead() is device.mark() is device.nanoseconds(None, None) is None
    assert device.allocated_bytes() is device.peak_bytes() is device.title() is None


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        (Variant(device="tpu"), "no device 'tpu', only cpu, cuda, mps"),
        (Variant(dtype="int8"), "no dtype 'int8', only float32, bfloat16, float16"),
        (Variant(quantization="nf4"), "does not quantize; the variant asks for 'nf4'"),
        (Variant(device="cuda"), "no cuda device; found Small CPU"),
        (Variant(device="mps"), "no mps device; found Small CPU"),
    ],
)
def test_what_cannot_run_here_is_said_with_what_was_found(monkeypatch, variant, words):
    monkeypatch.setattr(environment, "devices", lambda: (environment.Device("cpu", "Small CPU"),))
    assert words in BACKEND.unsupported(variant)


def test_a_gpu_is_of_no_use_to_a_torch_built_for_the_cpu(monkeypatch):
    found = (environment.Device("cpu", "CPU"), environment.Device("cuda", "Tesla T4", 16106))
    monkeypatch.setattr(environment, "devices", lambda: found)
    monkeypatch.setattr(environment, "version", lambda package: "2.13.0+cpu")
    assert "built for the CPU only" in BACKEND.unsupported(Variant(device="cuda"))
    monkeypatch.setattr(environment, "version", lambda package: "2.13.0+cu130")
    assert BACKEND.unsupported(Variant(device="cuda")) is None


def test_the_cpu_always_runs():
    for dtype in set(BACKEND.dtypes) - {"tf32"}:
        assert BACKEND.unsupported(Variant(dtype=dtype)) is None


def test_tf32_is_refused_where_there_is_no_cuda(monkeypatch):
    found = (environment.Device("cpu", "CPU"), environment.Device("cuda", "A10"), environment.Device("mps", "M4 GPU"))
    monkeypatch.setattr(environment, "devices", lambda: found)
    monkeypatch.setattr(environment, "version", lambda package: "2.13.0+cu130")
    for device in ("cpu", "mps"):
        assert f"it needs the device 'cuda', not '{device}'" in BACKEND.unsupported(Variant(device, "tf32"))
    assert BACKEND.unsupported(Variant("cuda", "tf32")) is None
