"""What an export format is: one file about a run and its chosen trial."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.analysis import wording
from core.export import text

if TYPE_CHECKING:
    from core.analysis.intervals import Interval
    from core.analysis.paired import Pair
    from core.records import RunResult

TEMPLATES = Path(__file__).parent / "templates"


class Format(Protocol):
    """A file that can be made from a run."""

    name: str
    """As the command line says it: `--format html`."""
    title: str
    description: str
    """What a person does with it, in a sentence."""
    filename: str
    """Its name in the bundle; files of a bundle refer to each other by it."""
    media_type: str
    companions: tuple[str, ...]
    """Names of the formats whose files this one refers to."""

    def render(self, run: RunResult, trial: str) -> bytes:
        """The file. `trial` is the id of the chosen one. Raises UnknownName where the run has no such trial."""
        ...


def fill(template: str, **values: Any) -> bytes:
    """A template of `core/export/templates`, filled. Every value is escaped where the template ends in `.html`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "repr": repr,
        "markdown": text.markdown,
        "quality": wording.quality,
        "span": _span,
        "three_digits": wording.three_digits,
        "rate": wording.rate,
        "megabytes": wording.megabytes,
    }
    return environment.get_template(template).render(**values).encode()


def _span(interval: Interval | Pair) -> str:
    """0.893 to 0.928."""
    if math.isnan(interval.low):
        return wording.NOTHING
    return f"{wording.quality(interval.low)} to {wording.quality(interval.high)}"
