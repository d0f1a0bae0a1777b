"""What tasks that write share: settings of `generate`, and where an answer ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.tasks.finite import check_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.tasks.base import Context


def settings(context: Context, room: int | None = None) -> dict[str, Any]:
    """Arguments of one call of `generate`: greedy, or beam search where the protocol says so; never sampled.

    What a checkpoint's own generation settings say beyond that (a repetition penalty, say) holds, as it does for
    everyone who uses the model.

    Args:
        context: Its protocol, and whether somebody times the tokens.
        room: Most new tokens that the model has room for; None: as many as the protocol allows.
    """
    import transformers

    protocol = context.protocol
    most = protocol.max_new_tokens if room is None else min(protocol.max_new_tokens, room)
    found: dict[str, Any] = {
        "max_new_tokens": most,
        "num_beams": protocol.num_beams,
        "do_sample": False,
        "logits_processor": transformers.LogitsProcessorList([check_scores]),
    }
    if context.fixed_length:
        found["min_new_tokens"] = most
    if context.on_token is not None:
        found["stopping_criteria"] = transformers.StoppingCriteriaList([_Watch(context.on_token)])
    return found


class _Watch:
    """A criterion that never stops: `generate` asks it after every token, also in a beam search, where it refuses a
    streamer.
    """

    def __init__(self, on_token: Callable[[int], None]) -> None:
        self._on_token = on_token
        self._tokens = 0
        self._never: Any = None

    def __call__(self, tokens: Any, scores: Any, **more: Any) -> Any:
        """No row is done. `tokens` are the ids so far, (rows, length)."""
        import torch

        if tokens.device.type != "cpu":
            # The token is only queued there: it has no time before the device has come to it.
            torch.accelerator.synchronize(tokens.device)
        self._tokens += 1
        self._on_token(self._tokens)
        if self._never is None or len(self._never) != len(tokens):
            self._never = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        return self._never


def trimmed(tokens: Any, model: Any) -> list[NDArray[Any]]:
    """Each row of generated ids (n, length) up to and with its first end-of-text token; padding stands behind that."""
    import numpy as np

    end = model.generation_config.eos_token_id
    ends = [] if end is None else [end] if isinstance(end, int) else list(end)
    rows = tokens.cpu().numpy()
    is_end = np.isin(rows, ends)
    lengths = np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, rows.shape[1])
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
