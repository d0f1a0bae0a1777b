"""The small mark that says whether everything Shortlist leans on is there, and the details behind it."""

from __future__ import annotations

import streamlit as st

from pages._ui import cached


@st.fragment(run_every=30)
def mark() -> None:
    """Hub, runner and devices: one word, details on a click."""
    hub, runners, devices = cached.hub_status(), cached.store().live_runners(), cached.devices()
    gpu = next((device for device in devices if device.name != "cpu"), None)
    lines = [
        (hub.reachable, "Hub", hub.message),
        (bool(runners), "Runner", f"{len(runners)} at work" if runners else "not running; it starts with the next run"),
        (True, "Devices", ", ".join(device.title for device in devices)),
    ]
    short = "Hub" if hub.reachable else "Offline"
    with st.popover(f"{short} · {'GPU' if gpu else 'CPU'}", icon=_icon(hub.reachable), type="tertiary"):
        for good, name, text in lines:
            st.markdown(f"{_icon(good)} **{name}**")
            st.text(text)


def _icon(good: bool) -> str:
    return ":material/check_circle:" if good else ":material/cloud_off:"
