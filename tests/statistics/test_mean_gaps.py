"""Gaps of means over groups: two groups as `mean_difference`, several as the largest of pairs."""

from itertools import combinations

import numpy as np
import pytest

from roadworthy.errors import NotApplicable
from roadworthy.statistics import largest_of, mean_difference
from roadworthy.statistics.mean_gaps import largest_mean_gap


def test_two_groups_far_apart_have_the_interval_of_their_difference() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.exponential(1.0, 60), rng.normal(5.0, 1.0, 40)
    for pair in ((one, other), (other, one)):
        gap, difference = largest_mean_gap(pair, unit="s"), mean_difference(other, one, unit="s")
        assert (gap.value, gap.low, gap.high) == pytest.approx(
            (difference.value, difference.low, difference.high)
        )


def test_several_groups_are_the_largest_of_all_pairs() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.exponential(1.0, n) + m for n, m in ((40, 0.0), (200, 2.0), (90, 4.0))]
    pairs = [mean_difference(b, a, unit="s") for a, b in combinations(groups, 2)]
    expected, gap = largest_of(pairs), largest_mean_gap(groups, unit="s")
    # `largest_of` reads a third of 2.5 % off a grid
    assert (gap.value, gap.low, gap.high) == pytest.approx(
        (expected.value, expected.low, expected.high), rel=2e-3
    )


def test_values_all_alike_have_no_spread_and_too_few_are_refused() -> None:
    gap = largest_mean_gap([np.full(5, 0.3), np.full(5, 0.1)], unit="s")
    assert gap.low == gap.high == pytest.approx(0.2)
    with pytest.raises(NotApplicable, match="groups of 5, 1 values"):
        largest_mean_gap([np.zeros(5), np.zeros(1)], unit="s")
    with pytest.raises(NotApplicable, match="groups of none"):
        largest_mean_gap([], unit="s")


def test_at_the_bound_neither_side_errs_in_more_than_one_in_forty() -> None:
    rng = np.random.default_rng(2)
    found = [
        largest_mean_gap(
            [rng.exponential(1.0, 200), rng.exponential(1.0, 60) + 0.3, rng.exponential(1.0, 100)],
            unit="s",
        )
        for _ in range(1_000)
    ]
    # 2.5 % of 1,000 is 25; 36 or more would be seen once in 50 of such tests
    assert sum(m.low > 0.3 for m in found) <= 36
    assert sum(m.high < 0.3 for m in found) <= 36


def test_of_values_all_alike_within_bounds_what_was_not_seen_is_the_interval() -> None:
    # 30 values alike: a share 1 - .025^(1/30) = .1157 of all may be unseen. From .12 to -1 that is .1296 down, from
    # .12 to 1 .1018 up; the other group of 1,000 alike at 0 adds .0037 either way. Distances by squares.
    gap = largest_mean_gap([np.full(30, 0.12), np.zeros(1_000)], unit="s", bounds=(-1.0, 1.0))
    assert gap.value == pytest.approx(0.12)
    assert gap.low == 0.0
    assert gap.high == pytest.approx(0.12 + np.hypot(0.1018, 0.0037), abs=1e-4)
    far = largest_mean_gap([np.full(30, 0.9), np.zeros(1_000)], unit="s", bounds=(-1.0, 1.0))
    assert far.low == pytest.approx(0.9 - np.hypot(0.1157 * 1.9, 0.0037), abs=1e-3)


@pytest.mark.parametrize(("n", "other"), [(30, 5_000), (50, 5_000), (100, 5_000), (30, 30)])
def test_chances_stated_alike_of_what_seldom_happens_are_judged_by_what_was_not_seen(
    n: int, other: int
) -> None:
    rng = np.random.default_rng(n + other)
    low = high = 0
    for _ in range(1_000):
        stated = rng.uniform(0.2, 0.8, other)
        values = [0.12 - (rng.random(n) < 0.02), stated - (rng.random(other) < stated)]
        found = largest_mean_gap(values, unit="s", bounds=(-1.0, 1.0))
        low, high = low + (found.low > 0.1), high + (found.high < 0.1)
    assert low <= 36  # 25 are expected at most; 36 or more would be seen once in 50 of such tests
    assert high <= 36


def test_bounds_change_nothing_where_values_vary() -> None:
    rng = np.random.default_rng(6)
    groups = [rng.uniform(-1, 1, 200), rng.uniform(-0.5, 1, 300)]
    free, bounded = (
        largest_mean_gap(groups, unit="s", bounds=bounds) for bounds in (None, (-1.0, 1.0))
    )
    assert (free.low, free.high) == (bounded.low, bounded.high)


def test_every_deal_of_values_of_unknown_group_lies_within() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        groups = [rng.normal(m, 1.0, n) for m, n in ((0.0, 40), (0.8, 60), (0.3, 90))]
        unknown = rng.normal(0.4, 1.5, 20)
        found = largest_mean_gap(groups, unknown, unit="s")
        for _ in range(20):
            whose = rng.integers(0, 3, 20)
            means = [np.r_[g, unknown[whose == i]].mean() for i, g in enumerate(groups)]
            assert found.low <= max(means) - min(means) <= found.high
        assert found.n == 210
