"""The smallest ratio of rates: its pairs against a published interval, and its error at the bound."""

import numpy as np
import pytest

from roadworthy.errors import NotApplicable
from roadworthy.results import AtLeast
from roadworthy.statistics import examples_needed
from roadworthy.statistics.rate_ratios import smallest_ratio


def test_large_samples_agree_with_the_interval_on_the_log_scale() -> None:
    # Katz et al. (1978): exp(ln(.3 / .5) -+ 1.96 sqrt(.7 / 3,000 + .5 / 5,000)) = .5786 to .6222
    found = smallest_ratio([3_000, 5_000], [10_000, 10_000])
    assert found.value == pytest.approx(0.6)
    assert (found.low, found.high) == pytest.approx((0.5786, 0.6222), abs=2e-3)


def test_the_order_of_groups_and_equal_rates_make_no_difference() -> None:
    one, other = (
        smallest_ratio([30, 50, 40], [100, 100, 100]),
        smallest_ratio([50, 40, 30], [100] * 3),
    )
    assert (one.value, one.low, one.high) == (other.value, other.low, other.high)
    equal = smallest_ratio([50, 50], [100, 100])
    assert equal.value == 1.0
    assert equal.high == 1.0  # a smallest ratio is at most 1
    assert 0.6 < equal.low < 0.8


def test_a_group_without_hits_has_a_ratio_of_0_and_an_upper_limit() -> None:
    found = smallest_ratio([0, 50], [100, 100])
    assert found.value == found.low == 0.0
    # At most 3.6 % of the first (0.025 = (1 - p)^100) against about half of the second.
    assert 0.06 < found.high < 0.1


@pytest.mark.parametrize(("hits", "sizes"), [([3], [10]), ([0, 0], [10, 10]), ([3, 0], [10, 0])])
def test_no_ratio_without_two_groups_or_any_hit(hits: list[int], sizes: list[int]) -> None:
    with pytest.raises(NotApplicable):
        smallest_ratio(hits, sizes)


@pytest.mark.parametrize(
    ("rates", "sizes"),
    [
        ((0.4, 0.5), (200, 200)),
        ((0.08, 0.1), (2_000, 300)),
        ((0.4, 0.5, 0.5, 0.45), (400, 200, 100, 50)),
    ],
)
def test_at_four_fifths_neither_side_errs_in_more_than_one_in_forty(
    rates: tuple[float, ...], sizes: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    found = [smallest_ratio(rng.binomial(sizes, rates), sizes) for _ in range(200)]
    false_fails = np.mean([m.high < 0.8 for m in found])
    false_passes = np.mean([m.low > 0.8 for m in found])
    # 2.5 % of 200 is 5; 11 or more would be seen once in 75 of such tests
    assert false_fails <= 11 / 200
    assert false_passes <= 11 / 200


def test_unknown_rows_move_the_ends_as_far_as_they_may() -> None:
    known = smallest_ratio([30_000, 50_000], [100_000, 100_000])
    found = smallest_ratio(
        [30_000, 50_000], [100_000, 100_000], unknown_hits=5_000, unknown_misses=5_000
    )
    assert found.value == known.value
    assert found.low == pytest.approx((30 / 105) / (55 / 105), abs=0.01)
    assert found.high == pytest.approx((35 / 105) / (50 / 105), abs=0.01)
    # More rows do not tell of which group these are.
    assert examples_needed(found, AtLeast(0.7, "")) is None
    assert examples_needed(known, AtLeast(0.7, "")) is not None
