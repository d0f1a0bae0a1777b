"""What is kept: selections, runs, trials, reviews. The only room that knows there is a database.

`from core.store import Store, LeaseLost` loads the database library, so it is done where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.store.runners import RunnerInfo as RunnerInfo
    from core.store.runs import RunInfo as RunInfo
    from core.store.store import Store as Store
    from core.store.trials import Claim as Claim
    from core.store.trials import LeaseLost as LeaseLost

_HOMES = {"Store": "store", "RunInfo": "runs", "RunnerInfo": "runners", "Claim": "trials", "LeaseLost": "trials"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
