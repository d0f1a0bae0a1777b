import sys

import numpy as np
import pytest

from core.engine.memory import COMPILING, LATENCY, LOAD, QUALITY, SCREENING, MemoryMeter


class OnCpu:
    def device_bytes(self):
        return None

    def device_peak_bytes(self):
        return None

    def reset_device_peak(self):
        pass


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


def test_each_phase_has_its_own_peak_and_the_copy_is_not_the_models():
    meter = MemoryMeter()
    held = np.ones(30_000_000, dtype=np.uint8)
    for phase, size in ((QUALITY, 60_000_000), (SCREENING, 150_000_000), (LATENCY.format(1), 1_000_000)):
        meter.begin(phase, OnCpu())
        np.ones(size, dtype=np.uint8).sum()
    peaks = meter.peaks_mb(OnCpu())
    assert list(peaks) == ["peak", LOAD, QUALITY, SCREENING, "latency_b1"]
    assert 25 < peaks[LOAD] < 50 < 85 < peaks[QUALITY] < 120 < 175 < peaks[SCREENING] < 220
    assert 25 < peaks["latency_b1"] < 50
    assert peaks["peak"] == peaks[QUALITY]
    assert held.size


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_what_was_freed_in_many_pieces_is_not_charged_to_the_next_phase():
    meter = MemoryMeter()
    held = [bytes(1000) for _ in range(200_000)]
    last = [bytes(1000)]
    del held
    meter.begin(QUALITY, OnCpu())
    peaks = meter.peaks_mb(OnCpu())
    assert peaks[LOAD] > 150
    assert peaks[QUALITY] < 60
    assert last


def test_what_screening_leaves_behind_is_not_charged_to_the_model():
    meter = MemoryMeter()
    model = np.ones(30_000_000, dtype=np.uint8)
    meter.begin(SCREENING, OnCpu())
    kernels = np.ones(80_000_000, dtype=np.uint8)
    meter.begin(LATENCY.format(1), OnCpu())
    np.ones(20_000_000, dtype=np.uint8).sum()
    peaks = meter.peaks_mb(OnCpu())
    assert peaks[SCREENING] > 105
    assert 45 < peaks["latency_b1"] < 65
    assert model.size + kernels.size


def test_a_phase_that_goes_on_keeps_its_peak():
    meter = MemoryMeter()
    meter.begin(QUALITY, OnCpu())
    np.ones(60_000_000, dtype=np.uint8).sum()
    meter.begin(SCREENING, OnCpu())
    meter.begin(QUALITY, OnCpu())
    assert 50 < meter.peaks_mb(OnCpu())[QUALITY] < 80


def test_what_a_compiler_leaves_behind_is_nobodys():
    meter = MemoryMeter()
    meter.begin(QUALITY, OnCpu())
    np.ones(10_000_000, dtype=np.uint8).sum()
    with meter.apart(COMPILING, OnCpu()):
        library = np.ones(80_000_000, dtype=np.uint8)
    np.ones(30_000_000, dtype=np.uint8).sum()
    with meter.apart(COMPILING, OnCpu()):
        library = library[:40_000_000].copy()
    meter.begin(LATENCY.format(1), OnCpu())
    np.ones(50_000_000, dtype=np.uint8).sum()
    peaks = meter.peaks_mb(OnCpu())
    assert 75 < peaks[COMPILING] < 100
    assert 5 < peaks[QUALITY] < 25 < 45 < peaks["latency_b1"] < 65
    assert peaks["peak"] == peaks["latency_b1"]
    assert library.size
