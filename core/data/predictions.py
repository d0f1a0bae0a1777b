"""Predictions made elsewhere: read from a file, and joined with the rows that they answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.answers import answer, class_order, class_probabilities, listed
from core.data.delimited import decode
from core.data.evalset import ID_COLUMNS
from core.data.kinds import KINDS, Reading
from core.data.line_formats import split_lines
from core.data.readers import ENDINGS
from core.data.readers import ending as ending_of
from core.data.source import read_file
from core.data.table import Table, check_rows, is_missing, read_bytes, unpack
from core.errors import DatasetMismatch, UnreadableFile
from core.tasks.base import reference_column

if TYPE_CHECKING:
    import pandas as pd

    from core.records import EvalSet
    from core.tasks.base import Prediction, Task

ANSWER_COLUMNS = (
    *("prediction", "predictions", "predicted", "predicted_label", "predicted_answers", "predicted_answer"),
    *("prediction_text", "pred", "preds", "output", "outputs", "hypothesis", "hyp", "generated_text", "response"),
    *("answer", "predicted_labels", "predicted_tags"),
)
"""Usual names of the column that holds the answers, the likeliest first, lower case."""
KEPT_COLUMNS = ("ranked", "nll", "tokens", "bytes")
"""Columns that go into a prediction as they are, where a metric may ask for them."""
WORDS = ("prediction", "id", "probabilities")
"""What `columns` of `join` may name."""
EXAMPLES = 3


@dataclass(frozen=True)
class Joined:
    """One prediction for each row of an `EvalSet`, in its order."""

    predictions: tuple[Prediction, ...]
    """A row without a prediction has the task's blank, which counts as wrong."""
    missing: tuple[int, ...] = ()
    """Positions of rows without a prediction."""
    unmatched: tuple[str, ...] = ()
    """Ids of predictions that no row has."""
    notes: tuple[str, ...] = ()
    """What a reader of the scores must know, in sentences."""


def read_answers(path: Path, task: Task, reader: str | None = None) -> Table:
    """Read a file of predictions, or of references alone.

    Args:
        path: A table, SQuAD JSON, `{id: answer}` in JSON, an array (`.npy`), or text: CoNLL columns where the task's
            answers are tags and blank lines part the rows, else one answer per line, blank lines included.
        task: What the answers are for.
        reader: Name of a reader, or `paragraphs`; by the file's ending when None.

    Raises:
        UserError: As `read_file` says.
    """
    ending = ending_of(path)
    if reader is None and ending == ".json" and (by_id := _answers_by_id(path)):
        return _table(path, {"id": list(by_id), "prediction": list(by_id.values())})
    if reader not in (None, "paragraphs") or ENDINGS.get(ending, "lines") != "lines":
        return read_file(path, reader)
    text = _text(path)
    if reader == "paragraphs":
        return _table(path, {"references": paragraphs(text)})
    if reference_column(task).kind == "tags" and re.search(r"\n\s*\n", text.strip()):
        return read_file(path, "conll")
    return _table(path, {"prediction": split_lines(text)})


def join(
    task: Task,
    table: Table,
    evalset: EvalSet,
    labels: Mapping[str, str] | None = None,
    columns: Mapping[str, str | int] | None = None,
) -> Joined:
    """Find each row's prediction: by id where the file has ids, else by position.

    Args:
        task: Whose predictions they are.
        table: As `read_answers` gives it.
        evalset: The rows.
        labels: Value in the file → label name of the data set; other values are taken as they are.
        columns: Names or positions of the columns `prediction`, `id` and `probabilities`; guessed where left out.

    Raises:
        DatasetMismatch: A column is not there or holds nothing, an id stands twice, no id or no label is one of the
            rows', or there are more predictions than rows.
    """
    columns, frame = dict(columns or {}), table.frame
    ids = _ids(frame, columns, evalset)
    said = _predictions(task, table, evalset, labels or {}, columns)
    places = _by_position(len(said), evalset) if ids is None else _by_id(ids, evalset)
    met = set(places)
    unmatched = tuple(name for place, name in enumerate(ids or ()) if place not in met)
    found = [None if place is None else said[place] for place in places]
    missing = tuple(position for position, prediction in enumerate(found) if prediction is None)
    if len(missing) == len(found):
        raise DatasetMismatch("None of the rows has a prediction.", "Choose the file that answers these rows.")
    notes = [*table.notes, *_listed_unmatched(unmatched, _is_drawn(evalset)), *_unknown_labels(task, found, evalset)]
    if reference_column(task).kind == "tags":
        notes += _fit_tags(found, evalset.references)
    if missing:
        notes.append(f"Rows without a prediction: {len(missing):,} of {len(found):,}; they count as wrong.")
    return Joined(
        predictions=tuple(_blank(task, evalset, row) if one is None else one for row, one in enumerate(found)),
        missing=missing,
        unmatched=unmatched,
        notes=tuple(notes),
    )


