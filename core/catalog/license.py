"""Licence tags of the Hub, sorted by what a team must know: may we ship this, and under which condition.

The class and the clause are a first reading of well-known licence texts, not legal advice. A tag that is not
in the table is `unknown`, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from core.records import LicenseClass

CLASSES: tuple[LicenseClass, ...] = get_args(LicenseClass)

_NOTICE = "Use, change and sell; keep the copyright notice."
_PATENTS = "Use, change and sell; keep the notices, with a patent grant."
_WAIVER = "The author waives all rights: no conditions."
_CREDIT = "Use, change and sell; credit the author."
_SHARE_ALIKE = "What you adapt and share carries the same licence."
_COPYLEFT = "Distributed derivatives carry the same licence, with source."
_NETWORK = "Serving it over a network already obliges you to offer the source."
_WEAK = "Changed files stay under this licence, with source; the rest is yours."
_NON_COMMERCIAL = "Commercial use is not allowed."
_NO_DERIVATIVES = "Commercial use and sharing changed versions (a fine-tune) are not allowed."
_RESEARCH = "Research only; commercial use is not allowed."
_RAIL = "Use-based restrictions (an appendix of forbidden uses) that you must pass on."
_LLAMA = "Acceptable-use policy; above 700 million monthly users a licence must be asked for."
_GEMMA = "Prohibited-use policy that you must pass on; Google may restrict use that breaks it."

_TABLE: dict[LicenseClass, dict[str, str]] = {
    "permissive": {
        "apache-2.0": _PATENTS,
        "mit": _NOTICE,
        "bsd": _NOTICE,
        "bsd-2-clause": _NOTICE,
        "bsd-3-clause": "Use, change and sell; keep the notice, do not use the authors' names to promote.",
        "bsd-3-clause-clear": "Use, change and sell; keep the notice. No patent grant.",
        "isc": _NOTICE,
        "zlib": _NOTICE,
        "ncsa": _NOTICE,
        "postgresql": _NOTICE,
        "bsl-1.0": "Use, change and sell; keep the notice in source form.",
        "afl-3.0": _PATENTS,
        "ecl-2.0": _PATENTS,
        "artistic-2.0": "Use, change and sell; changed versions must say so.",
        "ms-pl": _PATENTS,
        "unlicense": _WAIVER,
        "wtfpl": _WAIVER,
        "cc0-1.0": _WAIVER,
        "pddl": _WAIVER,
        "cc-by-2.0": _CREDIT,
        "cc-by-2.5": _CREDIT,
        "cc-by-3.0": _CREDIT,
        "cc-by-4.0": _CREDIT,
        "odc-by": _CREDIT,
        "etalab-2.0": _CREDIT,
        "cdla-permissive-1.0": "Use, change and sell; pass the agreement on with the data.",
        "cdla-permissive-2.0": "Use, change and sell; pass the agreement on with the data.",
    },
    "copyleft": {
        "gpl": _COPYLEFT,
        "gpl-2.0": _COPYLEFT,
        "gpl-3.0": _COPYLEFT,
        "agpl-3.0": _NETWORK,
        "osl-3.0": _NETWORK,
        "eupl-1.1": _COPYLEFT,
        "eupl-1.2": _NETWORK,
        "lgpl": _WEAK,
        "lgpl-2.1": _WEAK,
        "lgpl-3.0": _WEAK,
        "lgpl-lr": _WEAK,
        "mpl-2.0": _WEAK,
        "epl-1.0": _WEAK,
        "epl-2.0": _WEAK,
        "cc-by-sa-3.0": _SHARE_ALIKE,
        "cc-by-sa-4.0": _SHARE_ALIKE,
        "odbl": _SHARE_ALIKE,
        "gfdl": _SHARE_ALIKE,
        "cdla-sharing-1.0": _SHARE_ALIKE,
    },
    "restricted": {
        "openrail": _RAIL,
        "openrail++": _RAIL,
        "creativeml-openrail-m": _RAIL,
        "bigscience-bloom-rail-1.0": _RAIL,
        "bigscience-openrail-m": _RAIL,
        "bigcode-openrail-m": _RAIL,
        "llama2": _LLAMA,
        "llama3": _LLAMA,
        "llama3.1": _LLAMA,
        "llama3.2": f"{_LLAMA} The multimodal models are not licensed to people in the European Union.",
        "llama3.3": _LLAMA,
        "llama4": f"{_LLAMA} Not licensed to people in the European Union.",
        "gemma": _GEMMA,
        "cc-by-nd-4.0": "Sharing changed versions (a fine-tune) is not allowed.",
    },
    "non-commercial": {
        "cc-by-nc-2.0": _NON_COMMERCIAL,
        "cc-by-nc-3.0": _NON_COMMERCIAL,
        "cc-by-nc-4.0": _NON_COMMERCIAL,
        "cc-by-nc-sa-2.0": _NON_COMMERCIAL,
        "cc-by-nc-sa-3.0": _NON_COMMERCIAL,
        "cc-by-nc-sa-4.0": _NON_COMMERCIAL,
        "cc-by-nc-nd-3.0": _NO_DERIVATIVES,
        "cc-by-nc-nd-4.0": _NO_DERIVATIVES,
        "fair-noncommercial-research-license": _RESEARCH,
        "apple-amlr": _RESEARCH,
        "apple-ascl": _RESEARCH,
        "intel-research": _RESEARCH,
    },
}


@dataclass(frozen=True)
class LicenseFacts:
    """What is known of one licence."""

    tag: str | None
    """As the Hub writes it, lower case; None where the model names none."""
    license_class: LicenseClass
    clause: str
    """The condition that decides the class, in a sentence."""


_KNOWN = {
    tag: LicenseFacts(tag, license_class, clause)
    for license_class, entries in _TABLE.items()
    for tag, clause in entries.items()
}


def classify(tag: str | None) -> LicenseFacts:
    """The class of a Hub licence tag (`mit`, `license:mit`, any case), with the clause that decides it."""
    name = (tag or "").strip().lower().removeprefix("license:")
    if not name:
        return LicenseFacts(None, "unknown", "The model names no licence: without one, no right to use it is given.")
    if name == "other":
        return LicenseFacts(name, "unknown", "The owner's own licence: read it on the model's page.")
    return _KNOWN.get(name, LicenseFacts(name, "unknown", "Not a licence Shortlist knows: read its text."))


def expand(wanted: Iterable[str]) -> tuple[str, ...]:
    """Licence tags behind tags and classes: `("permissive", "gpl")` → all permissive tags and `gpl`, each once.

    The class `unknown` has no tags of its own and gives none.
    """
    tags: dict[str, None] = {}
    for word in wanted:
        name = word.strip().lower()
        tags.update(dict.fromkeys(_members(name) if name in CLASSES else (name.removeprefix("license:"),)))
    return tuple(tags)


def _members(license_class: str) -> tuple[str, ...]:
    return tuple(tag for tag, facts in _KNOWN.items() if facts.license_class == license_class)


def allows(wanted: Iterable[str], tag: str | None) -> bool:
    """Whether the licence is one of the wanted tags or classes; True where none is wanted."""
    words = {word.strip().lower().removeprefix("license:") for word in wanted}
    facts = classify(tag)
    return not words or facts.license_class in words or facts.tag in words
