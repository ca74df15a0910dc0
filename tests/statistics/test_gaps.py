"""Extremes over groups: never proven by luck, never hidden by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import NotApplicable
from roadworthy.statistics import (
    exact_newcombe,
    largest_gap,
    largest_of,
    mean,
    rate,
    smallest_of,
)
from roadworthy.statistics.gaps import _critical


@st.composite
def groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    sizes = draw(st.lists(st.integers(1, 300), min_size=2, max_size=8))
    return np.array([draw(st.integers(0, n)) for n in sizes]), np.array(sizes)


@given(groups(), st.randoms(use_true_random=False))
def test_renaming_groups_and_swapping_hits_with_misses_changes_nothing(
    counts: tuple[np.ndarray, np.ndarray], random
) -> None:
    hits, sizes = counts
    m = largest_gap(hits, sizes)
    assert 0.0 <= m.low <= m.high <= 1.0 + 1e-12
    assert m.low <= m.value <= m.high
    order = np.array(random.sample(range(len(hits)), len(hits)))
    for other in (largest_gap(hits[order], sizes[order]), largest_gap(sizes - hits, sizes)):
        assert (other.value, other.low, other.high) == pytest.approx(
            (m.value, m.low, m.high), abs=1e-9
        )


def test_two_groups_far_apart_have_the_interval_of_their_difference() -> None:
    m = largest_gap([100, 50], [100, 100])
    assert (m.low, m.high) == pytest.approx(exact_newcombe(100, 100, 50, 100), abs=1e-3)
    # Newcombe (1998), method 10, would give 0.397 to 0.596.
    assert (m.low, m.high) == pytest.approx((0.397, 0.596), abs=0.02)


def test_the_critical_value_of_equal_groups_is_tukeys() -> None:
    from scipy.stats import studentized_range

    for g in (2, 3, 8, 20):
        expected = studentized_range.isf(0.025, g, 10_000) / np.sqrt(2)
        assert _critical(g, 0.0, 0.025) == pytest.approx(expected, abs=0.003)


def test_the_critical_value_of_two_groups_far_apart_is_one_sided() -> None:
    assert _critical(2, 8.0, 0.025) == pytest.approx(1.95996, abs=0.003)


def test_eight_equally_good_groups_are_not_called_unequal() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([2000, 1000, 500, 200, 100, 50, 30, 20])
    proven = sum(largest_gap(rng.binomial(sizes, 0.3), sizes).low > 0.0 for _ in range(300))
    # 2.5 % of 300 = 7.5, and three standard deviations of luck.
    assert proven <= 15


def test_a_gap_between_large_groups_is_found_beside_tiny_ones() -> None:
    m = largest_gap([1800, 1600, 9, 11], [2000, 2000, 20, 20])
    assert m.low > 0.05


def test_a_single_or_empty_group_has_no_gap() -> None:
    with pytest.raises(NotApplicable, match="needs two"):
        largest_gap([1], [2])
    with pytest.raises(NotApplicable, match="1 of 2 groups"):
        largest_gap([1, 0], [2, 0])


def test_all_right_everywhere_leaves_a_gap_as_wide_as_the_sizes_allow() -> None:
    m = largest_gap([50, 50], [50, 50])
    assert (m.value, m.low) == (0.0, 0.0)
    assert m.high == pytest.approx(exact_newcombe(50, 50, 50, 50).high)


@given(groups())
def test_of_one_number_the_extremes_are_that_number(counts: tuple[np.ndarray, np.ndarray]) -> None:
    alone = rate(int(counts[0][0]), int(counts[1][0]))
    for extreme in (largest_of([alone]), smallest_of([alone])):
        assert (extreme.value, extreme.low, extreme.high) == pytest.approx(
            (alone.value, alone.low, alone.high)
        )


@given(groups())
def test_smallest_is_largest_turned_around(counts: tuple[np.ndarray, np.ndarray]) -> None:
    hits, sizes = (c.tolist() for c in counts)
    low = smallest_of([rate(h, n) for h, n in zip(hits, sizes, strict=True)])
    high = largest_of([rate(n - h, n) for h, n in zip(hits, sizes, strict=True)])
    assert (low.low, low.high) == pytest.approx((1 - high.high, 1 - high.low), abs=1e-9)


def test_the_worst_of_ten_equal_classes_is_not_called_bad_by_luck() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.binomial(60, 0.1, (100, 10))
    worst = [largest_of([rate(int(h), 60) for h in row]) for row in wrong]
    assert sum(m.low > 0.1 for m in worst) <= 7
    assert sum(m.high < 0.1 for m in worst) == 0


def test_extremes_take_any_kind_of_number() -> None:
    rng = np.random.default_rng(0)
    m = largest_of([mean(rng.exponential(size=50), unit="seconds"), rate(3, 4)], unit="")
    assert m.low <= m.value <= m.high
    with pytest.raises(NotApplicable):
        largest_of([])
