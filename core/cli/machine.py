"""`start`, `runner`, `doctor`: what runs here."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import settings
from core.cli.output import print_json, print_table, say
from core.errors import UserError

if TYPE_CHECKING:
    from argparse import Namespace

    from core.store import Store

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"


def start(options: Namespace) -> int:
    """Fill an empty store with the example, start the runner, serve the app until Ctrl-C."""
    from core.jobs import ensure_runner
    from core.store import Store

    _check_port(options.host, options.port)
    with contextlib.closing(Store()) as store:
        if not store.selections():
            _fill(store, wait=not options.no_wait)
        ensure_runner(store)
    shown = "localhost" if options.host in ("127.0.0.1", "0.0.0.0") else options.host  # noqa: S104
    say(f"Shortlist: http://{shown}:{options.port}   (Ctrl-C ends the app; runs go on in the background)")
    command = [sys.executable, "-m", "streamlit", "run", str(APP)]
    address = ["--server.address", options.host, "--server.port", str(options.port)]
    with subprocess.Popen([*command, *address], cwd=APP.parent, stdout=subprocess.DEVNULL) as app:
        # A container is stopped with SIGTERM, which reaches only this process.
        signal.signal(signal.SIGTERM, lambda *_: app.terminate())
        with contextlib.suppress(KeyboardInterrupt):
            app.wait()
    return 0


def runner(options: Namespace) -> int:
    """Run queued trials, until stopped."""
    from core.jobs.runner import Runner
    from core.store import Store

    with contextlib.closing(Store()) as store:
        worker = Runner(store)
        worker.work() if options.until_idle else worker.forever()
    return 0


def doctor(options: Namespace) -> int:
    """What this machine has."""
    found = examine()
    if options.json:
        print_json(found)
    else:
        print_table(("what", "found"), [(name, _text(value)) for name, value in found.items()])
    return 0


def examine() -> dict[str, Any]:
    """Devices, versions, places and reachability, as plain values."""
    from core.catalog import hub_status
    from core.engine import environment

    hub = hub_status()
    described = environment.describe()
    return {
        **described,
        "devices": [f"{device.name}: {device.title}" for device in environment.devices()],
        "home": str(settings.home()),
        "database": _database(),
        "hub": {"endpoint": hub.endpoint, "reachable": hub.reachable, "message": hub.message},
        "token": "set" if settings.hub_token() else "none",
        "cache": os.environ.get("HF_HOME") or "~/.cache/huggingface",
    }


def _database() -> str:
    from core.store import Store

    try:
        with contextlib.closing(Store()) as store:
            return f"{store.address}: {len(store.runs())} runs, {len(store.live_runners())} runners alive"
    except UserError as error:
        return f"{error.message} {error.hint}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _fill(store: Store, wait: bool) -> None:
    """Measure the bundled example, for real: about half a minute on two cores."""
    from core.cli.progress import shown
    from core.example import submit_example
    from core.jobs.runner import Runner

    say("First start: measuring the bundled sample models on this machine, so that the pages have something to show.")
    run = submit_example(store)
    if wait:
        with shown(store, run):
            Runner(store).work(run)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = f"Is it running already? Open http://localhost:{port}, or use another port: make run PORT={port + 1}"
            raise UserError(f"Port {port} on {host} cannot be used: {error.strerror}.", hint) from None