# --- reading -------------------------------------------------------------------------------------------------------


def paragraphs(text: str) -> list[list[str]]:
    """Lines that stand together, where blank lines part them: the references of one row each."""
    lines = (line.strip() for line in split_lines(text))
    return [list(block) for filled, block in groupby(lines, key=bool) if filled]


def _text(path: Path) -> str:
    try:
        text, _ = decode(unpack(read_bytes(path)))
    except UnreadableFile as error:
        raise UnreadableFile(f"{path.name}: {error.message}", error.hint) from None
    return text


def _answers_by_id(path: Path) -> Mapping[str, Any] | None:
    """`{id: answer}`, as the scorers of SQuAD take it; None where the file holds something else."""
    try:
        content = json.loads(unpack(read_bytes(path)))
    except (ValueError, RecursionError):
        return None  # the reader says what is wrong
    if not isinstance(content, dict) or any(isinstance(value, dict) for value in content.values()):
        return None
    lengths = {len(value) if isinstance(value, list) else None for value in content.values()}
    return content if lengths == {None} or (None not in lengths and len(lengths) > 1) else None


def _table(path: Path, columns: Mapping[str, list[Any]]) -> Table:
    import pandas as pd

    check_rows(max(map(len, columns.values())))
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    return Table(frame, header=True, revision=sha256(read_bytes(path)).hexdigest())


# --- columns -------------------------------------------------------------------------------------------------------


def find_column(frame: pd.DataFrame, given: str | int | None, guesses: Sequence[str]) -> str | int | None:
    """A column by name or position, or the first that has a usual name; None where there is none of these.

    Raises:
        DatasetMismatch: The column that was given is not there.
    """
    if given is None:
        names = {str(name).strip().casefold(): name for name in reversed(frame.columns)}
        return next((names[guess] for guess in guesses if guess in names), None)
    for name in frame.columns:
        if str(name).strip().casefold() == str(given).strip().casefold():
            return name  # type: ignore[no-any-return]
    if str(given).isdecimal() and int(given) < len(frame.columns):
        return frame.columns[int(given)]  # type: ignore[no-any-return]
    raise DatasetMismatch(
        f"There is no column {given!r}. {_found(frame)}", "Name one of these, or its position from 0."
    )


def _found(frame: pd.DataFrame) -> str:
    return f"Columns found: {', '.join(repr(name) for name in frame.columns[:20])}."


def _answer_column(task: Task, table: Table, given: str | int | None, others: set[str | int]) -> str | int | None:
    """The column of the answers; None where probabilities stand for them."""
    reference, frame = reference_column(task), table.frame
    chosen = find_column(frame, given, (*ANSWER_COLUMNS, reference.name, *reference.guesses))
    if chosen is not None:
        return chosen
    left = [name for name in frame.columns if name not in others]
    if len(left) == 1 or (left and table.reader == "conll"):
        return left[-1]  # type: ignore[no-any-return]
    if others & set(frame.columns) and not left:
        return None
    raise DatasetMismatch(
        f"No column holds the predictions. {_found(frame)}", "Call it `prediction`, or name it: prediction=…"
    )


