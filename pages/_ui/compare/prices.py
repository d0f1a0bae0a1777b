"""What an hour costs on the machine that the model will run on: chosen from a table, or one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.analysis import cost
from core.analysis.wording import device_name
from core.export.text import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE, OWN = "no price", "another price"


def controls(devices: Iterable[str]) -> dict[str, float]:
    """Device → US dollars per hour, for those that have been given a price.

    None has one at first: whatever hardware was proposed, the measured speed would not be that hardware's. Prices are
    kept for the session, whichever run is open.
    """
    devices = list(dict.fromkeys(filter(None, devices)))
    kept = st.session_state.setdefault("_prices", {})
    with st.container(horizontal=True, vertical_alignment="bottom", key="prices"):
        for device in devices:
            kept[device] = _price(device, *kept.get(device, (NONE, None)))
    prices = {device: price for device, (_, price) in kept.items() if device in devices and price is not None}
    if prices:
        st.caption(
            "Cost is the speed measured here at that price per hour: right for hardware that is as fast as this. "
            f"Prices of Hugging Face Jobs as of {cost.PRICES_AS_OF} ([source]({cost.PRICES_SOURCE})); "
            "storage, waiting and starting are not in it."
        )
    return prices


def _price(device: str, name: str, per_hour: float | None) -> tuple[str, float | None]:
    """The choice and its price, starting from these."""
    table = {price.name: price for price in cost.prices(device)}
    options = [NONE, OWN, *table]

    def shown(option: str) -> str:
        return f"{option} · ${table[option].per_hour:.2f} · {table[option].hardware}" if option in table else option

    chosen = st.selectbox(
        f"Price of an hour on {markdown(device_name(device))}",
        options,
        options.index(name) if name in options else 0,
        format_func=shown,
        key=f"price_{device}",
        width=330,
        help="With a price, the table says what a million rows cost.",
    )
    if chosen == OWN:
        own = st.number_input(
            "US$ per hour", 0.0, None, per_hour, step=0.01, format="%.3f", key=f"own_price_{device}", width=150
        )
        return chosen, own
    return chosen, table[chosen].per_hour if chosen in table else None
