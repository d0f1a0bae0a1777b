"""Writes what `bench.all` has measured into `docs/performance.md`, between its markers; no figure is typed by hand.

    python -m bench.page FOLDER [--write]

Without `--write` it prints the parts. A benchmark whose file is missing says so in its place.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.marks import EXACT, SCREENED, Documents, behind, marks
from bench.simulation import POINT

PAGE = Path(__file__).resolve().parent.parent / "docs/performance.md"
MARKER = re.compile(r"(<!-- measured: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "_Not measured yet._"


def read(folder: Path) -> dict[str, Any]:
    """Name of a step → its document. Raises ValueError where the folder holds none."""
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
    if not found:
        raise ValueError(f"{folder} holds no results; `python -m bench.all --out {folder}` makes them.")
    return found


def written(page: str, found: Documents) -> str:
    """The page with its measured parts replaced. Raises ValueError for a marker that nothing fills."""

    def replaced(match: re.Match[str]) -> str:
        return f"{match[1]}\n{part(match[2], found)}\n\n{match[3]}"

    return MARKER.sub(replaced, page)


def part(name: str, found: Documents) -> str:
    """What stands between two markers."""
    if name not in PARTS:
        raise ValueError(f"no part is called {name!r}; there are {', '.join(PARTS)}")
    if name in ("marks", "machine"):
        return "\n".join(PARTS[name](found))
    document = found.get(name)
    return "\n".join([*PARTS[name](document), "", *source(document)]) if document else NOT_MEASURED


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, numbers to the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(['---', *['---:'] * (len(head) - 1)])}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def source(document: Mapping[str, Any]) -> Iterator[str]:
    """Where the figures are from."""
    rounds = f", {document['rounds']} rounds" if "rounds" in document else ""
    before, after = document["load"]
    yield f"`{document['command']}`, {document['date']}{rounds}, load {before} before and {after} after."


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median [least, most], given in this order."""
    middle, least, most = (f"{value:.{digits}f}" for value in values)
    return f"{middle} [{least}, {most}]"


def _marks(found: Documents) -> Iterator[str]:
    yield "| mark | measured | |"
    yield "|---|---|---|"
    for mark in marks(found):
        yield f"| {mark.text} | {mark.reached} | {mark.verdict} |"


def _machine(found: Documents) -> Iterator[str]:
    one = next(iter(found.values()))
    machine = one["environment"]
    sets = ", ".join(machine["extensions"])
    yield f"{machine['cpu']}, {machine['cores']} cores ({sets or 'instruction sets unknown'}), "
    yield f"{machine['ram_mb'] / 1000:.0f} GB; {machine['platform']}; Python {machine['python']}, "
    yield ", ".join(f"{name} {machine[name]}" for name in ("torch", "transformers", "tokenizers", "numpy")) + "."
    differing = sorted({other["environment"]["cpu"] for other in found.values()} - {machine["cpu"]})
    if differing:
        yield f"Some tables are from another machine: {', '.join(differing)}."


def _quality(document: Mapping[str, Any]) -> Iterator[str]:
    for number, one in enumerate(document["tables"]):
        if number:
            yield ""
        words = "words: median {}, p95 {}".format(*one["words"])
        yield f"**{one['model']}**, {one['table']}, {one['rows']:,} rows of {one['texts']}, {words}"
        yield ""
        screened = any(SCREENED in line for line in one["lines"])
        head = [
            "",
            "seconds",
            "× ours, exact",
            *(["× ours, screened"] if screened else []),
            "same answers",
            "differ by",
        ]
        rows = []
        for line in one["lines"]:
            differs = "" if line["difference"] is None else f"{line['difference']:.0e}"
            ratios = [spread(line[ours]) for ours in (EXACT, SCREENED) if ours in line]
            rows.append([line["contender"], spread(line["seconds"]), *ratios, f"{line['equal']:.2%}", differs])
        yield from table(head, rows)


