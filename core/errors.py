"""Every error Shortlist raises on purpose.

AppError
├── UserError(message, hint)      the user can fix it: shown in a line or two, never a traceback
│   ├── UnknownName               did you mean …
│   ├── PlanError                 the plan file does not say what it must
│   ├── HubUnavailable            the Hub did not answer, or not in time
│   ├── ModelNotFound             no such model or revision
│   ├── GatedModel                its owner wants terms accepted first
│   ├── RefusedModel              breaks a safety rule; the message names the rule
│   ├── DatasetMismatch           columns wanted, columns found
│   ├── UnreadableFile            not the format it claims to be
│   ├── LabelMismatch             model's labels and data set's labels, side by side
│   ├── MissingDependency         the pip line
│   └── DiskFull                  bytes needed, bytes free
├── TrialFailed(kind, …)          kept as a row with status "failed"; stops no other trial
└── Interrupted                   Ctrl-C or a cancel; what was measured is kept
everything else                   a bug: let it crash
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.records import FailureKind


class AppError(Exception):
    """Base of all errors of this package."""


class UserError(AppError):
    """Something the user can fix. `message` says what was wrong and what was found, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnknownName(UserError):
    """A name that is not on the list, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        known_names = f"Known: {', '.join(names)}." if names else "There are none yet."
        hint = f"Did you mean {near[0]!r}?" if near else known_names
        super().__init__(f"Unknown {kind} {name!r}.", hint)
        self.nearest = near[0] if near else None


class PlanError(UserError):
    """The plan file is not valid."""


class HubUnavailable(UserError):
    """The Hub did not answer, or not in time."""


class ModelNotFound(UserError):
    """No such model, or no such revision of it."""


class GatedModel(UserError):
    """The model's owner wants terms accepted first."""


class RefusedModel(UserError):
    """The model breaks one of Shortlist's safety rules."""


class DatasetMismatch(UserError):
    """The data does not have the columns that the task needs."""


class UnreadableFile(UserError):
    """The file is not what its ending claims, or cannot be decoded."""


class LabelMismatch(UserError):
    """Labels of the model and of the data set do not meet."""


class MissingDependency(UserError):
    """An optional package is needed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}, which is not installed.", f"pip install {package}")


class DiskFull(UserError):
    """Not enough disk space for what was asked."""


class TrialFailed(AppError):
    """A trial that cannot give a result. It becomes a row of the results, and stops no other trial."""

    def __init__(self, kind: FailureKind, message: str, hint: str = "", log_tail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.log_tail = log_tail


class Interrupted(AppError):
    """Stopped by the user; everything committed so far is kept and the run can be resumed."""
