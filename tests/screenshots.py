"""Pictures of every page for docs/screenshots: 1440 and 400 pixels wide, light and dark.

`python -m tests.screenshots http://localhost:8501 [PAGE …]` takes them from a running app that holds the example.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.browser import ARGUMENTS, ensure

OUT = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
PAGES = {
    "find": "Shortlist",
    "data": "How many",
    "benchmark": "trials have ended",
    "compare": "Limits",
    "review": "Sign the decision",
    "export": "Share it",
}
"""Page → words that are there once it is drawn."""
SIZES = ((1440, 1000), (400, 900))
LONGEST = 2400


def main(url: str, *pages: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=ensure(), args=ARGUMENTS)
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                for page in pages or PAGES:
                    _take(browser, f"{url}/{page}", page, width, height, scheme)
        browser.close()


def _take(browser: Browser, url: str, name: str, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    page.get_by_text(PAGES[name]).last.wait_for(timeout=60_000)
    page.wait_for_timeout(5000)  # charts draw themselves after the words
    tallest = page.get_by_test_id("stMainBlockContainer").evaluate("element => element.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(tallest), LONGEST)})
    page.wait_for_timeout(2000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    # A palette of 256 colours is a third of the size and looks the same.
    picture.quantize(256, dither=Image.Dither.NONE).save(OUT / f"{name}-{width}-{scheme}.png", optimize=True)
    context.close()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["http://localhost:8501"]))
