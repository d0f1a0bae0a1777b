"""The one training loop of the samples: AdamW, warm-up, linear decay, on one thread and from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

BATCH = 32
POOL = 64 * BATCH


def start(seed: int) -> None:
    """Makes what follows repeatable with the same libraries on the same processor: one thread adds in one order."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)


def fit(
    model: torch.nn.Module,
    rows: Sequence[Any],
    loss: Callable[[Sequence[Any]], torch.Tensor],
    epochs: int,
    peak_rate: float,
    seed: int,
) -> None:
    """Trains `model` in place. `loss` takes a batch of `rows` and returns their mean loss."""
    steps = epochs * -(-len(rows) // BATCH)  # a pool holds whole batches, so only the last batch may be short
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak_rate, total_steps=steps, pct_start=0.15, anneal_strategy="linear"
    )
    model.train()
    for batch in _batches(rows, epochs, random.Random(seed)):
        optimizer.zero_grad()
        loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def _batches(rows: Sequence[Any], epochs: int, rng: random.Random) -> Iterator[list[Any]]:
    """Shuffled batches of texts of like length, so that little of a batch is padding. A row starts with its text."""
    for _ in range(epochs):
        order = rng.sample(rows, len(rows))
        pools = [sorted(order[at : at + POOL], key=lambda row: len(row[0])) for at in range(0, len(order), POOL)]
        batches = [pool[at : at + BATCH] for pool in pools for at in range(0, len(pool), BATCH)]
        rng.shuffle(batches)
        yield from batches
