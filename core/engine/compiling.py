"""The exact quality pass with the model's layers compiled, where the rows that are left pay for the compiling.

After the budget of a batch is found, a batch out of the middle tells how long the rows that are left will take. If what
compiling usually gains on them is well above what it usually costs, the repeated layers are compiled
(`backends.torch_regions`), compared with the model as written on rows of the pass, and kept if they are equal and
faster. Whatever goes wrong, the pass goes on as written.

When it pays: on two cores (AVX-512, torch 2.13) the six layers of a MiniLM took 10 s to compile, 4 s with
TorchInductor's cache at hand, which a trial's process never has. Ten thousand short texts take that model half a
minute, of which compiling could save two or three seconds: it is not tried. It is with longer texts, larger models or
more rows, where more than three minutes are left; if it is not faster then, 6 % are lost at most. What is gained
depends on the machine: the whole MiniLM compiled was 1.1 to 1.3 times as fast on quiet cores, the layers alone hardly
faster on busy ones; BERT-base, which is nearly all matrix products, gained nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from core.engine.backends.torch_regions import compiler_obstacle
from core.engine.events import Event, Note
from core.errors import TrialFailed
from core.records import Variant
from core.tasks.base import Context, Task

T = TypeVar("T")

COMPILE_SECONDS = 12.0
"""What importing the compiler, compiling and the comparison usually take."""
EXPECTED_GAIN = 1.1
"""How many times as fast compiled layers usually are."""
PAYBACK = 1.5
"""What compiling is expected to save must be so many times what it takes."""
LEAST_GAIN = 1.05
"""What is compiled must be so many times as fast to be kept: less may be chance."""
ROUNDS = 3
TOLERANCE = 1e-4
"""Most that an output may differ, absolute or relative to it."""


class Layers(Protocol):
    """The part of a model that is compiled: `torch_regions.Regions`."""

    count: int

    def start(self) -> None:
        """Run compiled from here on, and compile what there is no code for."""
        ...

    def settle(self) -> None:
        """Compile nothing more."""
        ...

    def switch(self, compiled: bool) -> None:
        """Run compiled or as written."""
        ...

    def undo(self) -> None:
        """Leave the model as it was loaded."""
        ...


def suits(task: Task, variant: Variant, context: Context) -> bool:
    """Whether compiling may be tried: float32 on a CPU that has a C++ compiler, and tasks that do not generate."""
    return (
        context.protocol.compile
        and not task.generates
        and (variant.backend, variant.dtype, variant.quantization) == ("torch", "float32", None)
        and variant.device == "cpu"
        and compiler_obstacle(variant.device) is None
    )


@dataclass(frozen=True)
class Work(Generic[T]):
    """How pieces of a pass run."""

    batches: Callable[[Sequence[T]], list[list[T]]]
    """Groups them, the longest first."""
    length: Callable[[T], int]
    """Tokens of a piece."""
    run: Callable[[list[T]], float]
    """Runs a batch whose results count; returns its seconds. May raise TrialFailed."""
    outputs: Callable[[Sequence[T]], Sequence[Any]]
    """What the model gives for a batch, apart from the pass."""

    def speed(self, batch: list[T]) -> float | None:
        """Run a batch. Tokens a second; None where it did not fit in memory, which the pass itself knows to meet."""
        try:
            return sum(map(self.length, batch)) / max(self.run(batch), 1e-9)
        except TrialFailed as failed:
            if failed.kind != "out_of_memory":
                raise
            return None


class Compiling:
    """Decides once, in the middle of a pass, whether the rest of it runs compiled."""

    def __init__(
        self,
        layers: Callable[[], Layers | None],
        emit: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        """Get ready.

        Args:
            layers: The part of the model that is compiled; None where it has none. Called once at most.
            emit: Called with a `Note` of what was done.
            clock: Seconds.
        """
        self._layers, self._emit, self._clock = layers, emit, clock
        self._open = True
        self._active: Layers | None = None
        self.facts: dict[str, Any] = {}
        """For the record: `compile_seconds` (what it took) where it was tried, `compile_gain` where it was compared,
        `compiled` (layers) where it was kept."""

    def improve(self, pieces: Sequence[T], work: Work[T]) -> list[T]:
        """Compile if that pays; the pieces run meanwhile are pieces of the pass, and count.

        Args:
            pieces: What is to run.
            work: How they run.

        Returns:
            The pieces that have not run.
        """
        groups = work.batches(pieces) if self._open else []
        # The estimate takes one, the longest is one, and both ways of a round; some must be left to gain on.
        if len(groups) < 3 + 2 * ROUNDS:
            return list(pieces)
        batch, left = _middle(groups)
        speed = work.speed(batch)
        if speed is None:
            return list(pieces)
        if not pays(sum(map(work.length, left)) / speed):
            return left
        # The longest rows before there is a compiler: what the model takes by itself is measured on them.
        longest, *others = work.batches(left)
        if work.speed(longest) is None:
            return left
        left = [piece for batch in others for piece in batch]
        self._open = False
        if self._is_compiled(left, work):
            left = self._compare(left, work)
        return left

    def close(self) -> None:
        """Leave the model as it was loaded; rows that are run later are not compiled. Again: nothing."""
        self._open = False
        active, self._active = self._active, None
        if active is not None:
            active.undo()

    def _is_compiled(self, left: Sequence[T], work: Work[T]) -> bool:
        """Compile; whether there is something to compare now, and outputs are those of the model as written."""
        started = self._clock()
        try:
            layers = self._active = self._layers()
            equal = layers is not None and self._is_equal(layers, _probes(work.batches(left)), work)
        except Exception as error:  # compilers fail in every way there is
            self.close()
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._emit(Note(f"The layers could not be compiled, and ran as they are: {reason}"))
            return False
        if layers is None:
            return False
        self.facts["compile_seconds"] = round(self._clock() - started, 1)
        if not equal:
            self.close()
            self._emit(Note("Compiled layers gave other outputs than the model as it is, which ran in their place."))
        return equal

    def _is_equal(self, layers: Layers, probes: Sequence[Sequence[T]], work: Work[T]) -> bool:
        written = [work.outputs(probe) for probe in probes]
        layers.start()
        compiled = [work.outputs(probe) for probe in probes]
        layers.settle()
        return all(is_close(list(one), list(other)) for one, other in zip(written, compiled, strict=True))

    def _compare(self, left: list[T], work: Work[T]) -> list[T]:
        """Keep it if it is faster: batches of the pass in turn, the best of each way."""
        layers = self._active
        assert layers is not None
        best = {True: 0.0, False: 0.0}
        for compiled in (True, False) * ROUNDS:
            layers.switch(compiled)
            batch, rest = _middle(work.batches(left))
            speed = work.speed(batch)
            if speed is None:
                best[True] = 0.0
                break
            left = rest
            # A busy neighbour only ever takes away.
            best[compiled] = max(best[compiled], speed)
        gain = best[True] / (best[False] or 1.0)
        self.facts["compile_gain"] = round(gain, 2)
        words = f"Compiled the {layers.count} layers in {self.facts['compile_seconds']:.0f} s"
        if gain < LEAST_GAIN:
            self.close()
            self._emit(Note(f"{words} for nothing ({gain:.2f} times as fast): the model ran as it is."))
        else:
            layers.switch(True)
            self.facts["compiled"] = layers.count
            self._emit(Note(f"{words}, then {gain:.2f} times as fast: rows per second are of both."))
        return left


def pays(seconds: float) -> bool:
    """Whether rows that take so long are enough to compile for."""
    return seconds * (1 - 1 / EXPECTED_GAIN) >= PAYBACK * COMPILE_SECONDS


def is_close(one: Any, other: Any) -> bool:
    """Whether outputs are equal: numbers within the tolerance with the largest at the same place, all else exactly."""
    import numpy as np

    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_close, one, other))
    if isinstance(one, np.ndarray | float) and isinstance(other, np.ndarray | float):
        one, other = np.atleast_1d(one), np.atleast_1d(other)
        if one.shape != other.shape or not np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE):
            return False
        return not one.size or bool((one.argmax(-1) == other.argmax(-1)).all())
    return bool(one == other)


def _middle(groups: Sequence[list[T]]) -> tuple[list[T], list[T]]:
    """The batch in the middle, where lengths are usual, and the pieces of all others."""
    index = len(groups) // 2
    return groups[index], [one for group in (*groups[:index], *groups[index + 1 :]) for one in group]


def _probes(groups: Sequence[list[T]]) -> list[list[T]]:
    """A batch with padding and one without: models look away from attention masks that mask nothing."""
    usual, shortest = groups[len(groups) // 2], groups[-1][-1]
    if len(usual) < 2:
        raise ValueError("A batch is a single piece, which would be compiled for itself.")
    return [[*usual[:-1], shortest], [usual[0]] * len(usual)]
