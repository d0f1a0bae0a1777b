"""Who else works on the GPU, told by stand-ins for NVIDIA's library with its own structures."""

import os

import pytest

from core.engine import neighbours, nvml
from core.engine.neighbours import Neighbours, worst
from core.engine.nvml import Process


class Driver:
    """The functions of NVML that are called, for one board: its utilisation, and (pid, bytes) of its processes."""

    def __init__(self, percent=0, processes=(), joins=0):
        self.percent, self.processes, self.joins = percent, list(processes), joins

    def nvmlInit_v2(self):
        return 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        handle._obj.value = 1
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle, shares):
        shares._obj.gpu = self.percent
        return 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle, count, found):
        room, count._obj.value = count._obj.value, len(self.processes)
        if room < len(self.processes):
            self.processes += [(9000 + number, 1) for number in range(self.joins)]
            self.joins = 0
            return 7
        for place, (pid, size) in enumerate(self.processes):
            found[place].pid, found[place].bytes = pid, size
        return 0


class Silent(Driver):
    """A driver without permission to tell anything."""

    def nvmlDeviceGetUtilizationRates(self, handle, shares):
        return 4

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle, count, found):
        return 4


class Old(Driver):
    """A driver from before the third version of the list."""

    nvmlDeviceGetComputeRunningProcesses_v3 = property()


@pytest.fixture
def look(monkeypatch):
    monkeypatch.setattr(neighbours, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(neighbours, "gpus", lambda: (("A10", 24_000),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def with_driver(driver):
        monkeypatch.setattr("ctypes.CDLL", lambda name: driver)
        return neighbours.neighbours()

    return with_driver


ME = (os.getpid(), 700_000_000)


def test_processes_are_listed_whole_even_if_more_begin_meanwhile(monkeypatch):
    driver = Driver(processes=[(10, 5), (11, 2**64 - 1)], joins=3)
    monkeypatch.setattr("ctypes.CDLL", lambda name: driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = nvml.board().processes()
    assert found[:2] == [Process(10, 5), Process(11, None)]
    assert len(found) == 5


def test_others_are_counted_and_we_are_not(look):
    found = look(Driver(3, [ME, (1, 2_000_000_000), (2, 4_000_000_000)]))
    assert found == Neighbours(2, 6_000, 3.0)
    assert found.facts() == {"gpu_processes": 2, "gpu_processes_mb": 6_000, "gpu_busy_percent": 3.0}
    assert found.note() == (
        "The GPU was shared when latency was measured: 2 other processes hold 6,000 MB of its memory."
    )


def test_a_board_of_our_own_is_no_reason_for_a_note(look):
    assert look(Driver(0, [ME])) == Neighbours(0, 0, 0.0)
    assert look(Driver(0, [ME])).note() is None
    assert look(Driver(0, [ME, (1, 9_000_000)])).note() is None, "a desktop"


def test_work_of_others_is_a_note_with_its_share(look):
    note = look(Driver(35, [ME, (1, 2_000_000_000)])).note()
    assert note == (
        "The GPU was shared when latency was measured: other work took 35 % of its time, "
        "and another process holds 2,000 MB of its memory."
    )


def test_where_processes_have_other_numbers_nobody_is_taken_for_another(look):
    assert look(Driver(2, [(os.getpid() + 1_000_000, 700_000_000)])) == Neighbours(None, None, 2.0)


@pytest.mark.parametrize("driver", [Silent(), Old(0)])
def test_a_driver_that_does_not_tell_gives_no_numbers_and_no_note(look, driver):
    found = look(driver)
    assert (found.count, found.mb, found.note()) == (None, None, None)


def test_memory_that_is_not_told_is_no_zero(look):
    assert look(Driver(0, [ME, (1, 2**64 - 1)])) == Neighbours(1, None, 0.0)


def test_without_a_gpu_nobody_is_asked(monkeypatch):
    def missing(name):
        raise OSError("no such file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert neighbours.neighbours() is None


def test_of_several_looks_the_most_counts():
    assert worst([Neighbours(1, 500, None), None, Neighbours(0, 900, 40.0)]) == Neighbours(1, 900, 40.0)
    assert worst([Neighbours(None, None, None)]) == Neighbours(None, None, None)
    assert worst([None, None]) is None
