"""Rows of a table as records and back, where a record holds thousands of values and must be read in milliseconds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from core import codec
from core.records import (
    Candidate,
    Chunk,
    EvalSet,
    FixedLengthSeries,
    LatencySeries,
    Plan,
    ServerSeries,
    SkippedRow,
    TrialSpec,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.store.database import AnyRow

_FASTEST = 1
"""zlib's level: half the bytes of the text, at a tenth of the time of the best one."""


def compressed(value: Any) -> bytes:
    """Plain JSON values, packed."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode(), _FASTEST)


def plain(data: bytes) -> Any:
    """The values that `compressed` packed."""
    return json.loads(zlib.decompress(data))


# Specs, candidates and plans never change once written, and a page that polls asks for the same ones again and again.


@lru_cache(maxsize=1024)
def trial_spec(text: str) -> TrialSpec:
    """The spec that `codec.dumps` wrote."""
    return codec.loads(TrialSpec, text)


@lru_cache(maxsize=1024)
def candidate(text: str) -> Candidate:
    """The candidate that `codec.dumps` wrote."""
    return codec.loads(Candidate, text)


@lru_cache(maxsize=64)
def plan(text: str) -> Plan:
    """The plan that `codec.dumps` wrote."""
    return codec.loads(Plan, text)


def pack_evalset(evalset: EvalSet) -> bytes:
    """An EvalSet as compressed JSON."""
    return compressed(codec.encode(evalset))


def unpack_evalset(data: bytes) -> EvalSet:
    """The EvalSet that `pack_evalset` wrote."""
    record = plain(data)
    return EvalSet(
        id=record["id"],
        task=record["task"],
        ids=tuple(record["ids"]),
        inputs=tuple(record["inputs"]),
        references=tuple(record["references"]),
        labels=tuple(record["labels"]),
        extras={name: tuple(values) for name, values in record["extras"].items()},
        skipped=tuple(SkippedRow(**row) for row in record["skipped"]),
        positions=tuple(record.get("positions", ())),
    )


def pack_chunk(chunk: Chunk) -> dict[str, Any]:
    """The columns of a chunk: one row of the table, however many rows of the data it holds."""
    import numpy as np

    arrays = {name: _matrix(values, len(chunk.positions)) for name, values in chunk.statistics.items()}
    return {
        "positions": np.asarray(chunk.positions, dtype="<i4").tobytes(),
        "predictions": compressed(list(chunk.predictions)),
        "layout": json.dumps([[name, array.dtype.str, array.shape[1]] for name, array in arrays.items()]),
        "statistics": zlib.compress(b"".join(array.tobytes() for array in arrays.values()), _FASTEST),
        "seconds": chunk.seconds,
        "units": chunk.units,
    }


def unpack_chunk(row: AnyRow) -> Chunk:
    """The chunk that `pack_chunk` wrote. Statistics are read-only arrays of the metrics' types, shape (rows, k)."""
    import numpy as np

    positions = unpack_positions(row.positions)
    data, start, statistics = zlib.decompress(row.statistics), 0, {}
    for name, kind, width in json.loads(row.layout):
        values = np.frombuffer(data, dtype=kind, count=len(positions) * width, offset=start)
        statistics[name] = values.reshape(len(positions), width)
        start += values.nbytes
    return Chunk(positions, tuple(plain(row.predictions)), statistics, row.seconds, row.units)


def unpack_positions(data: bytes) -> tuple[int, ...]:
    """The positions of a chunk alone."""
    import numpy as np

    return tuple(np.frombuffer(data, dtype="<i4").tolist())


def without(chunk: Chunk, positions: Collection[int]) -> Chunk:
    """The chunk less the rows at `positions`; time and units are shared out evenly among its rows."""
    import numpy as np

    kept = [index for index, position in enumerate(chunk.positions) if position not in positions]
    if len(kept) == len(chunk.positions):
        return chunk
    share = len(kept) / len(chunk.positions)
    return replace(
        chunk,
        positions=tuple(chunk.positions[index] for index in kept),
        predictions=tuple(chunk.predictions[index] for index in kept),
        statistics={name: np.asarray(values)[kept] for name, values in chunk.statistics.items()},
        seconds=chunk.seconds * share,
        units=chunk.units * share,
    )


def latency_series(text: str) -> LatencySeries:
    """The series that `codec.dumps` wrote. Not through the codec, which looks at each of thousands of numbers."""
    record = json.loads(text)
    fixed = record.pop("fixed_length", None)
    return LatencySeries(
        **_with_tuples(record), fixed_length=FixedLengthSeries(**_with_tuples(fixed)) if fixed else None
    )


def server_series(text: str) -> tuple[ServerSeries, ...]:
    """The rates that `codec.dumps` wrote as one list; not through the codec either."""
    return tuple(ServerSeries(**_with_tuples(record)) for record in json.loads(text))


def _with_tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}


def _matrix(values: Any, rows: int) -> NDArray[Any]:
    """Statistics as (rows, k), also where a metric gave one number per row."""
    import numpy as np

    array = np.ascontiguousarray(values)
    return array.reshape(rows, array.size // rows)
