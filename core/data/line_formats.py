"""Formats of lines: one text per line, words with tags in columns, and transcripts with ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, groupby

import pandas as pd

from core.data.delimited import decode
from core.data.table import Content, Names, check_rows
from core.errors import UnreadableFile
from core.records import SkippedRow

LABEL_MARK = "__label__"
"""What fastText writes before a label."""

_LABEL_FIRST = re.compile(r"\d+|[A-Za-z]+:\w+")
"""A class number, or a class like `DESC:manner` of TREC, as the first word of a line."""
_TRANSCRIPT = re.compile(r"(?P<text>.*)\((?P<id>[^\s()]+)(?:\s+-?[\d.]+)?\)\s*", re.DOTALL)
"""`words (id)`, as sclite has it; PocketSphinx writes a score behind the id."""
_SENTENCE_MARKS = re.compile(r"</?s>")
_NO_WORD = re.compile(r"-DOCSTART-|\d+[-.]\d+")
"""First cell of lines that are no words: a document's start, and in CoNLL-U words written as one or not at all."""


def split_lines(text: str) -> list[str]:
    """The lines of a file, without the end of the last one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


# --- one text per line ---------------------------------------------------------------------------------------------


def read_lines(data: bytes, named: Names = ()) -> Content:
    """One text per line, in a column `line`.

    Where every line begins with a label (`5 How far …`, `DESC:manner How did …`), or the plan names these columns, they
    are `first` and `rest`. Of fastText's `__label__good …`, `label` (or `labels`, where a line has several) and `text`.
    """
    text, notes = decode(data)
    lines = split_lines(text)
    check_rows(len(lines))
    if all(line.startswith(LABEL_MARK) for line in lines if line.strip()):
        return Content(_fast_text(lines), notes=notes)
    parts = [line.lstrip().partition(" ") for line in lines]
    columns = {"line": lines, "first": [first for first, _, _ in parts], "rest": [rest.strip() for _, _, rest in parts]}
    if _labels_come_first(columns["first"], columns["rest"]):
        del columns["line"]
    elif not {"first", "rest"} & set(named):
        columns = {"line": lines}
    return Content(pd.DataFrame(columns, dtype="str"), notes=notes)


def _labels_come_first(first: Sequence[str], rest: Sequence[str]) -> bool:
    """Whether all lines that say anything begin with one of a few labels."""
    found = {word for word in first if word}
    return (
        0 < len(found) <= max(len(first) / 2, 1)
        and all(_LABEL_FIRST.fullmatch(word) for word in found)
        and all(text for word, text in zip(first, rest, strict=True) if word)
    )


def _fast_text(lines: Sequence[str]) -> pd.DataFrame:
    labels, texts = [], []
    for line in lines:
        words = line.split(" ")
        count = next((at for at, word in enumerate(words) if not word.startswith(LABEL_MARK)), len(words))
        labels.append([word.removeprefix(LABEL_MARK) for word in words[:count]])
        texts.append(" ".join(words[count:]).strip())
    frame = pd.DataFrame({"text": pd.Series(texts, dtype="str")})
    if all(len(found) <= 1 for found in labels):
        return frame.assign(label=pd.Series([found[0] if found else None for found in labels], dtype=object))
    return frame.assign(labels=pd.Series(labels, dtype=object))


# --- words and tags in columns -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    number: int
    """Counted from 1."""
    cells: tuple[str, ...]


def read_conll(data: bytes, named: Names = ()) -> Content:
    """One word per line with its tags in further columns; a blank line ends a sentence.

    Columns are parted by tabs, or by spaces where there are no tabs. A first column that counts the words of each
    sentence is called `index`; then come `words`, and last `tags`, those between called `column 2` and so on by
    position. Comments, `-DOCSTART-` and CoNLL-U's indices that are no word's own are passed over. A sentence with a
    line of other width is left out and listed.
    """
    text, notes = decode(data)
    blocks = _blocks(text)
    words = [line for lines in blocks for line in lines if not line.cells[0].startswith("#")]
    if not words:
        raise UnreadableFile("The file has no words.", "Choose a file with at least one sentence.")
    width = Counter(len(line.cells) for line in words).most_common(1)[0][0]
    numbered = width > 2 and all(line.cells[0].isdecimal() for line in words)
    sentences = [found for lines in blocks if (found := _without_comments(lines, None if numbered else width))]
    check_rows(len(sentences))
    kept: dict[int, list[_Line]] = {}
    dropped = []
    for row, lines in enumerate(sentences):
        odd = next((line for line in lines if len(line.cells) != width), None)
        if odd is None:
            kept[row] = lines
        else:
            reason = "a line with more or fewer columns than the others"
            dropped.append(SkippedRow(row, reason, {"line": odd.number, "cells": " ".join(odd.cells)[:200]}))
    if dropped:
        notes += (f"Sentences with a line of more or fewer than {width} columns are left out: {len(dropped):,}.",)
    columns = {
        name: pd.Series([[line.cells[at] for line in lines] for lines in kept.values()], list(kept), dtype=object)
        for at, name in enumerate(_column_names(width, numbered))
    }
    return Content(pd.DataFrame(columns), notes=notes, dropped=tuple(dropped))


def _blocks(text: str) -> list[list[_Line]]:
    """Lines that stand together, without those that are never a word's."""
    lines = split_lines(text)
    filled = [line for line in lines if line.strip()]
    tabs = 2 * sum("\t" in line for line in filled) > len(filled)
    numbered = [_Line(number, _cells(line, tabs)) if line.strip() else None for number, line in enumerate(lines, 1)]
    groups = [list(group) for blank, group in groupby(numbered, key=lambda line: line is None) if not blank]
    return [[line for line in group if line and not _NO_WORD.fullmatch(line.cells[0])] for group in groups]


