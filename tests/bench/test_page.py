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
from bench.runner import summary

TOGETHER = {"method": "together", "runs": 20, "median_error": 0.012, "worst_error": 0.03, "wrong_order": 0}
LATENCY = {
    "lines": [TOGETHER | {"coverage": 0.95, "noisy": 1}],
    "quiet": {"ratio": {"value": 1.18}},
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


def test_all_steps_fit_into_an_hour() -> None:
    assert sum(step.minutes for step in STEPS.values()) <= 60


def test_results_are_written_between_their_markers_and_nowhere_else() -> None:
    text = (
        "before\n<!-- measured: latency -->\nlast year\n<!-- end -->\nafter\n<!-- measured: runner -->\n<!-- end -->\n"
    )
    found = {"latency": latency()}
    new = page.written(text, found)
    assert "last year" not in new
    assert new.startswith(
        "before\n<!-- measured: latency -->\n\nTrue ratio 1.200: 1.190 before the runs, 1.210 after them; 1.180 on"
    )
    assert "| together | 20 | 1.2% | 3.0% | 0 | 95% | 1 |" in new
    assert new.endswith(f"<!-- measured: runner -->\n\n{page.NOT_MEASURED}\n\n<!-- end -->\n")
    assert page.written(new, found) == new


def rendered(name: str, found: dict[str, Any]) -> list[str]:
    return page.part(name, {name: json.loads(document(name, [], None, **found))}).splitlines()


def test_a_table_of_the_quality_pass_has_a_line_per_contender() -> None:
    ours = {"contender": "ours, exact", "seconds": [1, 1, 2], "equal": 1, "difference": 0, "ours, exact": [1, 1, 1]}
    other = {"contender": "evaluate.evaluator", "seconds": [3, 2, 4], "equal": 0.9975, "ours, exact": [3, 2, 4]}
    one = {"model": "small", "table": "short", "rows": 400, "texts": "tweets", "words": [20, 40]}
    lines = rendered("short", {"rounds": 5, "tables": [one | {"lines": [ours, other | {"difference": None}]}]})
    assert lines[0] == "**small**, short, 400 rows of tweets, words: median 20, p95 40"
    assert lines[2] == "|  | seconds | × ours, exact | same answers | differ by |"
    assert lines[5] == "| evaluate.evaluator | 3.00 [2.00, 4.00] | 3.00 [2.00, 4.00] | 99.75% |  |"


def test_the_race_is_shown_beside_the_full_run_and_the_evaluator() -> None:
    full = {"seconds": 20, "answered": 1000, "accuracies": {"a": 0.9, "b": 0.89}, "winner": "a"}
    raced = {"seconds": 5, "answered": 300, "accuracies": {"b": 0.9}, "winner": "b"}
    repeats = [{"full": full, "raced": raced, "evaluator": full | {"seconds": 100}}, {"full": full, "raced": raced}]
    lines = rendered("decision", {"rows": 500, "candidates": 2, "repeats": repeats})
    assert "| raced | 2 | 5.0 [5.0, 5.0] | 300 | 20.0 [20.0, 20.0] |" in lines
    assert "Winner of the race behind the best of the full run: 1.00, 1.00 points." in lines


def test_races_that_are_simulated_are_counted_by_their_size() -> None:
    race = {"saved": 4.0, "behind_full": 0.0, "behind_truth": 0.02, "lost_best": False, "lost_tied": 0}
    lines = rendered("simulated", {"races": {"2000": [race, race | {"saved": 6.0, "lost_best": True}]}})
    assert "| 2,000 | 2 | 5.00 [4.00, 6.00] | 100.0% | 0.0% | 50.0% |" in lines


def test_memory_is_shown_with_its_ratio() -> None:
    line = {"model": "small", "texts": "short", "rows": 5, "wall": [1.02, 1, 1.1], "processor": [1, 1, 1]}
    lines = rendered("overhead", {"processes": 3, "lines": [line | {"mb": [105, 100, 110], "loop_mb": [100, 99, 101]}]})
    first = "| small, short, 5 rows | 1.020 [1.000, 1.100] | 1.000 [1.000, 1.000] |"
    assert f"{first} 105 [100, 110] | 100 [99, 101] | 1.05 |" in lines


def test_a_profile_has_a_line_for_each_part_and_the_share_last() -> None:
    run = {"way": "quality alone", "candidates": 2, "rows": 1000, "begin": [0.25]}
    lines = rendered("runner", {"runs": [run | summary(10.0, {"quality forward": 9.0, "load": 0.5})]})
    assert "| seconds | quality alone, 2 × 1,000 rows |" in lines
    assert "| load, the rest | 0.50 (5.0%) |" in lines
    assert "| **models run** | **90.0%** |" in lines


def test_the_machine_is_described_once() -> None:
    said = page.part("machine", {"latency": latency(), "runner": latency()})
    assert "torch 2." in said
    assert "another machine" not in said
    other = latency()
    other["environment"]["cpu"] = "Other processor"
    assert "Some tables are from another machine: Other processor." in page.part(
        "machine", {"latency": latency(), "runner": other}
    )


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
