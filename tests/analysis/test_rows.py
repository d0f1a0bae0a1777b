from dataclasses import replace

import numpy as np
import pytest

from core.analysis.rows import filters, row_table, search
from core.analysis.summary import analyse
from core.analysis.wording import said
from tests.analysis.factory import make_run


@pytest.fixture(scope="module")
def table():
    return row_table(analyse(make_run(3, 200, 3)))


def chosen(table):
    return {one.key: set(one.positions.tolist()) for one in filters(table)}


def test_right_is_what_equals_the_reference(table):
    for answers, right in zip(table.answers, table.right, strict=True):
        assert right.tolist() == [a == b for a, b in zip(answers, table.references, strict=True)]


def test_the_sets_are_what_they_say(table):
    sets, right = chosen(table), table.right
    assert sets["all"] == set(range(200))
    assert sets["all_wrong"] == set(np.flatnonzero(~right.any(axis=0)).tolist())
    assert sets["all_right"] == set(np.flatnonzero(right.all(axis=0)).tolist())
    assert sets["disagree"] == {row for row in range(200) if len({one[row] for one in table.answers}) > 1}
    only = sets[f"only_right:{table.trials[2]}"]
    assert only == set(np.flatnonzero(right[2] & ~right[0] & ~right[1]).tolist())
    assert only
    assert only <= sets["disagree"]


def test_one_model_has_nothing_to_disagree_with():
    table = row_table(analyse(make_run(1, 50)))
    assert [one.key for one in filters(table)] == ["all", "disagree", "all_wrong", "all_right"]
    assert not chosen(table)["disagree"]


def test_rows_that_a_trial_has_not_answered_are_in_no_set_but_all():
    run = make_run(2, 200)
    first = replace(run.outcomes[0], status="running", chunks=run.outcomes[0].chunks[:1])
    table = row_table(analyse(replace(run, outcomes=(first, run.outcomes[1]))))
    missing = set(np.flatnonzero(~table.answered[0]).tolist())
    assert len(missing) == 136
    assert not any(positions & missing for key, positions in chosen(table).items() if key != "all")


def test_a_failed_trial_is_not_a_column():
    assert len(row_table(analyse(make_run(2, 20, failed=1))).trials) == 2


def test_a_choice_of_trials(table):
    analysis = analyse(make_run(3, 200, 3))
    assert row_table(analysis, trials=table.trials[1:]).trials == table.trials[1:]


def test_right_or_wrong_does_not_depend_on_the_metrics_of_the_plan(table):
    by_f1 = row_table(analyse(make_run(3, 200, 3, metrics=("f1",))))
    assert np.array_equal(by_f1.right, table.right)


def test_generated_texts_disagree_when_only_some_are_right():
    table = row_table(analyse(make_run(2, 60, task="summarization", accuracies=(0.5, 0.9))))
    assert chosen(table)["disagree"] == set(np.flatnonzero(table.right[0] != table.right[1]).tolist())


def test_search_finds_every_word_in_text_reference_and_answers(table):
    word = table.inputs[7]["text"].split()[0].upper()
    found = search(table, f"{word} label")
    assert 7 in found
    assert all(word.lower() in table.inputs[row]["text"] for row in found)
    assert search(table, "  ").tolist() == list(range(200))
    assert search(table, word, positions=np.array([7])).tolist() == [7]
    assert not len(search(table, "nowhere-to-be-found"))


def test_rows_of_a_task_that_judges_none_are_all_there_is(table):
    assert [one.key for one in filters(replace(table, judged=False))] == ["all"]


def test_entities_are_told_with_their_words():
    row = {"words": ["Ana", "Silva", "moved", "to", "Łódź", "."]}
    assert said("tags", ["B-PER", "I-PER", "O", "O", "B-LOC", "O"], row) == "Ana Silva (PER) · Łódź (LOC)"
    assert said("tags", ["O"] * 6, row) == "none"
    assert said("words", row["words"], row) == "Ana Silva moved to Łódź ."
