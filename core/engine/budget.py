"""How large a batch may be: as the plan says, or what the device does best with, found on the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from core.engine.batching import batches
from core.engine.events import Event, Note
from core.errors import TrialFailed
from core.records import Protocol

T = TypeVar("T")

START = {"cpu": 2048, "cuda": 16384, "mps": 4096}
"""Tokens of a batch before anything is measured, and where the search begins."""
LEAST, MOST = 512, 262_144
GENERATING_ROWS = 64
GENERATING_TOKENS = 16_384
"""A step of decoding reads all weights once, however many rows wait for them: rows count, and prompts do not."""

ROUNDS = 3
GAIN = 1.05
"""A budget must be so many times faster than its neighbour to take its place: less may be chance."""
SHARE = 8
"""A search goes on while the rows are worth this many times what the next comparison takes. The rows compared are rows
of the pass, so that it costs only what the worse budget loses on them: under 3 % of the pass."""


class Budget:
    """Most rows and most tokens, padding included, of a batch; less once memory has run out."""

    def __init__(
        self,
        protocol: Protocol,
        emit: Callable[[Event], None] = lambda event: None,
        *,
        device: str = "cpu",
        generates: bool = False,
    ) -> None:
        self.rows = protocol.batch_size or (GENERATING_ROWS if generates else None)
        self.tokens = protocol.batch_tokens or (GENERATING_TOKENS if generates else START.get(device, START["cpu"]))
        self._searching = protocol.batch_tokens is None and not generates
        self._emit = emit

    def batches(self, pieces: Sequence[T], length: Callable[[T], int]) -> list[list[T]]:
        """The pieces in groups, the longest first."""
        groups = batches([length(piece) for piece in pieces], self.rows, self.tokens)
        return [[pieces[index] for index in group] for group in groups]

    def halve(self, rows: int, longest: int) -> None:
        """A batch of so many rows, the longest of so many tokens, did not fit."""
        self.rows = rows // 2
        self.tokens = max(1, self.rows * longest)
        self._searching = False
        self._emit(Note(f"Out of memory with {rows} rows of {longest} tokens: went on with {self.rows}."))

    def search(self, pieces: Sequence[T], length: Callable[[T], int], run: Callable[[list[T]], float]) -> list[T]:
        """Find the budget that is fastest with pieces of the usual length, twice or half of it at a time.

        Does nothing where the plan pins the budget or where there are too few pieces to pay for it.

        Args:
            pieces: What is to run.
            length: Tokens of a piece.
            run: Runs one batch, whose results count; returns its seconds. May raise TrialFailed (`out_of_memory`).

        Returns:
            The pieces that have not run.
        """
        left = sorted(pieces, key=length, reverse=True)
        if not self._searching or not self._is_worth(sum(map(length, left)), self.tokens * 2):
            return left
        self._searching = False

        def speed(tokens: int) -> float:
            """Tokens a second of one batch out of the middle, where lengths are usual."""
            middle = len(left) // 2
            width = max(length(left[middle]), 1)
            count = min(max(tokens // width, 1), self.rows or len(left))
            batch = left[middle : middle + count]
            del left[middle : middle + count]
            try:
                return len(batch) * width / max(run(batch), 1e-9)
            except TrialFailed as failed:
                if failed.kind != "out_of_memory":
                    raise
                left[middle:middle] = batch
                return 0.0

        def is_better(tokens: int) -> bool:
            if not LEAST <= tokens <= MOST or not self._is_worth(sum(map(length, left)), tokens):
                return False
            rounds = [(speed(tokens), speed(self.tokens)) for _ in range(ROUNDS)]
            # The best of each: a busy neighbour only ever takes away.
            challenger, holder = (max(speeds) for speeds in zip(*rounds, strict=True))
            return bool(challenger > GAIN * holder)

        start = self.tokens
        while is_better(self.tokens * 2):
            self.tokens *= 2
        while self.tokens <= start and is_better(self.tokens // 2):
            self.tokens //= 2
        return left

    def _is_worth(self, left: int, tokens: int) -> bool:
        """Whether so many tokens are enough to compare a budget with the present one."""
        return left >= SHARE * ROUNDS * (tokens + self.tokens)
