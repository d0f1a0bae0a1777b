from hypothesis import given
from hypothesis import strategies as st

from core.engine.batching import batches

lengths = st.lists(st.integers(1, 600), max_size=200)


@given(lengths, st.integers(1, 64), st.integers(1, 4096))
def test_every_row_is_in_exactly_one_batch(rows, max_rows, max_tokens):
    assert sorted(row for batch in batches(rows, max_rows, max_tokens) for row in batch) == list(range(len(rows)))


@given(lengths, st.integers(1, 64), st.integers(1, 4096))
def test_no_batch_exceeds_its_budgets_unless_it_is_one_row(rows, max_rows, max_tokens):
    for batch in batches(rows, max_rows, max_tokens):
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * max(rows[row] for row in batch) <= max_tokens


@given(lengths, st.integers(1, 64), st.integers(1, 4096))
def test_lengths_only_fall_and_equal_ones_keep_their_order(rows, max_rows, max_tokens):
    order = [row for batch in batches(rows, max_rows, max_tokens) for row in batch]
    assert order == sorted(order, key=lambda row: (-rows[row], row))


def test_short_rows_share_a_batch_up_to_the_budget():
    assert batches([2, 10, 2, 2], max_rows=8, max_tokens=10) == [[1], [0, 2, 3]]
