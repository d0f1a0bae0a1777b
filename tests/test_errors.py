"""The error tree: what its docstring draws is what there is."""

from __future__ import annotations

import inspect
import re

from core import errors

CLASSES = {name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__}


def drawn() -> list[tuple[int, str]]:
    """Depth and name of each line of the drawing that names a class."""
    lines = re.findall(r"^([│├└─ ]*)([A-Z]\w+)", errors.__doc__.partition("\n")[2], flags=re.MULTILINE)
    return [(len(branch) // 4, name) for branch, name in lines]


def test_the_drawing_lists_every_error_once() -> None:
    names = [name for _, name in drawn()]
    assert sorted(names) == sorted(CLASSES)


def test_the_drawing_shows_each_error_below_its_base() -> None:
    path: list[str] = []
    for depth, name in drawn():
        del path[depth:]
        assert CLASSES[name].__base__.__name__ == (path[-1] if path else "Exception")
        path.append(name)


def test_a_user_error_says_what_was_wrong_and_what_to_do() -> None:
    error = errors.UserError("No column 'text'.", "Name it under columns:.")
    assert (str(error), error.message, error.hint) == ("No column 'text'.", error.message, "Name it under columns:.")


def test_an_unknown_name_brings_the_nearest_that_is_known() -> None:
    error = errors.UnknownName("metric", "acuracy", ["f1", "accuracy"])
    assert error.nearest == "accuracy"
    assert error.hint == "Did you mean 'accuracy'?"


def test_an_unknown_name_that_resembles_nothing_brings_the_list() -> None:
    error = errors.UnknownName("metric", "zzz", ["f1", "accuracy"])
    assert error.nearest is None
    assert error.hint == "Known: accuracy, f1."


def test_a_failed_trial_keeps_its_kind_and_its_log() -> None:
    error = errors.TrialFailed("load", "No such file.", "Fetch it again.", "Traceback …")
    assert (error.kind, error.message, error.hint, error.log_tail) == (
        *("load", "No such file."),
        *("Fetch it again.", "Traceback …"),
    )


def test_a_missing_package_brings_the_line_that_installs_it() -> None:
    assert errors.MissingDependency("onnxruntime", "The ONNX backend").hint == "pip install onnxruntime"
