"""Every record survives being written and read, and is named by its content."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import count
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from core import codec, records
from core.records import Chunk, EvalSet, Limits, Plan, PlanCandidate, Protocol, TrialSpec, Variant

RECORDS = [cls for _, cls in inspect.getmembers(records, is_dataclass)]


def filled(kind: Any, numbers: count[int]) -> Any:
    """A value of that type, no two alike, and no field left at its default."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: filled(hints[field.name], numbers) for field in fields(kind)})
    if origin is Literal:
        return arguments[next(numbers) % len(arguments)]
    if origin in (Union, types.UnionType):
        return filled(next(argument for argument in arguments if argument is not type(None)), numbers)
    if origin is tuple:
        return tuple(filled(arguments[0], numbers) for _ in range(2))
    if origin is Mapping:
        return {f"key {next(numbers)}": filled(arguments[1], numbers) for _ in range(2)}
    if kind is Any:
        return {"name": f"ünï {next(numbers)}", "list": [next(numbers), None, 0.5], "flag": True}
    if kind is bool:
        return True
    return {str: "text {}".format, int: int, float: lambda number: number + 0.25}[kind](next(numbers))


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_a_record_with_every_field_filled_comes_back_equal(cls: type) -> None:
    record = filled(cls, count(1))
    assert codec.loads(cls, codec.dumps(record)) == record


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_a_decoded_record_has_the_identity_of_the_one_that_was_encoded(cls: type) -> None:
    record = filled(cls, count(1))
    assert codec.identity(codec.decode(cls, codec.encode(record))) == codec.identity(record)


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_any_changed_field_changes_the_identity(cls: type) -> None:
    one, other = filled(cls, count(1)), filled(cls, count(1000))
    for field in fields(cls):
        changed = replace(one, **{field.name: getattr(other, field.name)})
        if changed != one:
            assert codec.identity(changed) != codec.identity(one), field.name


def test_defaults_come_back_equal() -> None:
    plan = Plan(task="t", dataset=records.DatasetSpec(path="rows.csv"), candidates=(PlanCandidate("org/name"),))
    assert codec.loads(Plan, codec.dumps(plan)) == plan


def test_column_positions_stay_numbers_and_column_names_stay_text() -> None:
    spec = records.DatasetSpec(path="rows.tsv", columns={"text": 0, "label": "1"})
    assert codec.loads(records.DatasetSpec, codec.dumps(spec)).columns == {"text": 0, "label": "1"}


def test_a_whole_number_in_a_field_of_floats_does_not_change_the_identity() -> None:
    assert codec.identity(Limits(memory_mb=2000)) == codec.identity(Limits(memory_mb=2000.0))
    assert codec.identity(Limits(min_metrics={"f1": 1})) == codec.identity(Limits(min_metrics={"f1": 1.0}))
    assert codec.identity(Protocol(min_seconds=2)) == codec.identity(Protocol())


def test_the_order_of_keys_does_not_change_the_identity() -> None:
    spec = TrialSpec("hub", "a/b", "sha", "t", "rows", Variant(), ("f1",), labels={"a": "x", "b": "y"})
    assert codec.identity(replace(spec, labels={"b": "y", "a": "x"})) == codec.identity(spec)


def test_arrays_are_written_as_lists() -> None:
    chunk = Chunk((0, 1), ({"answer": "a", "score": np.float32(0.5)},) * 2, {"f1": np.eye(2, dtype=np.int8)}, 0.1, 7)
    written = json.loads(codec.dumps(chunk))
    assert written["statistics"] == {"f1": [[1, 0], [0, 1]]}
    assert written["predictions"][0] == {"answer": "a", "score": 0.5}


def test_several_references_of_a_row_stay_a_list() -> None:
    rows = EvalSet("id", "summarization", ("1",), ({"text": "long"},), (["short", "brief"],))
    assert codec.loads(EvalSet, codec.dumps(rows)).references == (["short", "brief"],)


def test_text_that_is_not_ascii_is_written_as_it_is() -> None:
    assert "Łódź 鶴" in codec.dumps(PlanCandidate("Łódź 鶴"))


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        codec.dumps(Limits(memory_mb=float("nan")))


def test_importing_the_vocabulary_loads_no_other_package() -> None:
    script = (
        "import core.records, core.codec, core.registry, core.tasks.base, core.metrics.base, sys\n"
        "print(sorted({'attr', 'cattrs', 'numpy', 'sklearn', 'torch', 'transformers', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
