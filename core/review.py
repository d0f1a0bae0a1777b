"""What people say about a run, and the choice they sign. Pure functions over append-only records.

The store keeps every `Review` and `Decision` in the order they were written (`add_review`, `add_decision`); what
stands now is worked out here, so nothing that was said is ever overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from core.codec import encode
from core.errors import UnknownName, UserError
from core.records import Decision, EvalSet, Limits, Outcome, Review, RunResult, Verdict

if TYPE_CHECKING:
    from core.analysis.summary import Analysis

VOTES = ("approve", "reject")


def write(
    selection: str,
    author: str,
    verdict: Verdict,
    text: str = "",
    *,
    run: str | None = None,
    trial: str | None = None,
    row: str | None = None,
) -> Review:
    """A review of now, checked. Raises UserError for what is missing: author, the trial of a vote, or the words."""
    if verdict in VOTES and trial is None:
        raise UserError("A vote needs a trial.", "Choose the trial that you approve or reject.")
    if verdict != "approve" and not text.strip():
        wanted = "A rejection needs its reason." if verdict == "reject" else "The comment is empty."
        raise UserError(wanted, "Write a sentence.")
    return Review(
        id=uuid4().hex,
        selection=selection,
        author=_author(author),
        verdict=verdict,
        text=text.strip(),
        created=_now(),
        run=run,
        trial=trial,
        row=row,
    )


def votes(reviews: Iterable[Review]) -> dict[str, list[Review]]:
    """Trial id → the votes that count: each author's latest one, the oldest first."""
    latest: dict[tuple[str, str], Review] = {}
    for review in _in_order(reviews):
        if review.verdict in VOTES and review.trial is not None:
            latest[review.trial, _key(review.author)] = review
    by_trial: dict[str, list[Review]] = {}
    for review in _in_order(latest.values()):
        by_trial.setdefault(str(review.trial), []).append(review)
    return by_trial


def comments(reviews: Iterable[Review]) -> list[Review]:
    """The stream of everything that carries words, on trials and rows alike, the oldest first."""
    return [review for review in _in_order(reviews) if review.text]


def visible(reviews: Iterable[Review], author: str) -> list[Review]:
    """What `author` may see, the oldest first.

    Votes of others on a trial, and the words that came with them, appear once the author has voted on that trial.
    Comments are open to all.
    """
    ordered = _in_order(reviews)
    me = _key(author)
    voted = {review.trial for review in ordered if review.verdict in VOTES and _key(review.author) == me}
    return [
        review
        for review in ordered
        if review.verdict not in VOTES or _key(review.author) == me or review.trial in voted
    ]


def chosen(run: RunResult, trial: str) -> Outcome:
    """The outcome of that trial. Raises UnknownName."""
    found = {outcome.trial: outcome for outcome in run.outcomes}
    if trial not in found:
        raise UnknownName("trial", trial, found)
    return found[trial]


def position(evalset: EvalSet, row: str) -> int:
    """Where the row of that id stands. Raises UserError."""
    if row not in evalset.ids:
        raise UserError(f"No row has the id {row!r}.", "Copy the id from the rows on the Compare page.")
    return evalset.ids.index(row)


def evidence(analysis: Analysis, limits: Limits) -> dict[str, Any]:
    """The report of a run under these limits, as plain JSON values that share nothing with what they were made from."""
    from core.analysis.ranking import choose
    from core.analysis.report import document

    found = {"limits": encode(limits), **document(analysis, choose(analysis, limits))}
    plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return plain


def under(run: RunResult, limits: Limits) -> RunResult:
    """The run as if its plan had these limits: they decide who wins, never what was measured."""
    return replace(run, plan=replace(run.plan, limits=limits))


def outdated(decision: Decision, now: Mapping[str, Any]) -> bool:
    """Whether run or limits have changed since it was signed. `now`: the evidence as it would be frozen today."""
    return dict(decision.evidence) != now


def sign(
    selection: str,
    run: RunResult,
    trial: str,
    author: str,
    reason: str,
    earlier: Sequence[Decision] = (),
    limits: Limits | None = None,
) -> Decision:
    """The choice of `trial`, with the report of the run frozen as its evidence.

    Args:
        selection: Id of the selection that the decision closes.
        run: The finished run.
        trial: Id of the chosen trial.
        author: Who signs.
        reason: Why this one, in the author's words.
        earlier: Decisions of the selection so far; the new one takes the next version number.
        limits: What the choice had to satisfy; those of the plan when None.

    Raises:
        UnknownName: The run has no such trial.
        UserError: Author, reason or trial is empty, the trial has no result, or the run still goes on.
    """
    from core.analysis.summary import analyse

    signer = _author(author)
    if not reason.strip():
        raise UserError("A decision needs its reason.", "Say in a sentence why this trial was chosen.")
    if not trial:
        raise UserError("A decision needs its trial.", "Choose the one to ship.")
    outcome = chosen(run, trial)
    if outcome.status != "done":
        raise UserError(
            f"Trial {trial!r} of {outcome.spec.model!r} is {outcome.status}: it has no result to stand on.",
            "Sign a trial that is done.",
        )
    if run.status != "done":
        raise UserError(
            f"The run is {run.status}: its evidence can still change.", "Let it finish, or cancel the rest."
        )
    return Decision(
        selection=selection,
        version=max((decision.version for decision in earlier), default=0) + 1,
        run=run.id,
        trial=trial,
        author=signer,
        reason=reason.strip(),
        evidence=evidence(analyse(run), limits or run.plan.limits),
        created=_now(),
    )


def dissent(reviews: Iterable[Review], decision: Decision) -> list[Review]:
    """Votes that stood against the decision when it was signed.

    Rejections of the chosen trial, and approvals of others by people who did not also approve the chosen one.
    """
    standing = votes(review for review in reviews if review.created <= decision.created)
    chosen = {_key(vote.author): vote.verdict for vote in standing.get(decision.trial, [])}
    against = []
    for trial, cast in standing.items():
        for vote in cast:
            rejects = trial == decision.trial and vote.verdict == "reject"
            prefers = trial != decision.trial and vote.verdict == "approve" and _key(vote.author) not in chosen
            if rejects or prefers:
                against.append(vote)
    return _in_order(against)


def _author(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned:
        raise UserError("The name is empty.", "Write your name, so that others know whose word it is.")
    return cleaned


def _key(author: str) -> str:
    """One person however they typed their name."""
    return " ".join(author.split()).casefold()


def _in_order(reviews: Iterable[Review]) -> list[Review]:
    return sorted(reviews, key=lambda review: review.created)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
