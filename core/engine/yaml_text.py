"""YAML as a plan file wants it: with fewer surprises when read, and pleasant to look at when written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from core.errors import PlanError

LINE = 100
"""Longest mapping, in characters, that is written in one line."""


def load(text: str) -> Any:
    """The values in a YAML text. Raises PlanError that names line and column.

    Unlike plain YAML, keys are text as they are written (`0` as well), no key may stand twice, and only `true` and
    `false` are booleans: `no` and `yes` are common labels.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise PlanError(
            f"The plan is not valid YAML{place}: {error.problem}.", "Check indentation and quotes."
        ) from None
    except yaml.YAMLError as error:
        raise PlanError(
            f"The plan is not valid YAML: {str(error).splitlines()[0]}.", "It must be plain text."
        ) from None
    except ValueError as error:  # a date such as 2026-99-99
        raise PlanError(f"The plan holds a value that cannot be read: {error}.", "Put texts in quotes.") from None


def dump(section: Mapping[str, Any]) -> str:
    """A mapping as block YAML, keys in their order; `flow` values in one line."""
    return str(yaml.dump(section, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000))


class FlowList(list[Any]):
    """A list written in one line."""


class FlowDict(dict[str, Any]):
    """A mapping written in one line."""


def flow(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping, written in one line if it is short enough to be read there."""
    length = sum(len(f"{key}: {value}, ") for key, value in mapping.items())
    return FlowDict(mapping) if length <= LINE else dict(mapping)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # Entries of a list stand to the right of their key.
        super().increase_indent(flow, False)


def _represent_text(dumper: Any, text: str) -> Any:
    # PyYAML loses rare line breaks (U+0085) and blanks outside of double quotes.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(
    FlowList, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)
_Dumper.add_representer(
    FlowDict, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with fewer surprises: keys are text as written, none stands twice, and `no` is a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


# YAML 1.1 reads yes, no, on and off as booleans: they are common labels.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|True|false|False"), list("tTfF"))
