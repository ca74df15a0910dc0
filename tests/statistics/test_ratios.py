"""Ratios of means over the same rows: against Fieller's formula, by hand, and at the bound."""

import numpy as np
import pytest
from scipy.stats import t

from roadworthy.errors import NotApplicable
from roadworthy.statistics import clopper_pearson, mean, ratio_of_means


def test_without_skewness_it_is_fiellers_interval() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(2, 300)) * [[0.5], [0.3]]
    symmetric = np.concatenate([half, -half], axis=1)
    a, b = symmetric[0] + 2.0, symmetric[1] + 3.0
    (aa, ab), (_, bb) = np.cov(a, b) / 600
    q, x, y = t.ppf(0.975, 599) ** 2, a.mean(), b.mean()
    roots = np.roots([y**2 - q * bb, -2 * (x * y - q * ab), x**2 - q * aa])
    measurement = ratio_of_means(a, b, unit="share")
    assert measurement.value == pytest.approx(x / y)
    assert (measurement.low, measurement.high) == pytest.approx(sorted(roots), abs=1e-9)


def test_over_a_constant_it_is_the_interval_of_the_mean() -> None:
    a = np.random.default_rng(1).exponential(size=200)
    measurement, expected = ratio_of_means(a, np.full(200, 2.0), unit="share"), mean(a, unit="")
    ends = (2 * measurement.low, 2 * measurement.high)
    assert ends == pytest.approx((expected.low, expected.high))


def test_no_mistake_still_has_the_upper_limit_of_a_rate() -> None:
    b = np.repeat([0.0, 1.0], 50)
    measurement = ratio_of_means(np.zeros(100), b, unit="share", most=1.0)
    assert (measurement.value, measurement.low) == (0.0, 0.0)
    assert measurement.high == pytest.approx(clopper_pearson(0, 100).high / 0.5)
    assert ratio_of_means(np.zeros(100), b, unit="share").high == 0.0


def test_the_scale_of_both_and_the_order_of_rows_change_nothing() -> None:
    rng = np.random.default_rng(2)
    a, b, rows = rng.exponential(size=80), rng.exponential(size=80), rng.permutation(80)
    first = ratio_of_means(a, b, unit="share")
    other = ratio_of_means(10 * a[rows], 10 * b[rows], unit="share")
    assert (other.value, other.low, other.high) == pytest.approx(
        (first.value, first.low, first.high)
    )


@pytest.mark.parametrize("kind", ["mistakes", "losses"])
def test_each_side_errs_in_two_and_a_half_percent(kind: str) -> None:
    rng = np.random.default_rng(3)
    outside, runs, n = np.zeros(2), 600, 150
    for _ in range(runs):
        if kind == "mistakes":
            a, b = rng.random(n) < 0.27, rng.random(n) < 0.3
        else:
            b = np.where(rng.random(n) < 0.7, 0.4, 1.6)  # mean 0.76
            a = rng.exponential(0.9 * 0.76, n)
        m = ratio_of_means(a, b, unit="share", most=1.0 if kind == "mistakes" else None)
        outside += (m.low > 0.9, m.high < 0.9)
    assert (outside <= runs * 0.025 + 3 * np.sqrt(runs * 0.025 * 0.975)).all(), outside / runs


def test_a_yardstick_that_may_be_zero_gives_no_ratio() -> None:
    with pytest.raises(NotApplicable, match="may be 0"):
        ratio_of_means(np.ones(10), np.array([1.0] + [0.0] * 9), unit="share")
    with pytest.raises(NotApplicable, match="two"):
        ratio_of_means([1.0], [1.0], unit="share")


def test_tiny_errors_are_no_division_by_zero() -> None:
    measurement = ratio_of_means(np.repeat([1e-110, 3e-110], 50), np.ones(100), unit="share")
    assert 0.0 <= measurement.low <= measurement.value <= measurement.high < 1e-11
