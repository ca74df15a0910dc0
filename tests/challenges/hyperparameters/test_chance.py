"""Intervals over rows and seeds keep their level."""

import numpy as np
import pytest

from roadworthy.challenges.hyperparameters.chance import (
    beyond_luck,
    disagreement,
    over_rows_and_seeds,
    seed_variance,
    shift_of,
    size_of,
)
from roadworthy.statistics import largest_of


@pytest.mark.parametrize(("of_seeds", "r"), [(0.0, 1), (0.02, 1), (0.02, 3), (0.0, 3)])
def test_the_interval_of_a_shift_misses_on_either_side_no_more_often_than_it_may(
    of_seeds: float, r: int
) -> None:
    rng = np.random.default_rng(0)
    n, s, shift, runs = 800, 5, 0.05, 400
    low = high = 0
    for _ in range(runs):
        # Rows differ in how hard they are; seeds differ in how good they are on all rows.
        hard = 0.12 + 0.6 * rng.beta(0.2, 1.8, n)
        better = rng.normal(0, of_seeds, (s + r, 1))
        chance = hard + better
        chance[s:] += shift
        errors = rng.random((s + r, n)) < chance
        found = size_of(shift_of(errors[s:], errors[:s]), n, "share of rows")
        low += found.low > shift
        high += found.high < shift
    # 2.5 % of 400 are 10; more than 19 in at most 1 of 200 such counts
    assert low <= 19, high
    assert high <= 19, low


def test_where_nothing_differs_the_upper_end_follows_the_rule_of_three() -> None:
    none = np.zeros((5, 1_000), bool)
    found = size_of(shift_of(none[:1], none), 1_000, "share of rows")
    assert found.value == 0.0
    assert 3.0 / 1_000 < found.high < 4.0 / 1_000


def test_seeds_that_differ_by_their_rows_alone_have_no_variance_of_their_own() -> None:
    rng = np.random.default_rng(1)
    alike = [seed_variance(rng.random((5, 2_000)) < 0.1) for _ in range(200)]
    # of a mean of 2,000 rows: .1 x .9 / 2000 = 4.5e-5; what is left over is the noise of that
    assert np.mean(alike) < 2e-5
    apart = rng.normal(0.2, 0.05, (5, 1))
    assert np.mean(
        [seed_variance(rng.random((5, 2_000)) < apart) for _ in range(50)]
    ) == pytest.approx(np.var(apart, ddof=1), rel=0.1)


def test_the_largest_of_many_changes_without_effect_is_seldom_above_luck() -> None:
    rng = np.random.default_rng(2)
    n, fails, values = 600, 0, []
    for _ in range(80):
        base = rng.random((5, n)) < 0.1
        shifts = [shift_of(rng.random((1, n)) < 0.1, base) for _ in range(10)]
        fails += largest_of([size_of(shift, n, "share of rows") for shift in shifts]).low > 0.0
        values.append(beyond_luck(shifts))
    assert fails <= 9  # 5 % of 80 are 4, as either side of each may mislead
    assert np.median(values) < 0.012  # the largest of ten is .03 on average


def test_disagreement_by_hand() -> None:
    answers = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 2]])
    # pairs: 0-1, 0-2, 1-2; row 0 never differs, row 1 in two of three, row 2 in all
    assert disagreement(answers, None).tolist() == [0.0, pytest.approx(2 / 3), 1.0]
    numbers = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, np.nan]])
    # row 0: (2 + 1 + 1) / 3 of a scale of 4; row 1: 0, and twice 1 beside no answer
    assert disagreement(numbers, 4.0).tolist() == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


@pytest.mark.parametrize("chance", [0.02, 0.1])
def test_the_interval_of_disagreement_keeps_its_level(chance: float) -> None:
    rng = np.random.default_rng(3)
    truth = 2 * chance * (1 - chance)
    low = high = 0
    for _ in range(300):
        found = over_rows_and_seeds((rng.random((5, 400)) < chance).astype(int), None, "share", "")
        low, high = low + (found.low > truth), high + (found.high < truth)
    assert low <= 15, high
    assert high <= 15, low


def test_a_difference_of_shares_is_never_larger_than_one() -> None:
    errors = np.array([[True] * 50, [False] * 50])
    found = size_of(shift_of(errors[:1], errors), 50, "share of rows", 1.0)
    assert found.high == 1.0
