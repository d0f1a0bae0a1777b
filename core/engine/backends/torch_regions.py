"""torch.compile on the repeated layers of a loaded model alone, in place and for a while.

All layers share one compiled code, so that it takes a fraction of what the whole model does ("regional compilation" in
PyTorch's documentation). Shapes stay symbolic: a call whose shapes no code fits runs as it did before.
"""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from core.engine.backends.base import Session
from core.engine.backends.pytorch import TorchSession, import_all

Apart = Callable[[], AbstractContextManager[None]]
COMPILER_MODULES = ("torch._dynamo", "torch._inductor.compile_fx")


class Regions:
    """The layers of a model. They are compiled at their first calls between `start` and `settle`."""

    def __init__(self, layers: Sequence[Any], apart: Apart = nullcontext) -> None:
        """Take the layers in; nothing is compiled yet, and they run as before.

        Args:
            layers: Modules of one class.
            apart: Entered while the compiler works or is let go of, so that its memory is not taken for the model's.
        """
        self.count = len(layers)
        self._layers = tuple(layers)
        self._compiled: tuple[Any, ...] = ()
        self._apart = apart
        self._working = ExitStack()
        self._started = False

    def start(self) -> None:
        """Run compiled from here on; what no code fits is compiled, which takes seconds, until `settle`."""
        import torch

        self._working.enter_context(self._apart())
        import_compiler()
        set_up_compiler()
        self._started = True
        # The machine's processor is asked what it can do, and that is believed: building a probe for each of its
        # abilities takes longer than compiling the layers. A C++ compiler that knows less fails, and is heard.
        torch._inductor.config.cpp.vec_isa_ok = True
        torch.compiler.set_stance("default")
        for layer in self._layers:
            layer.compile(dynamic=True)
        self._compiled = tuple(layer._compiled_call_impl for layer in self._layers)

    def settle(self) -> None:
        """Compile nothing more: what no code fits runs as written."""
        import torch

        torch.compiler.set_stance("eager_on_recompile")
        self._working.close()

    def switch(self, compiled: bool) -> None:
        """Run compiled or as written; at no cost, back and forth."""
        for layer, code in zip(self._layers, self._compiled, strict=False):
            layer._compiled_call_impl = code if compiled else None

    def undo(self) -> None:
        """Leave the model as it was loaded, and drop what was compiled. Again: nothing."""
        self._working.close()
        if not self._started:
            return
        import torch

        self._started = False
        self._compiled = ()
        with self._apart():
            for layer in self._layers:
                layer._compiled_call_impl = None
            torch._inductor.config.cpp.vec_isa_ok = None
            torch.compiler.set_stance("default")
            torch._dynamo.reset()
            gc.collect()


def regions(session: Session, apart: Apart = nullcontext) -> Regions | None:
    """The largest row of layers of one class in the model; None where it has none, or where it is not PyTorch's.

    Args:
        session: The model.
        apart: As `Regions` takes it.
    """
    if not isinstance(session, TorchSession):
        return None
    import torch

    rows = [one for one in session.model.modules() if isinstance(one, torch.nn.ModuleList)]
    alike = [row for row in rows if len(row) > 1 and len({type(layer) for layer in row}) == 1]
    best = max(alike, key=lambda row: sum(tensor.numel() for tensor in row.parameters()), default=None)
    return None if best is None else Regions(list(best), apart)


def import_compiler() -> None:
    """Import what torch imports at the first call of something compiled."""
    with warnings.catch_warnings():
        # torch imports what it has deprecated itself.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        import_all(COMPILER_MODULES)


def set_up_compiler() -> None:
    """Settings of every compilation of ours."""
    import torch._inductor.config

    # A pool of compiling processes would stay beside the measurement.
    torch._inductor.config.compile_threads = 1


def compiler_obstacle(device: str) -> str | None:
    """Why nothing can be compiled for a device here, in a sentence; None where it can."""
    if device == "cpu" and shutil.which(os.environ.get("CXX") or "g++") is None:
        return "torch.compile needs a C++ compiler: apt-get install g++"
    return None
