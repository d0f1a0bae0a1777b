"""A runner reduced to its store calls, light to start as a process of its own."""

from __future__ import annotations

from core.records import Chunk
from core.store import Store


def claim_and_commit(url: str, runner: str) -> None:
    store = Store(url)
    while claim := store.claim(runner):
        chunk = Chunk(tuple(range(6)), ({"answer": "positive"},) * 6, {"accuracy": [[1]] * 6}, 0.1, 6)
        store.commit_chunk(claim.trial, chunk, runner_id=runner)
        store.finish(claim.trial, load_seconds=1, memory_mb={}, environment={}, runner_id=runner)
    store.close()
