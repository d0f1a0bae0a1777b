"""Settings of tasks and metrics: what they are called, what they may be, and what they are when nobody says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import PlanError


@dataclass(frozen=True)
class Option:
    """A setting. In the plan, option `average` of metric `f1` is `f1_average`; a task's `threshold` keeps its name."""

    default: Any
    choices: tuple[Any, ...] = ()
    """Empty: any value of the kind."""
    help: str = ""
    kind: Literal["text", "number", "label"] = "text"
    """Of a value that is none of a few choices. `label`: the name of one of the data set's labels."""


def resolve(options: Mapping[str, Option], flat: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The options, complete, from the plan's flat ones.

    Args:
        options: Name → option.
        flat: What the plan says, under flat names.
        prefix: What stands before each name in the plan, `f1_` for the metric `f1`.

    Raises:
        PlanError: A value is not allowed.
    """
    resolved = {}
    for name, option in options.items():
        value = flat.get(prefix + name, option.default)
        if option.choices and value not in option.choices:
            allowed = ", ".join(map(str, option.choices))
            raise PlanError(f"{prefix}{name} is {value!r}.", f"Use one of: {allowed}.")
        resolved[name] = value
    return resolved
