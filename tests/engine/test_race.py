"""The race stops the worse ones, and the best one no more often than it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from core import registry
from core.engine import race
from core.errors import PlanError
from core.metrics.base import resolve_options

ALPHA = 0.05
DIFFERENCES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1))


def capital(differences: NDArray[np.float64], null: float, population: int | None = None) -> float:
    """The definition, row by row: each share of the capital is bet at the fair price of (1 + difference) / 2."""
    wealth, seen, best = [1.0] * len(race.BETS), 0.0, 1.0
    for row, difference in enumerate(differences):
        price = (1 + null) / 2
        if population is not None:
            price = (population * price - seen) / (population - row)
        outcome = (1 + difference) / 2
        seen += outcome
        if price <= 0:
            return math.inf
        wealth = [
            one * (1 + bet / price * (outcome - price)) for one, bet in zip(wealth, race.BETS.tolist(), strict=True)
        ]
        best = max(best, sum(wealth) / len(wealth))
    return best


@pytest.mark.parametrize("population", [None, 200])
@pytest.mark.parametrize("null", [-0.2, 0.0, 0.1])
def test_the_capital_is_that_of_its_definition(null: float, population: int | None) -> None:
    drawn = np.random.default_rng(1).choice([-1.0, 0.0, 0.3, 1.0], size=120)
    assert race.log_capital(drawn, null, population) == pytest.approx(math.log(capital(drawn, null, population)))


@pytest.mark.parametrize(
    ("null", "population", "published"),
    [
        (0.0, None, 2.82125743526932),
        (-0.1, None, 9.27772945948667),
        (0.0, 200, 7.733040091734101),
        (0.05, 150, 5.936753325193208),
    ],
)
def test_the_capital_is_that_of_the_authors_package(null: float, population: int | None, published: float) -> None:
    """Package `confseq` 0.0.11, the mean of `betting_mart(…, theta=1, trunc_scale=bet)` with bets without end."""
    drawn = np.tile([1.0, 0, 0, 0, -1, 0, 1, 0, 0, 0.5], 12)
    assert race.log_capital(drawn, null, population) == pytest.approx(published, rel=1e-12)


def missed(population: NDArray[np.float64], answered: int, finite: bool, runs: int) -> float:
    """How often the sequence excludes the mean at any row, over random orders or draws."""
    generator = np.random.default_rng(7)
    mean, enough, count = float(population.mean()), math.log(2 / ALPHA), 0
    for _ in range(runs):
        drawn = generator.permutation(population) if finite else generator.choice(population, len(population))
        drawn = drawn[:answered]
        size = len(population) if finite else None
        count += max(race.log_capital(drawn, mean, size), race.log_capital(-drawn, -mean, size)) >= enough
    return count / runs


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize(
    "population",
    [
        np.repeat([1.0, 0.0, -1.0], [30, 250, 20]),
        np.repeat([1.0, -1.0], [150, 150]),
        np.repeat([1.0, 0.0], [3, 297]),
        np.random.default_rng(0).uniform(-1, 1, 300) ** 3,
    ],
    ids=["few differ", "all differ", "one-sided", "continuous"],
)
def test_the_mean_is_missed_no_more_often_than_alpha(population: NDArray[np.float64], finite: bool) -> None:
    # 400 runs: three standard errors over 5 % are 8.3 %.
    assert missed(population, answered=len(population), finite=finite, runs=400) <= 0.083


def test_the_interval_holds_what_the_bets_do_not_exclude() -> None:
    drawn = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], size=400, p=[0.05, 0.8, 0.15])
    low, high = race.bounds(drawn, ALPHA)
    assert low < drawn.mean() < high
    for bound, inside in ((low, 0.001), (high, -0.001)):
        held = [
            max(race.log_capital(drawn, at), race.log_capital(-drawn, -at)) < math.log(2 / ALPHA)
            for at in (bound + inside, bound - inside)
        ]
        assert held == [True, False]


def test_without_replacement_the_last_row_leaves_the_mean_alone() -> None:
    drawn = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], size=300)
    low, high = race.bounds(drawn, ALPHA, population=300)
    assert low == pytest.approx(drawn.mean(), abs=1e-6)
    assert high == pytest.approx(drawn.mean(), abs=1e-6)


def test_without_replacement_is_narrower_when_rows_run_out() -> None:
    drawn = np.random.default_rng(3).choice([-1.0, 0.0, 1.0], size=900)
    (low, high), (wide_low, wide_high) = race.bounds(drawn, ALPHA, 1000), race.bounds(drawn, ALPHA)
    assert high - low < 0.7 * (wide_high - wide_low)


@settings(max_examples=40)
@given(DIFFERENCES, st.sampled_from([None, 60, 1000]))
def test_the_interval_mirrors_and_never_widens(differences: NDArray[np.float64], population: int | None) -> None:
    low, high = race.bounds(differences, ALPHA, population)
    mirrored = race.bounds(-differences, ALPHA, population)
    assert (low, high) == (-mirrored[1], -mirrored[0])
    earlier = race.bounds(differences[:-1], ALPHA, population)
    assert earlier[0] <= low + 1e-6
    assert high <= earlier[1] + 1e-6


def answers(accuracies: list[float], rows: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    hard = np.random.default_rng(seed).random(rows)
    own = np.random.default_rng(seed + 1).random((len(accuracies), rows))
    # Rows are hard for all alike, but not in the same order.
    return {
        f"m{index}": (0.7 * hard + 0.3 * own[index] < np.quantile(0.7 * hard + 0.3 * own[index], accuracy)).astype(
            float
        )
        for index, accuracy in enumerate(accuracies)
    }


def judge(answered: dict[str, NDArray[np.float64]], rows: int = 10_000, tolerance: float = 0.01) -> race.Standing:
    return race.standing(
        answered, list(answered), rows=rows, candidates=len(answered), tolerance=tolerance, alpha=ALPHA
    )


def test_the_surely_worse_stop_with_their_interval() -> None:
    found = judge(answers([0.80, 0.92, 0.91], rows=500))
    assert found.leader == "m1"
    assert set(found.beaten) == {"m0"}
    beaten = found.beaten["m0"]
    assert (beaten.leader, beaten.rows) == ("m1", 500)
    assert beaten.low < beaten.difference < beaten.high < 0
    assert not found.decided


def test_more_rows_part_what_few_do_not() -> None:
    few, many = judge(answers([0.90, 0.92], 300)), judge(answers([0.90, 0.92], 6000))
    assert not few.beaten
    assert set(many.beaten) == {"m0"}
    assert many.decided


def test_a_race_of_equals_ends_when_they_are_surely_within_the_tolerance() -> None:
    everything = answers([0.9, 0.9], 10_000)
    ends = [n for n in race.rounds(10_000) if judge({k: v[:n] for k, v in everything.items()}).decided]
    assert 1000 < ends[0] < 10_000


def test_those_that_have_ended_are_not_stopped_but_lead() -> None:
    answered = answers([0.80, 0.95], 500)
    found = race.standing(answered, ["m1"], rows=10_000, candidates=2, tolerance=0.01, alpha=ALPHA)
    assert not found.beaten
    longer = {"m1": answered["m1"], "m0": answered["m0"][:300]}
    found = race.standing(longer, ["m0"], rows=10_000, candidates=2, tolerance=0.01, alpha=ALPHA)
    assert found.beaten["m0"].rows == 300


def test_the_best_is_stopped_no_more_often_than_alpha_whoever_leads() -> None:
    """One a hair better than four equals: the hardest case for the best, and the lead changes all the time."""
    stopped, runs = 0, 40
    for seed in range(runs):
        everything = answers([0.852, *[0.85] * 4], 800, seed=2 * seed)
        live = dict(everything)
        for n in race.rounds(800):
            so_far = {name: values[:n] for name, values in live.items()}
            found = race.standing(so_far, list(so_far), rows=800, candidates=5, tolerance=0.01, alpha=ALPHA)
            live = {name: values for name, values in live.items() if name not in found.beaten}
        stopped += "m0" not in live
    assert stopped <= 0.05 * runs


def test_rounds_grow_and_end_with_the_last_row() -> None:
    assert race.rounds(1000) == [256, 384, 576, 864, 1000]
    assert race.rounds(256) == [256]
    assert race.rounds(3) == [3]


def test_the_order_is_a_draw_that_depends_on_the_data_set_alone() -> None:
    first = race.order("abc", 500)
    assert sorted(first) == list(range(500)) != first
    assert race.order("abc", 500) == first != race.order("abd", 500)


def test_scores_are_between_0_and_1_and_more_is_better() -> None:
    task = registry.task("text-classification")
    metric = registry.metric("brier_score", task)
    predictions = [{"probabilities": [1.0, 0.0, 0.0]}, {"probabilities": [0.0, 1.0, 0.0]}]
    rows = metric.rows(predictions, ["a", "a"], ["a", "b", "c"], resolve_options(metric, {}))
    assert race.scores(metric, rows, ["a", "b", "c"], {}).tolist() == [1.0, 0.0]


def test_a_row_without_a_reference_scores_the_same_for_all() -> None:
    metric = registry.metric("exact_match", registry.task("summarization"))
    options = resolve_options(metric, {})
    rows = metric.rows([{"answer": "x"}, {"answer": "x"}], [None, "x"], [], options)
    assert race.scores(metric, rows, [], options).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ["f1", "mcc", "log_loss", "roc_auc"])
def test_other_metrics_have_no_race(name: str) -> None:
    task = registry.task("text-classification")
    race.check(task, registry.metric("accuracy", task))
    with pytest.raises(PlanError, match=f"no race on {name}") as caught:
        race.check(task, registry.metric(name, task))
    assert "accuracy" in caught.value.hint
