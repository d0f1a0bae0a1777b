"""The GPU paths, on stand-ins for `torch.cuda` and `torch.mps` that record what is asked of them."""

import pytest

from core.engine import environment
from core.engine.backends.pytorch import BACKEND
from core.engine.backends.torch_devices import Cpu, Cuda, Mps
from core.records import Variant


class FakeCuda:
    def __init__(self):
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


class FakeMps:
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


def test_the_cpu_has_no_memory_of_its_own():
    device = Cpu()
    device.synchronize()
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
    for dtype in BACKEND.dtypes:
        assert BACKEND.unsupported(Variant(dtype=dtype)) is None
