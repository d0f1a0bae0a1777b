"""A person's whole way in a real browser: find, data, benchmark, compare, review, export; and the export, run again.

The models are the bundled ones, served by a Hub on this machine, so that search, facts and downloads are the real ones.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from samples import ROOT as SAMPLES
from tests.browser import ARGUMENTS, ensure
from tests.hub_server import HubServer

playwright = pytest.importorskip("playwright.sync_api")

REPO = Path(__file__).resolve().parent.parent
MODELS = ("helpdesk-lab/ticket-router-bert-tiny", "helpdesk-lab/ticket-router-bert-mini")
ROWS = 120
SECONDS = 90

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def surroundings(home: Path, tmp_path: Path, hub: HubServer) -> Iterator[dict[str, str]]:
    """Environment of the app: an own home, and the Hub on this machine, which serves the bundled models."""
    hub.add_checkpoints(SAMPLES / "models")
    environment = {**os.environ, "SHORTLIST_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    yield environment
    _stop_runners(home)


def test_from_a_search_to_an_export_that_measures_the_same(surroundings: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "tickets.csv"
    table.write_text(_some_rows(), encoding="utf-8")
    with _browser(tmp_path) as page:
        with _app(surroundings) as (app, url):
            page.goto(url)
            _start_selection(page)
            _find(page)
            _bring_rows(page, table)
            page.get_by_role("button", name="Start", exact=True).click()
            page.get_by_role("button", name="Pause").wait_for()
            address = page.url
            app.kill()  # as hard as it gets: the runner must not notice
        with _app(surroundings, port=int(url.rsplit(":", 1)[1])):
            page.goto(address)
            page.get_by_role("button", name="Compare", exact=True).click(timeout=SECONDS * 1000)
            page.get_by_text("Ship").first.wait_for()
            page.get_by_role("button", name="Review and sign").click()
            _sign(page)
            bundle = _download(page)
    report = json.loads(zipfile.ZipFile(io.BytesIO(bundle)).read("report.json"))
    assert [trial["status"] for trial in report["trials"]] == ["done", "done"]
    assert report["dataset"]["rows"] == ROWS

    again = _run_again(bundle, tmp_path / "bundle", {**surroundings, "SHORTLIST_HOME": str(tmp_path / "elsewhere")})

    assert _accuracies(again) == _accuracies(report)
    assert set(_accuracies(report)) == set(MODELS)


def _some_rows() -> str:
    with (SAMPLES / "data" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        usable = [row for row in csv.DictReader(file) if row["text"].strip() and row["label"].strip()]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["text", "label"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(usable[:ROWS])
    return out.getvalue()


def _start_selection(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_label("Name", exact=True).fill("Ticket router")
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name="Text classification", exact=True).click()
    page.get_by_role("button", name="Start", exact=True).click()


def _find(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_text("models from the Hub").wait_for()
    for model in MODELS:
        name = model.split("/")[1]
        page.get_by_label("Name contains").fill(name)
        page.get_by_test_id("stForm").get_by_role("button", name="Search").click()
        page.get_by_text(f"“{name}” in the name").wait_for()
        page.get_by_text("Tick the models worth a trial").wait_for()  # the selection of the search before is gone
        _tick_first_row(page)
        page.get_by_role("button", name="Add to shortlist").click()
        page.locator(".st-key-shortlist").get_by_text(model).wait_for()
    page.get_by_role("button", name="Choose the rows").click()


def _tick_first_row(page) -> None:  # type: ignore[no-untyped-def]
    """The table is a canvas that is drawn a moment after it is there: click until the tick is seen."""
    for _ in range(10):
        page.get_by_test_id("stDataFrame").first.click(position={"x": 18, "y": 54})
        with suppress(playwright.TimeoutError):
            return page.get_by_text("1 selected").wait_for(timeout=4000)
    raise AssertionError("the first row cannot be ticked")


def _bring_rows(page, table: Path) -> None:  # type: ignore[no-untyped-def]
    page.locator('input[type="file"]').set_input_files(table)
    page.get_by_text("All 2 models know the 6 labels").wait_for()
    page.get_by_role("button", name=f"Use these {ROWS} rows").click()


def _sign(page) -> None:  # type: ignore[no-untyped-def]
    page.get_by_label("Your name").fill("Noor")
    page.get_by_label("Your name").press("Tab")
    page.get_by_label("Because").fill("Good enough, and the fastest.")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_role("button", name="Export", exact=True).click()


def _download(page) -> bytes:  # type: ignore[no-untyped-def]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download everything").click()
    return Path(download.value.path()).read_bytes()


def _run_again(bundle: bytes, folder: Path, environment: dict[str, str]) -> dict[str, object]:
    zipfile.ZipFile(io.BytesIO(bundle)).extractall(folder)
    command = [sys.executable, "-m", "core", "run", str(folder / "plan.yaml"), "--json"]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _accuracies(report) -> dict[str, float]:  # type: ignore[no-untyped-def]
    return {trial["model"]: trial["metrics"]["accuracy"]["value"] for trial in report["trials"]}


@contextmanager
def _browser(pictures: Path):  # type: ignore[no-untyped-def]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=ensure(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(45_000)
        try:
            yield page
        except BaseException:
            page.screenshot(path=pictures / "failure.png")
            raise
        finally:
            browser.close()


@contextmanager
def _app(environment: dict[str, str], port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = port or _free_port()
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    address = ["--server.address", "127.0.0.1", "--server.port", str(port)]
    app = subprocess.Popen([*command, *address], cwd=REPO, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield app, f"http://127.0.0.1:{port}"
    finally:
        app.kill()
        app.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), urlopen(url) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop_runners(home: Path) -> None:
    from core.store import Store

    store = Store(f"sqlite:///{home / 'shortlist.db'}")
    for runner in store.runners():
        with suppress(ProcessLookupError):
            os.kill(runner.pid, signal.SIGTERM)
    store.close()
