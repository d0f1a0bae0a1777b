"""Transcripts in which a stretch may be said in several ways: `{ going to / gonna } { uh / @ }`.

The notation is that of NIST's sclite, which writes `@` for nothing. Alternatives may hold alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Item = str | list["Transcript"]
"""Plain text, or alternatives."""
Transcript = list[Item]

_NOTHING = "@"
_State = tuple[int, int, tuple[str, ...]]
"""Of the best alignment so far: edits, substitutions among them, and the texts that were chosen."""


def closest(transcript: str, answer: str, normalize: Callable[[str], str]) -> str:
    """The reading of a transcript that takes the fewest word edits to turn it into the answer.

    Of several such readings it is one with the fewest substitutions, which cost sclite more than other edits. All
    readings are aligned at once, so many alternatives in one transcript cost no more than few.

    Args:
        transcript: With or without alternatives. Braces that do not match are words.
        answer: Text to compare it with, as normalized as it will be scored.
        normalize: Applied to each stretch of the transcript.

    Returns:
        The reading, normalized.
    """
    if "{" not in transcript:
        return normalize(transcript)
    heard = answer.split()
    states: list[_State] = [(edits, 0, ()) for edits in range(len(heard) + 1)]
    return " ".join(_aligned(_parsed(transcript), states, heard, normalize)[-1][2])


def _aligned(
    transcript: Transcript, states: list[_State], heard: list[str], normalize: Callable[[str], str]
) -> list[_State]:
    """Levenshtein's algorithm: states[j] is the best alignment of what was read so far with the first j words heard."""
    for item in transcript:
        if isinstance(item, list):
            ends = [_aligned(reading, states, heard, normalize) for reading in item]
            states = [min(column, key=_rank) for column in zip(*ends, strict=True)]
        elif text := normalize(item).strip():
            states = [(edits, swaps, (*chosen, text)) for edits, swaps, chosen in states]
            for word in text.split():
                states = list(_read(word, states, heard))
    return states


def _read(word: str, states: list[_State], heard: list[str]) -> Iterator[_State]:
    """The states after one more word of the reference."""
    edits, swaps, chosen = states[0]
    last = (edits + 1, swaps, chosen)
    yield last
    for j, other in enumerate(heard):
        matched, deleted, swapped = states[j], states[j + 1], word != other
        last = min(
            (matched[0] + swapped, matched[1] + swapped, matched[2]),
            (deleted[0] + 1, deleted[1], deleted[2]),
            (last[0] + 1, last[1], last[2]),
            key=_rank,
        )
        yield last


def _rank(state: _State) -> tuple[int, int]:
    return state[:2]


def _parsed(transcript: str) -> Transcript:
    """The transcript as nested lists; nothing but one text where the braces do not match."""
    levels: list[list[Transcript]] = [[[]]]
    for part in re.findall(r"[{}/]|[^{}/]+", transcript):
        within = len(levels) > 1
        if part == "{":
            levels.append([[]])
        elif part == "}" and within:
            readings = levels.pop()
            levels[-1][-1].append(readings)
        elif part == "/" and within:
            levels[-1].append([])
        elif part == "}":
            return [transcript]
        elif not within and levels[0][0] and isinstance(levels[0][0][-1], str):
            levels[0][0][-1] += part  # a slash between alternatives only is a sign
        elif not within or part.strip() != _NOTHING:
            levels[-1][-1].append(part)
    return levels[0][0] if len(levels) == 1 else [transcript]