def _simulated(document: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for size, races in document["races"].items():
        saved = sorted(one["saved"] for one in races)
        low, high = saved[len(saved) // 10], saved[len(saved) * 9 // 10]
        within, truly, lost = (
            f"{fmean(values):.1%}"
            for values in (
                [one["behind_full"] <= POINT for one in races],
                [one["behind_truth"] <= POINT for one in races],
                [one["lost_best"] for one in races],
            )
        )
        cells = [f"{int(size):,}", str(len(races)), f"{median(saved):.2f} [{low:.2f}, {high:.2f}]", within, truly, lost]
        rows.append(cells)
    head = ("rows", "races", "full / raced, rows [10 %, 90 %]", "within 1 pt", "of the truly best", "best lost")
    yield from table(head, rows)


def _decision(document: Mapping[str, Any]) -> Iterator[str]:
    repeats, rows = document["repeats"], []
    slow = [one["evaluator"]["seconds"] for one in repeats if "evaluator" in one]
    for way in ("full", "raced", "evaluator"):
        taken = [one[way] for one in repeats if way in one]
        if not taken:
            continue
        seconds = [one["seconds"] for one in taken]
        ratios = [median(slow) / value for value in seconds] if slow else []
        cells = [way, str(len(taken)), spread((median(seconds), min(seconds), max(seconds)), 1)]
        cells.append(f"{median(one['answered'] for one in taken):,.0f}")
        cells.append(spread((median(ratios), min(ratios), max(ratios)), 1) if ratios else "")
        rows.append(cells)
    yield f"{document['candidates']} candidates, {document['rows']:,} rows each"
    yield ""
    yield from table(("", "n", "seconds", "rows answered", "evaluator / this"), rows)
    yield ""
    points = [100 * behind(one) for one in repeats]
    yield f"Winner of the race behind the best of the full run: {', '.join(f'{point:.2f}' for point in points)} points."


def _overhead(document: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [
            f"{line['model']}, {line['texts']}, {line['rows']} rows",
            *(spread(line[name], 3) for name in ("wall", "processor")),
            *(spread(line[name], 0) for name in ("mb", "loop_mb")),
            f"{line['mb'][0] / line['loop_mb'][0]:.2f}",
        ]
        for line in document["lines"]
    ]
    head = ("", "wall, ours / loop", "processor time, ours / loop", "MB, ours", "MB, loop", "ratio")
    yield from table(head, rows)
    yield ""
    yield f"Memory: {document['processes']} processes of each."


def _latency(document: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for line in document["lines"]:
        wrong, noisy = ("–" if line[key] is None else str(line[key]) for key in ("wrong_order", "noisy"))
        cells = [line["method"], str(line["runs"]), f"{line['median_error']:.1%}", f"{line['worst_error']:.1%}"]
        rows.append([*cells, wrong, f"{line['coverage']:.0%}", noisy])
    before, after = (one["ratio"]["value"] for one in document["truths"])
    quiet = document["quiet"]["ratio"]["value"]
    yield (
        f"True ratio {document['truth']:.3f}: {before:.3f} before the runs, {after:.3f} after them; {quiet:.3f} on the "
        "quiet machine."
    )
    yield ""
    head = ("", "runs", "median error", "worst", "wrong order", "interval holds the truth", "said noisy")
    yield from table(head, rows)


def _runner(document: Mapping[str, Any]) -> Iterator[str]:
    runs = document["runs"]
    head = ("seconds", *(f"{run['way']}, {run['candidates']} × {run['rows']:,} rows" for run in runs))
    rows = [["wall", *(f"{run['wall']:.1f}" for run in runs)]]
    rows += [
        [name, *(f"{run['parts'][name]:.2f} ({run['parts'][name] / run['wall']:.1%})" for run in runs)]
        for name in runs[0]["parts"]
    ]
    rows.append(["commits, while the next batches run", *(f"{run['commits']:.2f}" for run in runs)])
    rows.append(["**models run**", *(f"**{run['share']:.1%}**" for run in runs)])
    yield from table(head, rows)
    yield ""
    begin = [seconds for run in runs for seconds in run["begin"]]
    if begin:
        yield "Second and later trials, from the claim until the model runs, less its loading: "
        yield f"{median(begin):.2f} s in the median, {max(begin):.2f} s at most."


PARTS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "marks": _marks,
    "machine": _machine,
    **dict.fromkeys(("short", "long", "others", "sizes", "questions", "thousands", "many"), _quality),
    "simulated": _simulated,
    "decision": _decision,
    "overhead": _overhead,
    "latency": _latency,
    "runner": _runner,
}
"""Name of a marker → what writes the part."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the parts, or write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    options = parser.parse_args(arguments)
    try:
        found = read(options.folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
        return 0
    for name in PARTS:
        print(f"\n## {name}\n\n{part(name, found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
