"""The next batch on its way to a GPU while the present one runs there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from core.tasks.base import Piece

Batch = Mapping[str, Any]
"""Tensors by name; what is no tensor goes along as it is."""


class Ahead:
    """Pads one batch ahead and copies it to the GPU.

    A task hands out its results on the CPU, and so waits for the GPU: what is to be done meanwhile takes a thread,
    which has Python to itself while the other one waits. A copy runs beside a computation only from pinned memory and
    on a stream of its own (CUDA C++ Programming Guide, "Overlap of Data Transfer and Kernel Execution").
    """

    def __init__(self, cuda: Any, device: str = "cuda") -> None:
        """Get ready. `cuda` is the module `torch.cuda`; `device` another one in tests."""
        self._cuda, self._device = cuda, device
        self._stream = cuda.Stream()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._pieces: tuple[Piece, ...] = ()
        self._coming: Future[tuple[Batch, Any]] | None = None

    def begin(self, pieces: Sequence[Piece], padded: Callable[[], Batch]) -> None:
        """Start on a batch. `padded` gives its tensors on the CPU, at the precision that the model takes."""
        self._pieces = tuple(pieces)
        self._coming = self._thread.submit(self._copied, padded)

    def take(self, pieces: Sequence[Piece]) -> Batch | None:
        """The batch on the GPU, if these are the pieces that were begun with; None, and nothing is kept, if not.

        Raises whatever padding or copying it has raised.
        """
        coming, begun = self._coming, self._pieces
        self.drop()
        if coming is None or len(begun) != len(pieces) or any(a is not b for a, b in zip(begun, pieces, strict=True)):
            return None
        batch, copied = coming.result()
        stream = self._cuda.current_stream()
        stream.wait_event(copied)
        for tensor in batch.values():
            if hasattr(tensor, "record_stream"):
                # Its memory is the other stream's, which must not give it to another batch before this one is done.
                tensor.record_stream(stream)
        return batch

    def drop(self) -> None:
        """Keep nothing: memory is short, or other rows come first."""
        self._pieces, self._coming = (), None

    def _copied(self, padded: Callable[[], Batch]) -> tuple[Batch, Any]:
        """The batch on the GPU, and the event that says when it is there."""
        batch = padded()
        with self._cuda.stream(self._stream):
            moved = {
                name: value.pin_memory().to(self._device, non_blocking=True) if hasattr(value, "pin_memory") else value
                for name, value in batch.items()
            }
            copied = self._cuda.Event()
            copied.record(self._stream)
        return moved, copied
