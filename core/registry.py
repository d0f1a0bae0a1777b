"""Finds plug-ins by walking a package: every module that ends in TASK, METRIC, BACKEND or FORMAT is one.

Adding a plug-in is adding a file. A module may give a tuple where several plug-ins share their arithmetic.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from core.errors import UnknownName

if TYPE_CHECKING:
    from core.engine.backends.base import Backend
    from core.export.base import Format
    from core.metrics.base import Metric
    from core.tasks.base import Task


@cache
def _collect(package: str, constant: str) -> dict[str, Any]:
    root = importlib.import_module(package)
    found: dict[str, Any] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(root.__path__)):
        plugin = getattr(importlib.import_module(f"{package}.{module}"), constant, ())
        for item in plugin if isinstance(plugin, tuple) else (plugin,):
            if item.name in found:
                raise RuntimeError(f"{package}.{module}: a second {constant} is named {item.name!r}")
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


def metrics() -> dict[str, Metric]:
    """Every metric by its name."""
    return cast("dict[str, Metric]", _collect("core.metrics", "METRIC"))


def metric(name: str) -> Metric:
    """The metric of that name. Raises UnknownName."""
    return cast("Metric", _one("metric", name, metrics()))


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
