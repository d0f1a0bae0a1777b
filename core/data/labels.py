"""Model labels ↔ data set labels: what is certain is matched, what is likely is proposed, the rest is shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import LabelMismatch

SYNONYMS = (
    ("positive", "pos"),
    ("negative", "neg"),
    ("neutral", "neu", "neut"),
    ("entailment", "entail", "entails"),
    ("contradiction", "contradict", "contradicts"),
    ("nonhate", "nothate", "nothateful", "nonhateful"),
    ("hate", "hateful"),
    ("per", "person", "pers"),
    ("loc", "location"),
    ("org", "organization", "organisation"),
    ("misc", "miscellaneous"),
)
"""Names of one class, letters and digits only. Each match through them is certain, so they must be beyond doubt."""
NLI = ("entailment", "neutral", "contradiction")
"""Classes 0, 1 and 2 of SNLI, MNLI, XNLI and ANLI. Models number them in any order."""
KINDRED = {"gpe": "loc", "loc": "gpe"}
"""Entity types that cover much of each other: a country is a `GPE` to some and a `LOC` to others. Only proposed."""

_SAME = {name: group[0] for group in SYNONYMS for name in group}
_NUMBER = re.compile(r"[+-]?\d+")
_CLASS_NUMBER = re.compile(r"(?:label|class)?[ _-]*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class LabelMatch:
    """One label of the model and what it is taken for."""

    model_label: str
    dataset_label: str | None
    """None: no label of the data set fits; a row with this answer counts as wrong."""
    reason: str
    certain: bool
    """False: a proposal that a person has to confirm."""


def reconcile(
    model_labels: Sequence[str], dataset_labels: Sequence[str], given: Mapping[str, str] | None = None
) -> list[LabelMatch]:
    """A match for each of the model's labels, in their order.

    What is given wins. Equal names are certain partners, also where only case, punctuation or a well-known short form
    differs, as long as no other label of either side has that name. Names that are mere numbers (`LABEL_0`) are only
    proposed: by number where the data set's labels are numbers, else by position. No label of the data set is matched
    twice unless it was given twice.

    Args:
        model_labels: In order of the class id.
        dataset_labels: In any order; by position means sorted.
        given: Model label → data set label, from the plan or the page.

    Raises:
        LabelMismatch: `given` names a label that the model does not have.
    """
    given = given or {}
    for label in given:
        if label not in model_labels:
            near = get_close_matches(label, model_labels, n=1)
            raise LabelMismatch(
                f"The model has no label {label!r}. It has: {_listed(model_labels)}.",
                f"Did you mean {near[0]!r}?" if near else "Use the model's own names on the left of `labels:`.",
            )
    found = {label: LabelMatch(label, given[label], "given", True) for label in model_labels if label in given}
    left = [label for label in dataset_labels if label not in given.values()]
    for key, reason in _KEYS:
        partners = _unique_pairs(model_labels, dataset_labels, key)
        for label, partner in partners.items():
            if label not in found and partner in left:
                found[label] = LabelMatch(label, partner, reason, True)
                left.remove(partner)
    for label, partner, reason in _proposals(model_labels, dataset_labels):
        if label not in found and partner in left:
            found[label] = LabelMatch(label, partner, reason, False)
            left.remove(partner)
    alone = "no label of the data fits; a row with this answer counts as wrong"
    return [found.get(label, LabelMatch(label, None, alone, False)) for label in model_labels]


def complete(matches: Sequence[LabelMatch], model: str, dataset_labels: Sequence[str]) -> dict[str, str]:
    """Model label → data set label, of the certain matches.

    Args:
        matches: From `reconcile`.
        model: The model's name, for the message.
        dataset_labels: Every one of them needs a certain partner; further model labels may stay alone.

    Raises:
        LabelMismatch: One has none. The hint holds the lines for the plan.
    """
    certain = {match.model_label: match.dataset_label for match in matches if match.certain and match.dataset_label}
    missing = [label for label in dataset_labels if label not in certain.values()]
    if not missing:
        return certain
    message = (
        f"The labels of {model!r} and of the data do not meet. "
        f"Model: {_listed([match.model_label for match in matches])}. Data: {_listed(dataset_labels)}. "
        f"Without a certain partner: {_listed(missing)}."
    )
    raise LabelMismatch(message, _hint(matches, missing) + _leaving_out(matches, missing, dataset_labels))


def _hint(matches: Sequence[LabelMatch], missing: Sequence[str]) -> str:
    """Lines to paste: what is certain, what is likely, and for the rest a choice to make."""
    lines = {match.model_label: match.dataset_label for match in matches if match.dataset_label}
    open_labels = [label for label in missing if label not in lines.values()]
    free = [match.model_label for match in matches if match.dataset_label is None]
    if open_labels and not free:
        return f"The model has no label left for {_listed(open_labels)}: choose a model that knows these classes."
    if not lines:
        return (
            f"Say under the model which is which, e.g. `labels: {_flow({free[0]: open_labels[0]})}`, or choose another."
        )
    rest = f" Add partners for {_listed(open_labels)} from {_listed(free)}." if open_labels else ""
    return f"If this is right, add it under the model in the plan: `labels: {_flow(lines)}`.{rest}"


def _leaving_out(matches: Sequence[LabelMatch], missing: Sequence[str], dataset_labels: Sequence[str]) -> str:
    """How to do without labels that the model never learnt; nothing where none would be left."""
    proposed = {match.dataset_label for match in matches}
    unknown = [label for label in missing if label not in proposed]
    if not unknown or len(unknown) == len(dataset_labels):
        return ""
    tags, rows = (_flow(dict.fromkeys(unknown[:3], name)) for name in ("O", ""))
    return f" Or leave out what it never learnt, under `dataset`: `labels: {tags}` for tags, `labels: {rows}` for rows."


def _flow(labels: Mapping[str, str | None]) -> str:
    """One line of YAML, quoted where it must be."""
    import yaml

    text: str = yaml.safe_dump(
        dict(labels), default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.strip()


def _listed(labels: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(map(repr, labels[:most]))
    return f"{shown} and {len(labels) - most} more" if len(labels) > most else shown or "none"


def _unique_pairs(
    model_labels: Sequence[str], dataset_labels: Sequence[str], key: Callable[[str], str]
) -> dict[str, str]:
    """Labels whose key is the same and occurs only once on either side.

    Counted over all labels, matched ones included: `C++` is not `C#` because both come down to `c`.
    """
    ours, theirs = Counter(map(key, model_labels)), Counter(map(key, dataset_labels))
    by_key = {key(label): label for label in dataset_labels}
    return {label: by_key[key(label)] for label in model_labels if ours[key(label)] == 1 and theirs[key(label)] == 1}


def _plain(label: str) -> str:
    """Without case and punctuation; numbers keep their sign, and what is all punctuation keeps it."""
    label = label.strip().casefold()
    if _NUMBER.fullmatch(label):
        return str(int(label))
    return "".join(char for char in label if char.isalnum()) or label


def _synonym(label: str) -> str:
    plain = _plain(label)
    return _SAME.get(plain, plain)


_KEYS: tuple[tuple[Callable[[str], str], str], ...] = (
    (str, "same name"),
    (_plain, "same name but for case and punctuation"),
    (_synonym, "another name for the same"),
)


def _proposals(model_labels: Sequence[str], dataset_labels: Sequence[str]) -> list[tuple[str, str, str]]:
    """Likely partners: kindred entity types, and those of names where one side has numbers instead."""
    by_number = {_plain(label): label for label in dataset_labels if _NUMBER.fullmatch(label.strip())}
    numbers = [match[1] if (match := _CLASS_NUMBER.fullmatch(label.strip())) else None for label in model_labels]
    synonyms = {_synonym(label): label for label in dataset_labels}
    proposals = [
        (label, synonyms[kin], "much the same kind of entity")
        for label in model_labels
        if (kin := KINDRED.get(_synonym(label))) in synonyms
    ]
    proposals += [
        (label, by_number[str(int(number))], f"both are number {int(number)}")
        for label, number in zip(model_labels, numbers, strict=True)
        if number is not None and str(int(number)) in by_number
    ]
    if set(by_number) == {"0", "1", "2"} and {_synonym(label) for label in model_labels} == set(NLI):
        places = {name: str(number) for number, name in enumerate(NLI)}
        proposals += [
            (label, by_number[places[_synonym(label)]], "SNLI and MNLI number their classes so")
            for label in model_labels
        ]
    elif by_number:
        # The data has class numbers, the model names: the model's own order of classes is a guess at them.
        proposals += [
            (label, by_number[str(index)], f"it is the model's class number {index}")
            for index, label in enumerate(model_labels)
            if numbers[index] is None and str(index) in by_number
        ]
    elif all(number is not None for number in numbers) and len(model_labels) == len(dataset_labels):
        proposals += [
            (label, partner, "by position among the sorted names")
            for label, partner in zip(model_labels, sorted(dataset_labels), strict=True)
        ]
    return proposals
