"""docs/data.md names every reader, and what it shows can be put into a plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.data.readers import ENDINGS, FOLDERS, READERS
from core.engine import plan as plans
from core.engine.yaml_text import load

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("reader", [*READERS, *FOLDERS])
def test_every_reader_has_its_place(reader: str) -> None:
    headings = "\n".join(line for line in TEXT.splitlines() if line.startswith("## "))

    assert f"`{reader}`" in headings


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_is_read_and_names_a_reader_that_there_is(block: str) -> None:
    written = load(block)

    spec = plans.parse({"task": "text-classification", **written, "candidates": [{"model": "org/name"}]}).dataset

    assert spec.reader in (None, *READERS, *FOLDERS)
    ending = Path(spec.path or "").suffix
    assert spec.reader or ending in ENDINGS or not ending
