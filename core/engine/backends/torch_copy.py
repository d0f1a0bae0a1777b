"""A second copy of a loaded model at low precision, beside the first one."""

from __future__ import annotations

import copy
from typing import Any

from core.engine.backends.base import Session
from core.engine.backends.pytorch import TorchSession
from core.engine.memory import MB, resident_bytes

HEADROOM = 2.0
"""Free memory must be so many times the copy: batches run beside it."""


def lowered(session: Session, dtype: str, limit_mb: int | None = None) -> TorchSession | None:
    """The same model with its weights converted to another precision, on the same device.

    Buffers that a checkpoint does not hold (rotary frequencies, say) are shared as they are, as when a checkpoint is
    loaded at that precision.

    Args:
        session: The model.
        dtype: Name of a torch dtype.
        limit_mb: Most memory of this process, where a plan limits it.

    Returns:
        The copy; None where memory does not hold both, or where the runtime is not PyTorch.
    """
    import torch

    if not isinstance(session, TorchSession):
        return None
    precision = getattr(torch, dtype)
    # Weights that are tied are one tensor under two names, and stay one.
    held = {id(tensor): tensor for tensor in session.model.state_dict(keep_vars=True).values()}
    floating = {key: tensor for key, tensor in held.items() if tensor.is_floating_point()}
    size = sum(tensor.numel() for tensor in floating.values()) * precision.itemsize
    if size * HEADROOM > _free_bytes(session, limit_mb):
        return None
    converted = {key: _converted(tensor, precision) for key, tensor in floating.items()}
    # deepcopy takes what its memo has for an object instead of copying it.
    model = copy.deepcopy(session.model, dict(converted))
    return TorchSession(model, session.processor, session.task, session.device)


def _converted(tensor: Any, precision: Any) -> Any:
    import torch

    low = tensor.detach().to(precision)
    return torch.nn.Parameter(low, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else low


def _free_bytes(session: TorchSession, limit_mb: int | None) -> float:
    """What the device has left; of the process's own memory, no more than the plan allows."""
    import torch

    if session.device.name == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    import psutil

    free = float(psutil.virtual_memory().available)
    return free if limit_mb is None else min(free, limit_mb * MB - resident_bytes())
