import json
from dataclasses import replace

import pytest

from core.analysis.report import report
from core.errors import UnknownName, UserError
from core.records import Decision, Limits, Review
from core.review import comments, dissent, outdated, position, sign, under, visible, votes, write
from tests.analysis.factory import make_run


def said(author, verdict, trial=None, text="", at=0):
    return Review(f"{author}-{at}", "selection", author, verdict, text, f"2026-11-01T10:{at:02d}:00+00:00", trial=trial)


def test_a_review_is_checked_and_cleaned():
    review = write("selection", "  Ada   Lovelace ", "comment", " too slow ", trial="t", row="7")
    assert (review.author, review.text, review.trial, review.row) == ("Ada Lovelace", "too slow", "t", "7")
    assert review.id != write("selection", "Ada", "comment", "again").id


@pytest.mark.parametrize(
    ("author", "verdict", "text", "trial", "message"),
    [
        (" ", "comment", "words", None, "name is empty"),
        ("Ada", "comment", " ", None, "comment is empty"),
        ("Ada", "reject", "", "t", "needs its reason"),
        ("Ada", "approve", "yes", None, "needs a trial"),
    ],
)
def test_what_a_review_lacks_is_said(author, verdict, text, trial, message):
    with pytest.raises(UserError, match=message) as caught:
        write("selection", author, verdict, text, trial=trial)
    assert caught.value.hint


def test_each_authors_latest_vote_on_a_trial_counts():
    reviews = [
        said("Ada", "approve", "a", at=1),
        said("Ben", "approve", "a", at=2),
        said("ada ", "reject", "a", "slow", at=3),
        said("Ada", "approve", "b", at=4),
        said("Ada", "comment", "a", "hm", at=5),
    ]
    standing = votes(reversed(reviews))
    assert {trial: [(v.author.strip(), v.verdict) for v in cast] for trial, cast in standing.items()} == {
        "a": [("Ben", "approve"), ("ada", "reject")],
        "b": [("Ada", "approve")],
    }


def test_comments_are_one_stream_in_order_of_time_with_the_reasons_of_votes():
    reviews = [said("Ben", "reject", "a", "slow", at=3), said("Ada", "comment", "a", "hm", at=1), said("C", "approve")]
    assert [review.text for review in comments(reviews)] == ["hm", "slow"]


def test_votes_of_others_show_once_one_has_voted_on_that_trial():
    reviews = [
        said("Ben", "approve", "a", "fine", at=1),
        said("Ben", "reject", "b", "slow", at=2),
        said("Ben", "comment", "a", "row 7 is odd", at=3),
    ]
    assert [review.verdict for review in visible(reviews, "Ada")] == ["comment"]
    voted = [*reviews, said("ADA", "reject", "a", "no", at=4)]
    assert [(r.author, r.trial) for r in visible(voted, "Ada")] == [("Ben", "a"), ("Ben", "a"), ("ADA", "a")]
    assert visible(reviews, "ben") == reviews


def test_signing_freezes_the_report_and_counts_versions():
    run = make_run(trials=2, rows=40, limits=Limits(memory_mb=900))
    trial = run.outcomes[0].trial
    first = sign("selection", run, trial, " Ada ", " cheaper ")
    second = sign("selection", run, trial, "Ada", "still", earlier=[first, replace(first, version=4)])
    assert (first.version, second.version) == (1, 5)
    assert (first.author, first.reason, first.run, first.trial) == ("Ada", "cheaper", run.id, trial)
    assert first.evidence["limits"]["memory_mb"] == 900
    frozen = {name: value for name, value in first.evidence.items() if name != "limits"}
    assert frozen == json.loads(json.dumps(report(run)))


@pytest.mark.parametrize(("author", "reason"), [("", "why"), ("Ada", "  ")])
def test_a_decision_without_name_or_reason_is_not_signed(author, reason):
    run = make_run(trials=1, rows=10)
    with pytest.raises(UserError):
        sign("selection", run, run.outcomes[0].trial, author, reason)


def test_a_failed_or_unknown_trial_and_an_unfinished_run_cannot_be_signed():
    run = make_run(trials=1, rows=10, failed=1)
    with pytest.raises(UserError, match="is failed"):
        sign("selection", run, run.outcomes[1].trial, "Ada", "why")
    with pytest.raises(UnknownName, match="nobody"):
        sign("selection", run, "nobody", "Ada", "why")
    going = replace(run, outcomes=(run.outcomes[0], replace(run.outcomes[1], status="running")))
    with pytest.raises(UserError, match="is running"):
        sign("selection", going, run.outcomes[0].trial, "Ada", "why")


def test_dissent_is_what_stood_against_the_choice_when_it_was_signed():
    decision = Decision("selection", 1, "run", "a", "Ada", "why", {}, "2026-11-01T10:30:00+00:00")
    reviews = [
        said("Ada", "approve", "a", at=1),
        said("Ada", "approve", "b", at=2),
        said("Ben", "reject", "a", "slow", at=3),
        said("Cleo", "approve", "b", at=4),
        said("Dan", "reject", "a", "late", at=40),
        said("Eve", "reject", "b", "large", at=5),
    ]
    assert [review.author for review in dissent(reviews, decision)] == ["Ben", "Cleo"]


def test_the_limits_of_the_choice_are_signed_with_it():
    run = make_run(2)
    decision = sign("selection", run, run.outcomes[0].trial, "Ada", "small", limits=Limits(params=6_000_000))
    assert decision.evidence["limits"]["params"] == 6_000_000
    assert decision.evidence["winner"] == run.outcomes[0].trial


def test_a_decision_is_outdated_once_run_or_limits_have_changed():
    run = make_run(2)
    decision = sign("selection", run, run.outcomes[1].trial, "Ada", "best")
    again = sign("selection", run, run.outcomes[1].trial, "Ben", "still best")
    tighter = sign("selection", run, run.outcomes[1].trial, "Ben", "hm", limits=Limits(memory_mb=1))
    assert not outdated(decision, again.evidence)
    assert outdated(decision, tighter.evidence)


def test_a_run_under_other_limits_keeps_its_measurements():
    run = make_run(2)
    other = under(run, Limits(memory_mb=1))
    assert other.plan.limits == Limits(memory_mb=1)
    assert replace(other, plan=run.plan) == run


def test_a_row_is_found_by_its_id_or_the_way_to_it_is_said():
    evalset = make_run(1, 20).evalset
    assert position(evalset, "7") == 7
    with pytest.raises(UserError, match="No row has the id '99'"):
        position(evalset, "99")


def test_a_decision_without_a_trial_is_refused():
    with pytest.raises(UserError, match="needs its trial"):
        sign("selection", make_run(1), "", "Ada", "best")
