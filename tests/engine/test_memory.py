import numpy as np

from core.engine.memory import MemoryMeter


class OnCpu:
    def device_bytes(self):
        return None

    def device_peak_bytes(self):
        return None


class OnGpu:
    def device_bytes(self):
        return 40_000_000

    def device_peak_bytes(self):
        return 70_000_000


def test_memory_is_what_came_after_the_meter_was_made():
    meter = MemoryMeter()
    held = np.ones(60_000_000, dtype=np.uint8)
    assert 55 < meter.held_mb(OnCpu()) < 75
    assert held.size
    del held
    assert meter.held_mb(OnCpu()) < 15


def test_the_peak_remembers_what_was_freed():
    meter = MemoryMeter()
    np.ones(60_000_000, dtype=np.uint8).sum()
    assert meter.peak_mb(OnCpu()) > 55


def test_the_peak_starts_anew_with_each_meter():
    np.ones(200_000_000, dtype=np.uint8).sum()
    assert MemoryMeter().peak_mb(OnCpu()) < 100


def test_on_a_gpu_its_own_counters_are_taken():
    meter = MemoryMeter()
    assert (meter.held_mb(OnGpu()), meter.peak_mb(OnGpu())) == (40.0, 70.0)