def _predictions(
    task: Task, table: Table, evalset: EvalSet, labels: Mapping[str, str], columns: Mapping[str, str | int]
) -> list[Prediction | None]:
    """One per row of the file; None where there is no answer, or none of the task's kind."""
    frame, kind = table.frame, reference_column(task).kind
    probabilities = find_column(frame, columns.get("probabilities"), ("probabilities", "probs"))
    others = {name for name in (probabilities, find_column(frame, columns.get("id"), ID_COLUMNS)) if name is not None}
    column = _answer_column(task, table, columns.get("prediction"), others)
    order = class_order(evalset.labels, labels)
    nothing = [None] * len(frame)
    cells = frame[column].tolist() if column is not None else nothing
    chances = frame[probabilities].tolist() if probabilities is not None and evalset.labels else nothing
    if kind == "label" and any(isinstance(listed(cell), list) for cell in cells):  # an array (n, classes)
        cells, chances, column = nothing, cells, None
    said: list[Prediction | None] = []
    for cell, chance in zip(cells, chances, strict=True):
        shares = class_probabilities(chance, order)
        if is_missing(cell) and shares and column is None:
            cell = max(shares, key=lambda name: shares[name])
        said.append(_prediction(kind, cell, shares, labels, evalset.labels))
    if kind == "label" and probabilities is None and len(evalset.labels) == 2:
        _add_scores(said, frame, evalset.labels)
    _keep(said, frame)
    _check_any(said, kind, column)
    if kind == "label":
        _check_labels(said, evalset)
    return said


def _prediction(
    kind: str, cell: Any, shares: Mapping[str, float], labels: Mapping[str, str], names: Sequence[str]
) -> Prediction | None:
    value = answer(kind, cell, labels)
    if value and kind == "tags":
        value = KINDS[kind].read(value, Reading(labels))
    if value is None:
        return None
    return {"answer": value} | ({"probabilities": [shares.get(name, 0.0) for name in names]} if shares else {})


