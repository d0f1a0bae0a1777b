"""Batches without padding, for models whose answer would change with it.

Convolutions and positions that are stretched over a picture see padding, masked or not. So pictures (and clips, for
most models) run together only when their arrays have the same shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.tasks.base import Piece, accepted_inputs

SEPARATOR = "/"


def stacked(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Tensors of pieces whose arrays are stacked shape by shape.

    Returns:
        `{"0/pixel_values": (n, …), "0/positions": (n,), "1/pixel_values": …}`: a group for each combination of shapes,
        with the places of its pieces among all.
    """
    import numpy as np
    import torch

    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for position, piece in enumerate(pieces):
        groups.setdefault(tuple(np.shape(array) for array in piece.inputs.values()), []).append(position)
    batch = {}
    for number, positions in enumerate(groups.values()):
        for name in pieces[positions[0]].inputs:
            arrays = np.stack([pieces[position].inputs[name] for position in positions])
            batch[f"{number}{SEPARATOR}{name}"] = torch.from_numpy(arrays)
        batch[f"{number}{SEPARATOR}positions"] = torch.tensor(positions)
    return batch


def one_shape(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors that one padded batch is made of, as `each_shape` takes them."""
    import torch

    rows = len(next(iter(batch.values())))
    return {f"0{SEPARATOR}{name}": tensor for name, tensor in {**batch, "positions": torch.arange(rows)}.items()}


def logits(model: Any, batch: Mapping[str, Any]) -> list[Any]:
    """The logits of a classifier, float32, one array (model labels,) per piece."""

    def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
        found: Sequence[Any] = model(**accepted_inputs(model, inputs)).logits.float().cpu().numpy()
        return found

    return each_shape(batch, run)


def each_shape(batch: Mapping[str, Any], run: Callable[[Mapping[str, Any]], Sequence[Any]]) -> list[Any]:
    """Run every group of `stacked` and put what comes back in the order of the pieces.

    Args:
        batch: As `stacked` gives it.
        run: Takes the tensors of one group under their own names; returns one output per piece.
    """
    groups: dict[str, dict[str, Any]] = {}
    for key, tensor in batch.items():
        number, _, name = key.partition(SEPARATOR)
        groups.setdefault(number, {})[name] = tensor
    outputs: dict[int, Any] = {}
    for inputs in groups.values():
        positions = inputs.pop("positions").tolist()
        outputs.update(zip(positions, run(inputs), strict=True))
    return [outputs[position] for position in range(len(outputs))]
