"""A Chromium for the browser tests: the one that is there, else Debian's package, else Playwright's own download.

`python -m tests.browser` makes sure there is one and prints its path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def installed() -> str | None:
    """Path of a Chromium or Chrome on this machine."""
    return next((path for path in map(shutil.which, NAMES) if path), None) or _playwrights_own()


def ensure() -> str:
    """As `installed`, installing one where there is none. Raises RuntimeError."""
    for install in (lambda: None, _from_debian, _from_playwright):
        install()
        if path := installed():
            return path
    raise RuntimeError("No Chromium or Chrome, and none could be installed. Install one and put it on the PATH.")


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if path and os.access(path, os.X_OK) else None


def _from_debian() -> None:
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["update", "-qq"],
            ["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
        ):
            subprocess.run(["apt-get", *command], env=environment, stdout=sys.stderr, check=False)


def _from_playwright() -> None:
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdout=sys.stderr, check=False)


if __name__ == "__main__":
    print(ensure())
