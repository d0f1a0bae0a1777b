import os

import pytest

from core.engine.energy import Counter, EnergyMeter, counters, gpu, rapl


class Zone:
    """A zone of a made-up powercap tree, in joules."""

    def __init__(self, root, path, name, joules, turn=262_143.0):
        self.folder = root / path
        self.folder.mkdir(parents=True)
        (self.folder / "name").write_text(f"{name}\n")
        (self.folder / "max_energy_range_uj").write_text(f"{int(turn * 1e6)}\n")
        self.show(joules)

    def show(self, joules):
        (self.folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")


def test_sockets_and_their_memory_are_counted_and_nothing_twice(tmp_path):
    Zone(tmp_path, "intel-rapl:0", "package-0", 100)
    Zone(tmp_path, "intel-rapl:0:0", "core", 60)
    Zone(tmp_path, "intel-rapl:0:1", "dram", 10)
    Zone(tmp_path, "intel-rapl:1", "package-1", 90)
    Zone(tmp_path, "intel-rapl:2", "psys", 400)
    Zone(tmp_path, "intel-rapl-mmio:0", "package-0", 100)
    assert [counter.name for counter in rapl(tmp_path)] == ["RAPL package-0", "RAPL dram", "RAPL package-1"]


def test_only_what_is_spent_between_start_and_sample_counts(tmp_path):
    zone, memory = Zone(tmp_path, "intel-rapl:0", "package-0", 100), Zone(tmp_path, "intel-rapl:0:1", "dram", 10)
    meter = EnergyMeter(rapl(tmp_path))
    assert meter.joules == 0
    zone.show(150)
    meter.start()
    zone.show(157.5)
    memory.show(12)
    meter.sample()
    assert meter.joules == pytest.approx(9.5)
    zone.show(1000)
    meter.start()
    zone.show(1001)
    meter.sample()
    assert meter.joules == pytest.approx(10.5)


def test_a_counter_that_starts_again_from_zero_loses_nothing(tmp_path):
    zone = Zone(tmp_path, "intel-rapl:0", "package-0", 990, turn=1000)
    meter = EnergyMeter(rapl(tmp_path))
    for shown in (5, 700, 20):
        zone.show(shown)
        meter.sample()
    assert meter.joules == pytest.approx(15 + 695 + 320)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the permissions of Unix")
def test_a_counter_that_only_root_may_read_is_left_out(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    zone = Zone(tmp_path, "intel-rapl:0", "package-0", 100)
    (zone.folder / "energy_uj").chmod(0)
    assert EnergyMeter(rapl(tmp_path)).joules is None


def refuse():
    raise PermissionError


def test_where_nothing_is_counted_the_energy_is_unknown_and_not_zero(tmp_path):
    assert rapl(tmp_path / "missing") == []
    for found in ([], [Counter("closed", refuse)]):
        meter = EnergyMeter(found)
        meter.start()
        meter.sample()
        assert (meter.joules, meter.sources) == (None, ())


def test_a_counter_that_vanishes_leaves_no_part_that_passes_for_the_whole(tmp_path):
    Zone(tmp_path, "intel-rapl:0", "package-0", 100)
    gone = Zone(tmp_path, "intel-rapl:1", "package-1", 100)
    meter = EnergyMeter(rapl(tmp_path))
    (gone.folder / "energy_uj").unlink()
    meter.sample()
    assert meter.joules is None


def test_a_damaged_zone_is_not_a_counter(tmp_path):
    zone = Zone(tmp_path, "intel-rapl:0", "package-0", 100)
    (zone.folder / "max_energy_range_uj").write_text("much")
    assert rapl(tmp_path) == []


class Driver:
    """The functions of NVML that are called, for boards that have spent so many millijoules."""

    def __init__(self, *millijoules, counts=True):
        self.millijoules, self.counts = millijoules, counts

    def nvmlInit_v2(self):
        return 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = len(self.millijoules)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):
        handle._obj.value = int(uuid.removeprefix(b"GPU-")) + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, energy):
        energy._obj.value = self.millijoules[handle.value - 1]
        return 0 if self.counts else 3


@pytest.mark.parametrize(
    ("driver", "visible", "joules"),
    [
        (Driver(7_000), "", 7),
        (Driver(7_000, 9_000), "GPU-1", 9),
        (Driver(7_000, 9_000), "", None),
        (Driver(7_000, 9_000), "GPU-0,GPU-1", None),
        (Driver(7_000, counts=False), "", None),
    ],
)
def test_the_gpu_is_counted_where_it_is_clear_which(monkeypatch, driver, visible, joules):
    monkeypatch.setattr("ctypes.CDLL", lambda name: driver)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    meter = EnergyMeter(gpu())
    assert bool(meter.sources) == (joules is not None)
    if joules is not None:
        driver.millijoules = tuple(one + 1_500 for one in driver.millijoules)
        meter.sample()
        assert meter.joules == 1.5
        assert gpu()[0].read() == joules + 1.5


def test_asking_this_machine_breaks_nothing():
    for device in ("cpu", "cuda"):
        meter = EnergyMeter(counters(device))
        meter.start()
        meter.sample()
        assert meter.joules is None or meter.joules >= 0
