"""The page of figures, and the commands that make them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench import page
from bench.all import STEPS
from bench.document import document, shown

TOGETHER = {"method": "together", "runs": 20, "median_error": 0.012, "worst_error": 0.03, "wrong_order": 0}
LATENCY = {
    "lines": [TOGETHER | {"coverage": 0.95, "noisy": 1}],
    "truth": 1.2,
    "truths": [{"ratio": {"value": 1.19}}, {"ratio": {"value": 1.21}}],
}


def latency() -> dict[str, Any]:
    return json.loads(document("latency", ["--runs", "20", "--json"], 0.5, **LATENCY))


def test_every_marker_of_the_page_is_filled_by_a_step_and_every_step_has_one() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    names = [match[2] for match in page.MARKER.finditer(text)]
    assert text.count("<!-- measured:") == text.count("<!-- end -->") == len(names)
    assert sorted(names) == sorted(page.PARTS) == sorted([*STEPS, "marks", "machine"])


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_every_step_runs_a_module_that_there_is(step: Any) -> None:
    for line in (step.usual, step.quick):
        assert find_spec(f"bench.{line.split()[0]}")


def test_all_steps_fit_into_three_quarters_of_an_hour() -> None:
    assert sum(step.minutes for step in STEPS.values()) <= 45


def test_results_are_written_between_their_markers_and_nowhere_else() -> None:
    text = (
        "before\n<!-- measured: latency -->\nlast year\n<!-- end -->\nafter\n<!-- measured: runner -->\n<!-- end -->\n"
    )
    found = {"latency": latency()}
    new = page.written(text, found)
    assert "last year" not in new
    assert new.startswith(
        "before\n<!-- measured: latency -->\n\nTrue ratio 1.200: 1.190 before the runs, 1.210 after them."
    )
    assert "| together | 20 | 1.2% | 3.0% | 0 | 95% | 1 |" in new
    assert new.endswith(f"<!-- measured: runner -->\n\n{page.NOT_MEASURED}\n\n<!-- end -->\n")
    assert page.written(new, found) == new


def test_an_unknown_marker_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="no part is called 'speed'; there are marks, machine"):
        page.written("<!-- measured: speed -->\n<!-- end -->", {})


def test_a_table_says_its_command_its_date_and_the_load() -> None:
    line = next(page.source(latency() | {"rounds": 3}))
    assert line.startswith("`python -m bench.latency --runs 20`, 20")
    assert ", 3 rounds, load 0.5 before and " in line


def test_places_of_a_machine_do_not_get_into_a_command() -> None:
    assert shown(["--data", "/home/me/rows.tsv", "--json", "--models", "/m", "--rows", "5"]) == [
        "--data", "FILE", "--models", "FOLDER", "--rows", "5",
    ]  # fmt: skip


def test_a_folder_without_results_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main([str(tmp_path)]) == 2
    assert "holds no results" in capsys.readouterr().err