def _cells(line: str, tabs: bool) -> tuple[str, ...]:
    """The cells of a line; a space that is not ASCII may be a word's own."""
    return tuple(cell.strip(" ") for cell in line.split("\t")) if tabs else tuple(re.split("[ \t]+", line.strip(" \t")))


def _without_comments(lines: list[_Line], width: int | None) -> list[_Line]:
    """The lines from the first word on. `#` may be one: its line is then as wide as others, and no line is numbered."""

    def is_comment(line: _Line) -> bool:
        return line.cells[0].startswith("#") and (len(line.cells) != width or line.cells[2:3] == ("=",))

    return list(dropwhile(is_comment, lines))


def _column_names(width: int, numbered: bool) -> list[str]:
    names = [f"column {position}" for position in range(width)]
    names[:2] = ["index", "words"] if numbered else ["words", *names[1:2]]
    return [*names[: width - 1], "tags"]


# --- transcripts ---------------------------------------------------------------------------------------------------


def read_trn(data: bytes, named: Names = ()) -> Content:
    """`words (id)` in each line, as sclite and PocketSphinx have it: columns `text` and `id`.

    Comments (`;;`) are passed over, and PocketSphinx's `<s>`, `</s>` and scores left out.
    """
    decoded, notes = decode(data)
    rows, dropped = {}, []
    lines = [line for line in split_lines(decoded) if line.strip() and not line.lstrip().startswith(";;")]
    check_rows(len(lines))
    for row, line in enumerate(lines):
        if found := _TRANSCRIPT.fullmatch(line):
            rows[row] = (" ".join(_SENTENCE_MARKS.sub(" ", found["text"]).split()), found["id"])
        else:
            dropped.append(SkippedRow(row, "no id in brackets at its end", {"line": line[:200]}))
    if not rows:
        raise UnreadableFile("No line ends with an id in brackets.", "Write `words (id)`, or set another `reader`.")
    if dropped:
        notes += (f"Lines without an id in brackets at their end are left out: {len(dropped):,}.",)
    frame = pd.DataFrame(list(rows.values()), columns=["text", "id"], index=list(rows), dtype="str")
    return Content(frame, notes=notes, dropped=tuple(dropped))
