"""A Hugging Face `evaluate` module in a local folder, as a metric. The only importer of `evaluate`.

A plan names it as `{module: ./my_metric}`; everywhere else it goes by the name that `module_name` gives. Such a module
is code that runs with the rights of whoever opens the results, so nothing but a path on this machine is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from core.errors import PlanError, UserError
from core.metrics.base import Resampled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.tasks.base import Prediction, ReferenceKind

PREFIX = "module:"
RESAMPLES = 200
"""A module computes one resample after the other; a few hundred of them take long enough."""

_DOWNLOADS = re.compile(r"^\s*(?:import|from)\s.*#\s*From:\s*https?://", re.MULTILINE | re.IGNORECASE)


def module_name(path: str, value: str | None = None, higher_is_better: bool = True) -> str:
    """The metric's name in a `Plan`: its path and what differs from the usual.

    Args:
        path: Folder that holds `<its name>.py`, or that file.
        value: Which of the module's numbers counts; the usual one when None.
        higher_is_better: Whether more is better, which a module does not say itself.
    """
    settings = {"value": value} if value else {}
    if not higher_is_better:
        settings["higher_is_better"] = "false"
    return PREFIX + path + (f"?{urlencode(settings)}" if settings else "")


def is_module(name: str) -> bool:
    """Whether a metric's name is that of a module."""
    return name.startswith(PREFIX)


def module_settings(name: str) -> dict[str, Any]:
    """What a plan says of the module of that name: `{"module": path}`, and what differs from the usual."""
    path, _, query = name.removeprefix(PREFIX).partition("?")
    settings: dict[str, Any] = {"module": path, **dict(parse_qsl(query))}
    if "higher_is_better" in settings:
        settings["higher_is_better"] = settings["higher_is_better"] != "false"
    return settings


def module_metric(name: str, kind: ReferenceKind) -> ModuleMetric:
    """The metric of that name, for references of that kind. Nothing is loaded yet.

    Raises:
        PlanError: Its path is none on this machine, or the module would fetch code.
    """
    settings = module_settings(name)
    script = _script(settings["module"])
    return ModuleMetric(name, str(script), (kind,), settings.get("value"), settings.get("higher_is_better", True))


@dataclass(frozen=True)
class ModuleMetric(Resampled):
    """What a module's `compute` gives, over the rows as they are and over resamples of them.

    Statistics, shape (n, 2), of objects: prediction and reference as the module wants them. Label names become class
    ids (their places among the data set's sorted labels, −1 for any other answer) where it wants whole numbers.
    """

    name: str
    path: str
    """The module's script."""
    kinds: tuple[ReferenceKind, ...]
    key: str | None
    """Which of the module's numbers counts. None: the one called like the module, else the first."""
    higher_is_better: bool

    stored = False

    @property
    def title(self) -> str:
        """The script's name."""
        return Path(self.path).stem

    def rows(
        self,
        predictions: Sequence[Prediction],
        references: Sequence[Any],
        labels: Sequence[str],
        options: Mapping[str, Any],
    ) -> NDArray[Any]:
        """Statistics of each row.

        Raises:
            UserError: The module cannot be loaded, or wants values that these rows cannot be made into.
        """
        import numpy as np

        wanted = _wanted(self.path)
        statistics = np.empty((len(predictions), 2), dtype=object)
        places = {label: place for place, label in enumerate(labels)}
        for row, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            try:
                statistics[row, 0] = _suited(prediction["answer"], wanted["predictions"], places)
                statistics[row, 1] = _suited(reference, wanted["references"], places)
            except (TypeError, ValueError):
                raise _mismatch(self.path, f"{prediction['answer']!r:.80} and {reference!r:.80}") from None
        return statistics

    def weighted(
        self, statistics: NDArray[Any], weights: NDArray[Any], labels: Sequence[str], options: Mapping[str, Any]
    ) -> NDArray[np.float64]:
        """The module's value in the first 200 resamples, which then stand for all others in turn.

        Raises:
            UserError: It fails on the rows as they are. A resample on which it fails is undefined.
        """
        import numpy as np

        values = [self._value(statistics, line) for line in weights[:RESAMPLES]]
        return np.resize(np.array(values, dtype=np.float64), len(weights))

    def _value(self, statistics: NDArray[Any], weights: NDArray[Any]) -> float:
        import numpy as np

        module, as_they_are = _load(self.path), bool((weights == 1).all())
        drawn = statistics[np.repeat(np.arange(len(statistics)), np.asarray(weights, dtype=int))]
        inputs = {"predictions": drawn[:, 0].tolist(), "references": drawn[:, 1].tolist()}
        try:
            # `compute` checks the rows, which takes longer than to score them: once is enough.
            checks = as_they_are or module.format is not None
            result = module.compute(**inputs) if checks else module._compute(**inputs)
        except Exception as error:  # whatever a person's own code raises
            if as_they_are:
                raise _mismatch(self.path, "them", error) from error
            return float("nan")
        return _number(result, self.key or self.title, self.path, strict=self.key is not None)


