import pytest

from core.engine.budget import GENERATING_ROWS, GENERATING_TOKENS, LEAST, Budget
from core.errors import TrialFailed
from core.records import Protocol


def search(best, pieces=20_000, room=10**9, **settings):
    """The budget that is found where one size is fastest, the batches that ran, and what was left."""
    budget = Budget(settings.pop("protocol", Protocol()), **settings)
    ran = []

    def run(batch):
        tokens = sum(batch)
        if tokens > room:
            raise TrialFailed("out_of_memory", "full")
        ran.append(batch)
        return tokens * (1 + abs(tokens - best) / best)

    lengths = [10 + number % 40 for number in range(pieces)]
    left = budget.search(lengths, lambda length: length, run)
    assert sorted([*left, *(length for batch in ran for length in batch)]) == sorted(lengths), "each runs once"
    return budget.tokens, ran, left


@pytest.mark.parametrize("best", [512, 1024, 2048, 4096, 8192])
def test_the_fastest_budget_is_found(best):
    assert search(best)[0] == best


def test_it_is_found_on_a_gpu_beyond_where_it_starts():
    assert search(65_536, pieces=200_000, device="cuda")[0] == 65_536


def test_what_is_compared_is_a_small_part_of_the_pass():
    _, ran, left = search(2048)
    assert sum(map(sum, ran)) < sum(left) / 4


def test_nothing_is_compared_where_the_plan_says_how_much_or_where_rows_are_few_or_texts_are_generated():
    for settings in ({"protocol": Protocol(batch_tokens=300)}, {"pieces": 2_000}, {"generates": True}):
        tokens, ran, _ = search(512, **settings)
        assert ran == []
        assert tokens in (300, 2048, GENERATING_TOKENS)


def test_the_longest_go_first_and_a_plan_limits_their_rows():
    budget = Budget(Protocol(batch_size=2, batch_tokens=100))
    assert budget.batches([5, 90, 7, 60], lambda length: length) == [[90], [60], [7, 5]]


def test_texts_are_generated_many_at_a_time():
    assert Budget(Protocol(), generates=True).rows == GENERATING_ROWS
    assert Budget(Protocol(batch_size=3), generates=True).rows == 3


def test_a_budget_that_does_not_fit_is_not_taken():
    assert search(8192, room=5_000)[0] == 4096


def test_on_a_gpu_it_grows_until_the_memory_is_full():
    budget, ran = Budget(Protocol(), device="cuda"), []

    def run(batch):
        if sum(batch) > 70_000:
            raise TrialFailed("out_of_memory", "full")
        ran.append(sum(batch))
        return 0.05 + sum(batch) / 1e6  # to start the kernels of a batch costs the same at any size

    lengths = [10 + number % 40 for number in range(400_000)]
    left = budget.search(lengths, lambda length: length, run)
    assert budget.tokens == 65_536
    assert max(ran) > 60_000
    assert sum(ran) + sum(left) == sum(lengths), "what did not fit is not lost"


def test_a_halved_budget_is_searched_no_more():
    notes = []
    budget = Budget(Protocol(), notes.append)
    budget.halve(8, 50)
    assert (budget.rows, budget.tokens) == (4, 200)
    assert budget.search([10] * 100_000, lambda length: length, lambda batch: 1.0) == [10] * 100_000
    assert notes[0].text == "Out of memory with 8 rows of 50 tokens: went on with 4."


def test_chance_does_not_move_it():
    assert search(1e12)[0] > LEAST  # larger is faster without end: it goes up
    tokens, _, _ = search(3000)
    assert tokens in (2048, 4096)
