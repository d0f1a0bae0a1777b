import dataclasses

import pytest

from core.data import label_tables
from core.engine import environment, grid
from core.engine.environment import Device
from core.records import Candidate, PlanCandidate, Variant

FULL, HALF = Variant(), Variant(dtype="bfloat16")
SMALL = Candidate("hub", "org/small", revision="1" * 40, parameters=1_000_000, labels=("a", "b"))
OTHER = dataclasses.replace(SMALL, id="org/other")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with one processor and 8 GB."""
    monkeypatch.setattr(environment, "devices", lambda: (Device("cpu", "a processor", 8000),))


def test_only_devices_that_are_there_are_offered_and_the_others_have_a_reason():
    assert {variant.device for variant in grid.variants()} == {"cpu"}
    assert set(grid.missing_devices()) == {"cuda", "mps"}
    assert "no cuda device" in grid.missing_devices()["cuda"]


def test_a_gpu_gets_its_columns(monkeypatch):
    found = (Device("cpu", "a processor", 8000), Device("cuda", "a board", 80_000))
    monkeypatch.setattr(environment, "devices", lambda: found)
    monkeypatch.setattr(environment, "version", lambda package: "2.13.0")
    assert [variant.device for variant in grid.variants()] == ["cpu"] * 3 + ["cuda"] * 4  # tf32
    assert set(grid.missing_devices()) == {"mps"}


def test_a_refused_model_and_open_labels_stand_against_every_cell():
    refused = dataclasses.replace(SMALL, id="org/refused", blocked="It holds code.")
    open_labels = dataclasses.replace(SMALL, id="org/numbers", labels=("LABEL_0", "LABEL_1"))
    rows = grid.grid([SMALL, refused, open_labels], label_tables([SMALL, refused, open_labels], ("a", "b")))
    assert rows[0].obstacle is None
    assert rows[1].obstacle == "It holds code."
    assert "stands for 'a', 'b'" in rows[2].obstacle


def test_a_model_that_may_not_fit_is_warned_of_where_it_may_not():
    (row,) = grid.grid([dataclasses.replace(SMALL, parameters=1_700_000_000)])
    assert {cell.variant.dtype: cell.warning is not None for cell in row.cells} == {
        "float32": True,
        "bfloat16": False,
        "float16": False,
    }


def test_a_full_grid_is_written_as_a_person_would():
    candidates, variants = grid.lay_out([(SMALL, (FULL, HALF)), (OTHER, (HALF, FULL))], {})
    assert variants == (FULL, HALF)
    assert [one.variants for one in candidates] == [None, None]


def test_a_candidate_with_fewer_ticks_names_its_own_and_one_without_stays_out():
    labels = {"org/small": {"a": "a", "b": "b"}}
    third = dataclasses.replace(SMALL, id="org/third")
    candidates, variants = grid.lay_out([(SMALL, (FULL,)), (OTHER, (FULL, HALF)), (third, ())], labels)
    assert variants == (FULL, HALF)
    assert candidates == (
        PlanCandidate("org/small", "hub", "1" * 40, labels["org/small"], (FULL,)),
        PlanCandidate("org/other", "hub", "1" * 40, {}, None),
    )


def test_no_tick_is_an_empty_plan():
    assert grid.lay_out([(SMALL, ())], {}) == ((), ())


def test_other_runtimes_are_offered_on_the_cpu_and_say_what_they_lack(monkeypatch):
    monkeypatch.setattr(environment, "version", lambda package: None if package == "onnxruntime" else "1")
    (row,) = grid.grid([SMALL])
    cells = {(cell.variant.backend, cell.variant.quantization or cell.variant.dtype): cell for cell in row.further}
    assert {("onnxruntime", "float32"), ("onnxruntime", "int8"), ("torchao", "int8"), ("bitsandbytes", "nf4")} <= set(
        cells
    )
    assert {cell.variant.device for cell in row.further} == {"cpu"}
    assert "pip install onnxruntime==" in cells["onnxruntime", "int8"].obstacle
    assert cells["torchao", "int8"].obstacle is None
    assert not {cell.variant.backend for cell in row.cells} - {"torch"}


def test_a_tick_in_another_runtime_is_in_the_plan():
    other = Variant(backend="onnxruntime", quantization="int8")
    candidates, variants = grid.lay_out([(SMALL, (FULL, other)), (OTHER, (FULL,))], {})
    assert variants == (FULL, other)
    assert [one.variants for one in candidates] == [None, (FULL,)]
