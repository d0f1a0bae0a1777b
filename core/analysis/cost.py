"""What rows cost: money, from measured speed and a price per hour (one's own machine has none), and energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.analysis.summary import TrialSummary
    from core.records import Outcome

MILLION = 1_000_000
PRICES_AS_OF = "November 2026"
PRICES_SOURCE = "https://huggingface.co/docs/hub/jobs-pricing"


@dataclass(frozen=True)
class Price:
    """Hardware that can be rented by the hour."""

    name: str
    """As the Hub calls it, e.g. `cpu-upgrade`."""
    hardware: str
    device: str
    """What models run on there: `cpu` or `cuda`."""
    per_hour: float
    """US dollars, billed by the minute."""


PRICES = (
    Price("cpu-basic", "2 vCPU, 16 GB", "cpu", 0.01),
    Price("cpu-upgrade", "8 vCPU, 32 GB", "cpu", 0.03),
    Price("cpu-xl", "16 vCPU, 124 GB", "cpu", 1.00),
    Price("cpu-performance", "32 vCPU, 256 GB", "cpu", 1.90),
    Price("t4-small", "T4, 16 GB", "cuda", 0.40),
    Price("t4-medium", "T4, 16 GB", "cuda", 0.60),
    Price("l4x1", "L4, 24 GB", "cuda", 0.80),
    Price("a10g-small", "A10G, 24 GB", "cuda", 1.00),
    Price("l40sx1", "L40S, 48 GB", "cuda", 1.80),
    Price("a100-large", "A100, 80 GB", "cuda", 2.50),
    Price("rtx-pro-6000", "RTX PRO 6000, 96 GB", "cuda", 2.75),
    Price("h200", "H200, 141 GB", "cuda", 5.00),
)
"""Hugging Face Jobs, as of `PRICES_AS_OF` at `PRICES_SOURCE`, cheapest first per device. Prices change: the page lets
everyone write their own."""


def prices(device: str) -> tuple[Price, ...]:
    """Hardware to rent that has such a device; empty where the Hub has none (`mps`)."""
    return tuple(price for price in PRICES if price.device == device)


def per_million_rows(rows_per_second: float, per_hour: float | None) -> float:
    """US dollars for a million rows at that speed and price; NaN where one of them is not known."""
    if per_hour is None or not rows_per_second > 0:
        return math.nan
    return per_hour * MILLION / (3600 * rows_per_second)


@dataclass(frozen=True)
class Cost:
    """US dollars per million rows; NaN where not known."""

    in_bulk: float
    """At the speed of the quality pass: all rows are there, in the best batches."""
    by_request: float
    """At the smallest batch that was timed, one request after the other."""


def cost(trial: TrialSummary, per_hour: float | None) -> Cost:
    """What the trial's model costs at the speeds that were measured, on a machine of that price per hour."""
    latency = trial.smallest_batch
    return Cost(
        per_million_rows(trial.speed.rows_per_second, per_hour),
        per_million_rows(latency.rows_per_second if latency else math.nan, per_hour),
    )


ENERGY = (
    "Energy is that of whole processors, their memory and boards while the quality pass ran: what they take when idle "
    "and whatever else they did is in it"
)
"""What is counted, wherever joules are shown."""


def joules_per_row(outcome: Outcome) -> float:
    """Energy of one row of the quality pass; NaN where the machine did not tell, or no row was measured there."""
    joules, rows = outcome.environment.get("energy_joules"), outcome.environment.get("energy_rows")
    return joules / rows if joules is not None and rows else math.nan
