"""What tasks that write share: settings of `generate`, and where an answer ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.records import Protocol


def settings(protocol: Protocol) -> dict[str, Any]:
    """Arguments of `generate`: greedy, or beam search where the protocol says so; never sampled.

    What a checkpoint's own generation settings say beyond that (a repetition penalty, say) holds, as it does for
    everyone who uses the model.
    """
    return {"max_new_tokens": protocol.max_new_tokens, "num_beams": protocol.num_beams, "do_sample": False}


def trimmed(tokens: Any, model: Any) -> list[NDArray[Any]]:
    """Each row of generated ids (n, length) up to and with its first end-of-text token; padding stands behind that."""
    import numpy as np

    end = model.generation_config.eos_token_id
    ends = [] if end is None else [end] if isinstance(end, int) else list(end)
    rows = tokens.cpu().numpy()
    is_end = np.isin(rows, ends)
    lengths = np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, rows.shape[1])
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]
