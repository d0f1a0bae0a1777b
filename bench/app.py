"""How fast the app is for the person in front of it, with a store that is full.

    python -m bench.app [--rounds 40] [--starts 5]

The app is a real process, visited over its websocket as a browser does; the time that a browser takes to draw comes on
top. The store holds a run of 50 trials × 2,000 rows, the Hub is one on this machine with 500 models. Pages take turns,
so that what else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import csv
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from bench.visitor import Visitor
from core.engine import environment
from core.store import Store
from tests.analysis.factory import make_run
from tests.catalog.checkpoints import make_checkpoint
from tests.hub_server import HubServer
from tests.pages.seed import fill

REPO = Path(__file__).resolve().parent.parent
TABS = ("Trials", "CPU vs GPU", "Latency", "Memory", "Statistics", "Errors", "Rows")
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "find": ("find", {}),
    **{page: (page, {}) for page in ("data", "benchmark", "review", "export")},
    **{f"compare, {tab}": ("compare", {"tab": tab}) for tab in TABS},
}
"""What is rerun → page and address."""
TRIALS, ROWS, MODELS = 50, 2_000, 500
START_SECONDS = 120.0
MB = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    values: Sequence[float]
    """In the order they were taken."""
    aim: float
    unit: str = "s"
    percentile: int | None = None
    """The figure is this percentile of the values; their median when None."""

    @property
    def value(self) -> float:
        """What is compared with the aim."""
        if self.percentile is None:
            return statistics.median(self.values)
        return statistics.quantiles(self.values, n=100, method="inclusive")[self.percentile - 1]

    def line(self) -> str:
        """The figure beside its aim, and what it is made of."""
        verdict = "ok" if self.value <= self.aim else "MISSED"
        spread = f"{statistics.median(self.values):.3g} [{min(self.values):.3g}, {max(self.values):.3g}]"
        return (
            f"{self.name:<46} {self.value:>7.3g} {self.unit:<2}  {self.aim:>5g}  {verdict:<6}  "
            f"{len(self.values):>3}  {spread}"
        )


def import_seconds(rounds: int) -> Figure:
    """`import core` in a fresh process."""
    code = "import time; start = time.perf_counter(); import core; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", code]
    values = [float(subprocess.check_output(command, cwd=REPO, text=True)) for _ in range(rounds)]
    return Figure("import core", values, 0.3)


def first_page_seconds(surroundings: Mapping[str, str], rounds: int) -> Figure:
    """From the start of the process until the first page is served whole."""
    values = []
    for _ in range(rounds):
        start = time.perf_counter()
        with app(surroundings) as (_, url), Visitor(url, "") as visitor:
            visitor.run()
            values.append(time.perf_counter() - start)
    return Figure("start to the first page", values, 5)


def rerun_seconds(url: str, selection: str, rounds: int) -> Iterator[Figure]:
    """Reruns of every page, and of every tab of Compare, on the full store."""
    with ExitStack() as stack:
        visitors = {
            view: stack.enter_context(Visitor(url, page, selection=selection, **address))
            for view, (page, address) in VIEWS.items()
        }
        for visitor in visitors.values():
            visitor.run()
        values: dict[str, list[float]] = {view: [] for view in VIEWS}
        for _ in range(rounds):
            for view, visitor in visitors.items():
                values[view].append(visitor.run())
    for view in VIEWS:
        yield Figure(f"rerun of {view} (p95)", values[view], 0.5, percentile=95)


def results_seconds(url: str, selection: str, rounds: int) -> Figure:
    """Showing what the Hub has answered, which the app then has in its cache."""
    with Visitor(url, "find", selection=selection, source="hub", limit=MODELS) as visitor:
        visitor.run()
        if f"The first {MODELS} models".encode() not in visitor.said:
            raise RuntimeError(f"The page does not show {MODELS} models of the Hub.")
        return Figure(
            f"{MODELS} search results, once the Hub has answered", [visitor.run() for _ in range(rounds)], 0.5
        )


@contextmanager
def app(surroundings: Mapping[str, str]) -> Iterator[tuple[psutil.Process, str]]:
    """The running app and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options]
    process = subprocess.Popen(
        command, cwd=REPO, env={**os.environ, **surroundings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, f"http://127.0.0.1:{port}")
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{url}/_stcore/health"):
                return
        except (URLError, ConnectionError):
            time.sleep(0.02)
    raise RuntimeError(f"The app does not serve {url}.")


def full_store(folder: Path, url: str) -> str:
    """Fill the store with one selection whose run is done; its id. The rows lie in `folder` as a file, as in life."""
    run = make_run(TRIALS, ROWS, 4)
    file = folder / "rows.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["text", "label"])
        texts = (row["text"] for row in run.evalset.inputs)
        table.writerows(zip(texts, run.evalset.references, strict=True))
    dataset = replace(run.plan.dataset, path=str(file), revision=None)
    store = Store(url)
    selection, _ = fill(store, replace(run, plan=replace(run.plan, dataset=dataset)))
    store.close()
    return str(selection.id)


@contextmanager
def full_hub(folder: Path) -> Iterator[HubServer]:
    """A Hub on this machine with 500 models."""
    checkpoint = make_checkpoint(folder / "checkpoint")
    with HubServer() as hub:
        for number in range(MODELS):
            hub.add(checkpoint, f"org-{number % 40}/model-{number:03d}", downloads=MODELS - number, likes=number)
        yield hub


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast the app is with a full store.")
    parser.add_argument("--rounds", type=int, default=40, help="reruns of each page")
    parser.add_argument("--starts", type=int, default=5, help="starts of the app, and imports")
    options = parser.parse_args()
    machine = environment.describe()
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']} before")
    print(f"{'':<46} {'figure':>10}  {'aim':>5}  {'':<6}  {'n':>3}  median [min, max]")
    with tempfile.TemporaryDirectory() as folder, full_hub(Path(folder)) as hub:
        home = Path(folder) / "home"
        surroundings = {"SHORTLIST_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_HOME": str(Path(folder) / "hf")}
        selection = full_store(Path(folder), f"sqlite:///{home / 'shortlist.db'}")
        print(import_seconds(options.starts).line(), flush=True)
        print(first_page_seconds(surroundings, options.starts).line(), flush=True)
        with app(surroundings) as (process, url):
            for figure in rerun_seconds(url, selection, options.rounds):
                print(figure.line(), flush=True)
            print(results_seconds(url, selection, options.rounds).line(), flush=True)
            resident = process.memory_info().rss / MB
            print(Figure("resident memory of the app after all that", [resident], 500, "MB").line())
    print(f"load {environment.load_average()} after")


if __name__ == "__main__":
    main()