def _script(path: str) -> Path:
    script = Path(path).expanduser()
    if script.suffix != ".py":
        script = script / f"{script.name}.py"
    if not script.is_file():
        raise PlanError(
            f"There is no evaluate module at {path!r}; only modules in a local folder are run, none from the network.",
            f"Give the folder that holds {script.name}, or the file itself.",
        )
    if _DOWNLOADS.search(script.read_text(encoding="utf-8", errors="replace")):
        raise PlanError(
            f"The evaluate module {path!r} imports code from an address; nothing is fetched from the network.",
            "Save what it imports beside it, or choose another module.",
        )
    return script


@cache
def _load(path: str) -> Any:
    import evaluate

    try:
        return evaluate.load(path, keep_in_memory=True)
    except Exception as error:  # whatever a person's own code raises
        raise UserError(
            f"The evaluate module {path!r} cannot be loaded: {_words(error)}", "Correct it, or leave it out."
        ) from error


@cache
def _wanted(path: str) -> dict[str, tuple[Any, ...]]:
    """The types that a module accepts for predictions and for references."""
    features = _load(path).features
    formats = features if isinstance(features, list) else [features]
    if any(set(one) != {"predictions", "references"} for one in formats):
        raise _mismatch(path, "predictions and references alone")
    return {word: tuple(one[word] for one in formats) for word in ("predictions", "references")}


def _suited(value: Any, types: Sequence[Any], places: Mapping[str, int]) -> Any:
    """The value as one of these types."""
    many = isinstance(value, list)
    chosen = next((one for one in types if hasattr(one, "feature") == many), types[0])
    if not hasattr(chosen, "feature"):
        return _scalar(value, chosen, places)
    return [_suited(item, (chosen.feature,), places) for item in (value if many else [value])]


def _scalar(value: Any, wanted: Any, places: Mapping[str, int]) -> Any:
    kind = str(getattr(wanted, "dtype", ""))
    if "string" in kind and isinstance(value, str | int | float):
        return str(value)
    if "int" in kind:
        return places.get(value, -1) if isinstance(value, str) and places else int(value)
    if "float" in kind:
        return float(value)
    raise TypeError(f"{value!r} for {wanted}")


def _number(result: Any, key: str, path: str, strict: bool) -> float:
    numbers = {
        str(name): float(value)
        for name, value in (result.items() if isinstance(result, Mapping) else [(key, result)])
        if hasattr(value, "__float__") and not getattr(value, "shape", ())
    }
    if not numbers or (strict and key not in numbers):
        found = ", ".join(numbers) or "no number at all"
        raise UserError(
            f"The evaluate module {path!r} gives {found}, not {key!r}.", "Say which number counts: value: accuracy"
        )
    return numbers.get(key, next(iter(numbers.values())))


def _mismatch(path: str, found: str, error: Exception | None = None) -> UserError:
    features = re.sub(r"\s+", " ", str(_load(path).features))
    said = f": {_words(error)}" if error else "."
    return UserError(
        f"The evaluate module {path!r} wants {features}; the rows give {found}{said}",
        "Choose a module for this kind of answer.",
    )


def _words(error: Exception) -> str:
    return re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")[:300]