def _add_scores(said: Sequence[Prediction | None], frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Probabilities of two labels from that of the chosen one, which pipelines give as `score`."""
    column = find_column(frame, None, ("score",))
    if column is None:
        return
    shares = [answer("number", cell, {}) for cell in frame[column].tolist()]
    if not all(share is not None and 0.5 <= share <= 1 for share in shares):
        return
    for prediction, share in zip(said, shares, strict=True):
        if prediction is not None and prediction["answer"] in names:
            other = round(1 - share, 12)
            prediction["probabilities"] = [share if name == prediction["answer"] else other for name in names]


def _keep(said: Sequence[Prediction | None], frame: pd.DataFrame) -> None:
    for name in KEPT_COLUMNS:
        if name in frame:
            for prediction, value in zip(said, frame[name].tolist(), strict=True):
                if prediction is not None and not is_missing(value):
                    prediction[name] = value


def _check_any(said: Sequence[Prediction | None], kind: str, column: str | int | None) -> None:
    if any(one is not None and (one["answer"] != "" or kind == "answers") for one in said):
        return
    raise DatasetMismatch(
        f"The column {column!r} holds no prediction in any of its {len(said):,} rows.",
        "Name the column that holds them: prediction=…",
    )


def _check_labels(said: Sequence[Prediction | None], evalset: EvalSet) -> None:
    """No answer that is a label of the data is a sign of other names, not of a bad model."""
    names = Counter(one["answer"] for one in said if one is not None)
    if names.keys() & set(evalset.labels):
        return
    ours, theirs = ", ".join(map(repr, evalset.labels[:10])), ", ".join(repr(name) for name, _ in names.most_common(10))
    raise DatasetMismatch(
        f"No prediction is a label of the data. Predictions: {theirs}. Data: {ours}.",
        f"Say which is which, e.g. labels: {{{names.most_common(1)[0][0]}: {evalset.labels[0]}}}",
    )


def _unknown_labels(task: Task, found: Sequence[Prediction | None], evalset: EvalSet) -> tuple[str, ...]:
    if reference_column(task).kind != "label":
        return ()
    unknown = Counter(one["answer"] for one in found if one is not None and one["answer"] not in evalset.labels)
    if not unknown:
        return ()
    shown = ", ".join(repr(name) for name, _ in unknown.most_common(EXAMPLES))
    return (f"Predictions that are no label of the data: {unknown.total():,} ({shown}); they count as wrong.",)


# --- joining -------------------------------------------------------------------------------------------------------


def _ids(frame: pd.DataFrame, columns: Mapping[str, str | int], evalset: EvalSet) -> list[str] | None:
    """The predictions' ids; None where there are none, or where they repeat just as those of the rows do."""
    column = find_column(frame, columns.get("id"), ID_COLUMNS)
    if column is None:
        return None
    ids = [row_id(value) for value in frame[column].tolist()]
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if repeated and len(ids) == len(evalset.ids) and all(map(_is_numbered, evalset.ids, ids)):
        return None
    if repeated:
        raise DatasetMismatch(
            f"Several predictions have the id {repeated[0]!r}"
            + (f", and so it is with {len(repeated) - 1:,} other ids." if len(repeated) > 1 else "."),
            "Keep one prediction per id.",
        )
    return ids


def _is_numbered(id: str, name: str) -> bool:
    """Whether a row's id is this one, or this one made different from an earlier row's: `7#2` of `7`."""
    return id == name or (id.startswith(f"{name}#") and id.removeprefix(f"{name}#").isdecimal())


def row_id(value: Any) -> str:
    """An id as text, 1.0 as `1`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if is_missing(value) else str(value).strip()


def _by_id(ids: Sequence[str], evalset: EvalSet) -> list[int | None]:
    """Place in the file of each row's prediction; upper and lower case differ only where they must."""
    at, loosely = {name: place for place, name in enumerate(ids)}, _by_key(ids, evalset.ids)
    places = [at.get(name, loosely.get(name.casefold())) for name in evalset.ids]
    if any(place is not None for place in places):
        return places
    theirs, ours = (", ".join(map(repr, some[:EXAMPLES])) for some in (ids, evalset.ids))
    raise DatasetMismatch(
        f"None of the predictions' ids ({theirs}, …) is an id of the rows ({ours}, …).",
        "Name the column of the ids, or leave the ids out to go by position.",
    )


def _by_key(ids: Sequence[str], others: Sequence[str]) -> dict[str, int]:
    """Place of each id in lower case, of those that stay different from all others on either side."""
    ours, theirs = Counter(map(str.casefold, ids)), Counter(map(str.casefold, others))
    keys = map(str.casefold, ids)
    return {key: place for place, key in enumerate(keys) if ours[key] == 1 and theirs[key] == 1}


def _listed_unmatched(ids: Sequence[str], drawn: bool) -> list[str]:
    shown = ", ".join(map(repr, ids[:EXAMPLES])) + (", …" if len(ids) > EXAMPLES else "")
    which = "for rows that were not drawn, or with an id that no row has" if drawn else "with an id that no row has"
    return [f"Predictions {which}: {len(ids):,} ({shown})."] if ids else []


def _by_position(count: int, evalset: EvalSet) -> list[int | None]:
    """Place in the file of each row's prediction.

    Predictions may be as many as the rows, or stand for every row of the file that the rows came from, of which some
    could not be used or were not drawn.
    """
    rows, positions = len(evalset.ids), evalset.positions
    known = len({*positions, *(skip.row for skip in evalset.skipped)})
    if count > rows and not (positions and (_is_drawn(evalset) or count <= known)):
        raise DatasetMismatch(
            f"There are {count:,} predictions, more than the references ({rows:,}), and no common column 'id'.",
            "Give both files an id column, or one prediction per reference in the same order.",
        )
    places = positions if positions and count != rows else range(rows)
    return [place if place < count else None for place in places]


def _is_drawn(evalset: EvalSet) -> bool:
    """Whether the file has rows that are not known here, because they were not drawn."""
    known = {*evalset.positions, *(skip.row for skip in evalset.skipped)}
    return bool(evalset.positions) and len(known) <= max(known, default=0)


def _fit_tags(found: Sequence[Prediction | None], references: Sequence[Any]) -> tuple[str, ...]:
    """Cut or fill to one tag per word: models that cut long sentences leave the end without."""
    odd = 0
    for prediction, reference in zip(found, references, strict=True):
        if prediction is not None and len(prediction["answer"]) != len(reference):
            odd += 1
            tags = prediction["answer"][: len(reference)]
            prediction["answer"] = tags + ["O"] * (len(reference) - len(tags))
    if not odd:
        return ()
    return (f"Predictions with more or fewer tags than the row has words: {odd:,}; they were cut or filled with O.",)


def _blank(task: Task, evalset: EvalSet, row: int) -> Prediction:
    inputs = evalset.inputs[row]
    if not inputs and reference_column(task).kind == "tags":  # scored without the words themselves
        return {"answer": ["O"] * len(evalset.references[row])}
    return task.blank(inputs)
