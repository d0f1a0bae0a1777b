"""Help-desk tickets from a small grammar, and the two evaluation files made of them.

A ticket is routed by what its writer *wants*, which is not always what the trouble is:

    plain     trouble, and a wish of the same kind or none      "The kettle does not turn on. How do I fix this?"
    crossed   trouble of one kind, wish of another (the label)  "The kettle does not turn on. I want a full refund."
    decoy     a closed matter beside the open one (the label)   "I can log in again. But where is my parcel?"
    vague     hardly a hint                                     "Still the same, nothing helps."

Crossed and decoy tickets are why word counts are not enough, vague ones and a few misrouted ones (label noise) are why
nothing reaches 100 %. Everything is drawn from one seeded generator, so equal seeds give equal text.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from samples import phrases
from samples.phrases import Meaning

Part = Literal["training", "evaluation"]
Kind = Literal["plain", "crossed", "decoy", "vague"]
T = TypeVar("T", bound=str)

KIND_WEIGHTS: dict[Kind, float] = {"plain": 0.42, "crossed": 0.28, "decoy": 0.24, "vague": 0.06}
MISROUTED = 0.03
HELD_OUT = 0.2
"""Share of evaluation phrasings that the training part never shows."""
CHANNELS = {"email": 0.4, "chat": 0.3, "form": 0.2, "phone": 0.1}
TYPO_RATES = {"email": 0.01, "chat": 0.05, "form": 0.015, "phone": 0.0}
"""Chance of a slip per word."""
CHAT_SPELLINGS = {"please": "pls", "you": "u", "your": "ur", "thanks": "thx", "because": "cos", "the": "teh"}

TICKET_SEED, SUMMARY_SEED = 20_240, 20_241
TICKET_ROWS, SUMMARY_ROWS = 1_000, 200


@dataclass(frozen=True)
class Ticket:
    """One message to the help desk, with everything that is known about it."""

    text: str
    label: str
    channel: str
    priority: str
    summary: str
    """One line: the trouble and the wish; empty for vague tickets."""


def tickets(count: int, seed: int, part: Part, kinds: dict[Kind, float] | None = None) -> list[Ticket]:
    """Draws `count` tickets. `kinds` replaces the default mixture of kinds."""
    rng = random.Random(seed)
    return [_ticket(rng, part, kinds or KIND_WEIGHTS) for _ in range(count)]


def summarizable(count: int, seed: int, part: Part) -> list[Ticket]:
    """Draws tickets that can be summed up: plain and crossed ones."""
    return tickets(count, seed, part, {"plain": 0.5, "crossed": 0.5})


def _ticket(rng: random.Random, part: Part, kinds: dict[Kind, float]) -> Ticket:
    label = rng.choices(phrases.LABELS, phrases.WEIGHTS)[0]
    kind = _pick(rng, kinds)
    fills = _fills(rng)
    sentences, summary = _body(rng, part, kind, label)
    priority, urgency = _urgency(rng)
    sentences += urgency
    for filler in rng.sample(phrases.FILLERS, rng.choice((0, 0, 1, 1, 2))):
        sentences.insert(rng.randint(0, len(sentences)), filler)
    channel = _pick(rng, CHANNELS)
    text = re.sub(r"\ba (?=[aeio])", "an ", _dress(rng, channel, " ".join(sentences)).format(**fills))
    if kind != "vague" and rng.random() < MISROUTED:
        label = rng.choice([other for other in phrases.LABELS if other != label])
    return Ticket(_misspell(rng, channel, text), label, channel, priority, summary.format(**fills))


def _body(rng: random.Random, part: Part, kind: Kind, label: str) -> tuple[list[str], str]:
    """The sentences that matter, and the summary they deserve (slots unfilled)."""
    if kind == "vague":
        return [rng.choice(phrases.VAGUE[label])], ""
    trouble = rng.choice(phrases.CROSSINGS[label]) if kind == "crossed" else label
    issue = rng.choice(phrases.ISSUES[trouble])
    told = _phrasing(rng, issue, part)
    if kind == "crossed" or rng.random() < 0.5:
        wish = rng.choice(phrases.WISHES[label])
        wanted, summary = _phrasing(rng, wish, part), f"{issue.short}; wants {wish.short}"
        sentences = [wanted, told] if rng.random() < 0.2 else [told, wanted]
    else:
        sentences, summary = [told, rng.choice(phrases.NEUTRAL_WISHES)], f"{issue.short}; asks for help"
    return (_with_decoy(rng, label, sentences) if kind == "decoy" else sentences), summary


def _with_decoy(rng: random.Random, label: str, sentences: list[str]) -> list[str]:
    other = rng.choice([other for other in phrases.LABELS if other != label])
    closed = rng.choice(phrases.SETTLED[other])
    if rng.random() < 0.4:
        return [*sentences, closed]
    return [closed, f"{rng.choice(phrases.PIVOTS)} {_lower_first(sentences[0])}", *sentences[1:]]


def _phrasing(rng: random.Random, meaning: Meaning, part: Part) -> str:
    *known, held_out = meaning.phrasings
    if part == "evaluation" and rng.random() < HELD_OUT:
        return held_out
    return rng.choice(known)


def _pick(rng: random.Random, weights: dict[T, float]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


def _fills(rng: random.Random) -> dict[str, str | int]:
    product, other = rng.sample(phrases.PRODUCTS, 2)
    return {
        "p": product,
        "q": other,
        "order": rng.randint(10_000, 99_999),
        "days": rng.randint(3, 30),
        "amount": f"{rng.randint(9, 249)}.{rng.choice(('00', '50', '90', '99'))} euros",
        "code": f"E{rng.randint(1, 40):02d}",
        "month": rng.choice(phrases.MONTHS),
        "weekday": rng.choice(phrases.WEEKDAYS),
        "town": rng.choice(phrases.TOWNS),
        "name": rng.choice(phrases.NAMES),
    }


def _urgency(rng: random.Random) -> tuple[str, list[str]]:
    priority = rng.choices(("low", "normal", "high"), (0.12, 0.7, 0.18))[0]
    said = {"low": phrases.RELAXED, "normal": (), "high": phrases.URGENT}[priority]
    return priority, [rng.choice(said)] if said else []


def _dress(rng: random.Random, channel: str, body: str) -> str:
    if channel == "email":
        return f"{rng.choice(phrases.GREETINGS)} {body} {rng.choice(phrases.CLOSINGS)}"
    if channel == "form":
        return f"{rng.choice(('Order {order}', 'My {p}', 'Question', 'Contact form'))}: {body}"
    if channel == "phone":
        return f"Caller {{name}} says: {body}"
    return body if rng.random() < 0.5 else f"hi {body}"


def _misspell(rng: random.Random, channel: str, text: str) -> str:
    if channel == "chat":
        text = text.lower() if rng.random() < 0.7 else text
        text = text.replace(".", "") if rng.random() < 0.3 else text
    return " ".join(_slip(rng, word, channel) for word in text.split(" "))


def _slip(rng: random.Random, word: str, channel: str) -> str:
    if channel == "chat" and word.lower() in CHAT_SPELLINGS and rng.random() < 0.15:
        return CHAT_SPELLINGS[word.lower()]
    if not word.isalpha() or len(word) < 4 or rng.random() >= TYPO_RATES[channel]:
        return word
    at = rng.randint(1, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return rng.choice((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))


def _lower_first(sentence: str) -> str:
    keep = sentence.startswith(("I ", "{"))
    return sentence if keep else sentence[0].lower() + sentence[1:]


def ticket_rows() -> list[dict[str, str]]:
    """The rows of `tickets.csv`: 1,000 usable ones and eight that nothing can be scored on."""
    rng = random.Random(TICKET_SEED)
    rows = [
        {"text": t.text, "label": t.label, "channel": t.channel, "priority": t.priority}
        for t in tickets(TICKET_ROWS, TICKET_SEED, "evaluation")
    ]
    for missing in ("text", "text", "text", "text", "label", "label", "label"):
        rows.insert(rng.randrange(len(rows)), {**rng.choice(rows), missing: ""})
    rows.insert(rng.randrange(len(rows)), {**rng.choice(rows), "text": "   "})
    return [{"id": f"T{number:05d}", **row} for number, row in enumerate(rows, start=1)]


def summary_rows() -> list[dict[str, str]]:
    """The rows of `ticket_summaries.jsonl`."""
    drawn = summarizable(SUMMARY_ROWS, SUMMARY_SEED, "evaluation")
    return [{"id": f"S{n:04d}", "text": t.text, "summary": t.summary} for n, t in enumerate(drawn, start=1)]


def write_data(folder: Path) -> None:
    """Writes both evaluation files below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ticket_rows()
    with (folder / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "ticket_summaries.jsonl").write_text(_json_lines(summary_rows()), encoding="utf-8")


def _json_lines(rows: Sequence[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
