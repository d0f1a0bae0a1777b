from core.data.proposal import YOURS, label_counts, label_tables
from core.records import Candidate

DATA = ("billing", "refund")


def model(*labels, id="org/model"):
    return Candidate("samples", id, labels=labels)


def test_equal_names_need_no_word_from_anyone():
    (table,) = label_tables([model("Refund", "BILLING")], DATA)
    assert table.mapping == {"Refund": "refund", "BILLING": "billing"}
    assert not table.missing
    assert not table.proposed


def test_numbers_are_proposed_and_hold_once_accepted():
    (table,) = label_tables([model("LABEL_0", "LABEL_1")], DATA)
    assert table.mapping == {}
    assert table.missing == DATA
    assert table.accepted() == {"LABEL_0": "billing", "LABEL_1": "refund"}

    (accepted,) = label_tables([model("LABEL_0", "LABEL_1")], DATA, {"org/model": table.accepted()})
    assert accepted.mapping == table.accepted()
    assert {match.reason for match in accepted.matches} == {YOURS}
    assert not accepted.missing


def test_what_would_match_anyway_keeps_its_own_reason():
    given = {"org/model": {"refund": "refund", "money back": "refund", "bill": "billing"}}
    (table,) = label_tables([model("refund", "money back", "bill")], DATA, given)
    assert [match.reason for match in table.matches] == ["same name", YOURS, YOURS]
    assert [match.model_label for match in table.partners("refund")] == ["refund", "money back"]


def test_decisions_for_other_rows_or_another_model_are_passed_over():
    given = {"org/model": {"LABEL_7": "refund", "LABEL_0": "delivery"}, "org/other": {"LABEL_0": "refund"}}
    (table,) = label_tables([model("LABEL_0")], DATA, given)
    assert table.missing == DATA


def test_a_model_that_names_no_labels_lacks_all_of_the_datas():
    (table,) = label_tables([model()], DATA)
    assert table.matches == ()
    assert table.missing == DATA


def test_counts_come_with_the_most_frequent_first():
    assert list(label_counts(["b", "a", "c", "b"]).items()) == [("b", 2), ("a", 1), ("c", 1)]
