"""Which rows run together: rows of like length, within a budget of rows and of tokens."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], max_rows: int | None, max_tokens: int) -> list[list[int]]:
    """Group rows so that little is padded.

    Rows are taken longest first, so that a batch which does not fit in memory shows at once. A batch costs its number
    of rows times its longest row, which is what the model computes once shorter rows are padded.

    Args:
        lengths: Tokens of each row.
        max_rows: Most rows in a batch; None: as many as the tokens allow.
        max_tokens: Most tokens in a batch, padding included. A single row longer than that is a batch by itself.

    Returns:
        Positions in `lengths`, each exactly once; equal lengths keep their order.
    """
    result: list[list[int]] = []
    width = 0
    for position in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        current = result[-1] if result else None
        full = current is None or len(current) == max_rows or (len(current) + 1) * width > max_tokens
        if current is None or full:
            result.append([position])
            width = lengths[position]
        else:
            current.append(position)
    return result
