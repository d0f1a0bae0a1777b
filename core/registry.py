"""Finds plug-ins by walking a package: every module that ends in TASK, METRIC, BACKEND or FORMAT is one.

Adding a plug-in is adding a file. A module may give a tuple where several plug-ins share their arithmetic.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from core.errors import UnknownName

if TYPE_CHECKING:
    from core.engine.backends.base import Backend
    from core.export.base import Format
    from core.metrics.base import Metric
    from core.tasks.base import Task


def _plugins(package: str, constant: str) -> Iterator[tuple[str, Any]]:
    """Every plug-in of a package with the module it stands in."""
    root = importlib.import_module(package)
    for module in sorted(info.name for info in pkgutil.iter_modules(root.__path__)):
        plugin = getattr(importlib.import_module(f"{package}.{module}"), constant, ())
        for item in plugin if isinstance(plugin, tuple) else (plugin,):
            yield f"{package}.{module}", item


@cache
def _collect(package: str, constant: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module, item in _plugins(package, constant):
        if item.name in found:
            raise RuntimeError(f"{module}: a second {constant} is named {item.name!r}")
        found[item.name] = item
    return found


def _one(kind: str, name: str, found: dict[str, Any]) -> Any:
    if name not in found:
        raise UnknownName(kind, name, found)
    return found[name]


def tasks() -> dict[str, Task]:
    """Every task by its pipeline tag."""
    return cast("dict[str, Task]", _collect("core.tasks", "TASK"))


def task(name: str) -> Task:
    """The task of that pipeline tag. Raises UnknownName."""
    return cast("Task", _one("task", name, tasks()))


@cache
def metrics() -> tuple[Metric, ...]:
    """Every metric. Names may repeat, but not within one kind of reference."""
    found: dict[tuple[str, str], Metric] = {}
    for module, item in _plugins("core.metrics", "METRIC"):
        for kind in item.kinds:
            if (item.name, kind) in found:
                raise RuntimeError(f"{module}: a second METRIC for {kind!r} is named {item.name!r}")
            found[item.name, kind] = item
    return tuple(dict.fromkeys(found.values()))


def metrics_of(task: Task) -> dict[str, Metric]:
    """The metrics that score this task's references, by name: its defaults first, the others in order of their files.

    Raises:
        UnknownName: One of its defaults does not exist.
    """
    kind = next(column.kind for column in task.columns if column.role == "reference")
    found = {one.name: one for one in metrics() if kind in one.kinds}
    return {name: _one(f"metric of {task.name}", name, found) for name in task.default_metrics} | found


def metric(name: str, task: Task) -> Metric:
    """The task's metric of that name, or the local `evaluate` module that it names. Raises UnknownName, PlanError."""
    from core.metrics.module import is_module, module_metric

    if is_module(name):
        kind: Any = next(column.kind for column in task.columns if column.role == "reference")
        return cast("Metric", module_metric(name, kind))
    return cast("Metric", _one(f"metric of {task.name}", name, metrics_of(task)))


def backends() -> dict[str, Backend]:
    """Every runtime by its name."""
    return cast("dict[str, Backend]", _collect("core.engine.backends", "BACKEND"))


def backend(name: str) -> Backend:
    """The runtime of that name. Raises UnknownName."""
    return cast("Backend", _one("backend", name, backends()))


def formats() -> dict[str, Format]:
    """Every export format by its name."""
    return cast("dict[str, Format]", _collect("core.export", "FORMAT"))


def format(name: str) -> Format:
    """The export format of that name. Raises UnknownName."""
    return cast("Format", _one("format", name, formats()))
