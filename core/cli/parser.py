"""What can be typed. Importing this costs nothing: each command is loaded when it is called."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Command = Callable[[argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the parsed options carry `command`, the function to call."""
    parser = argparse.ArgumentParser(
        prog="python -m core", description="Which Hugging Face model do we ship, and how do we know?"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    search = _command(commands, "search", "core.cli.find:search", "models that answer a query")
    search.add_argument("--task", required=True, metavar="T", help="pipeline tag, e.g. text-classification")
    search.add_argument("--text", default="", metavar="Q", help="words in the model's name")
    search.add_argument("--license", action="append", default=[], metavar="L", help="tag or class; may be repeated")
    search.add_argument("--min-params", metavar="N", help="e.g. 10M")
    search.add_argument("--max-params", metavar="N", help="e.g. 150M")
    search.add_argument("--language", action="append", default=[], metavar="CODE")
    search.add_argument("--library", action="append", default=[], metavar="NAME")
    search.add_argument("--exclude", action="append", default=[], metavar="WORD")
    search.add_argument("--sort", default="downloads", choices=("downloads", "likes", "trending", "updated", "size"))
    search.add_argument("--limit", type=int, default=20, metavar="N")
    search.add_argument("--source", default="hub", metavar="hub|PATH|samples")
    _json(search)

    run = _command(commands, "run", "core.cli.run:run", "run a plan to its end; goes on where it was stopped")
    run.add_argument("plan", type=Path, metavar="PLAN.yaml")
    run.add_argument("--executor", default="local", choices=("local",), help="who runs the trials")
    run.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    _json(run)

    report = _command(commands, "report", "core.cli.results:report", "results of a run")
    report.add_argument("run", metavar="RUN", help="id, its beginning, or `latest`")
    report.add_argument("--format", default="md", choices=("json", "html", "md", "csv"))
    report.add_argument("--trial", metavar="ID", help="the one presented as chosen; the winner when left out")

    score = _command(commands, "score", "core.cli.score:score", "metrics of predictions made elsewhere, no model")
    score.add_argument("--task", required=True, metavar="T")
    score.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    score.add_argument(
        "--references", type=Path, nargs="+", required=True, metavar="FILE", help="several: one reference each"
    )
    score.add_argument("--reader", metavar="NAME", help="of the references: conll, squad, paragraphs, …")
    score.add_argument("--predictions-reader", metavar="NAME")
    score.add_argument(
        "--metrics", nargs="+", default=[], metavar="M", help="names, or paths of local evaluate modules (./my_metric)"
    )
    score.add_argument(
        "--columns", nargs="+", default=[], metavar="WORD=COLUMN", help="e.g. prediction=guess label=gold id=key"
    )
    score.add_argument("--labels", nargs="+", default=[], metavar="VALUE=LABEL", help="e.g. 0=negative 1=positive")
    score.add_argument("--group-by", metavar="COLUMN", help="rows with the same value are references of one row")
    score.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="e.g. f1_average=micro")
    _json(score)

    export = _command(commands, "export", "core.cli.results:export", "the winner, or a trial, as files")
    export.add_argument("run", metavar="RUN")
    export.add_argument("--trial", metavar="ID", help="the winner when left out")
    export.add_argument("--format", action="append", metavar="NAME", help="may be repeated; all when left out")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")

    runner = _command(commands, "runner", "core.cli.machine:runner", "the process that runs queued trials")
    runner.add_argument("--until-idle", action="store_true", help="end when nothing is queued")

    demo = _command(commands, "demo", "core.cli.demo:demo", "the whole journey on the bundled samples, offline")
    demo.add_argument("--out", type=Path, default=Path("shortlist-demo"), metavar="DIR")

    doctor = _command(commands, "doctor", "core.cli.machine:doctor", "what this machine has")
    _json(doctor)

    start = _command(commands, "start", "core.cli.machine:start", "the runner and the app")
    start.add_argument("--host", default="127.0.0.1")
    start.add_argument("--port", type=int, default=8501)
    start.add_argument("--no-wait", action="store_true", help="serve at once; the first example is measured meanwhile")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, target: str, help: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help.capitalize() + ".")
    parser.set_defaults(command=_lazy(target))
    return parser


def _lazy(target: str) -> Command:
    module, function = target.split(":")

    def call(options: argparse.Namespace) -> int:
        return int(getattr(import_module(module), function)(options))

    return call


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
