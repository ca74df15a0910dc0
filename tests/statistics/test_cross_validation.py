"""Cross-validation and repeated trainings: worked by hand, and simulated under a true null."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import t as student

from roadworthy.errors import NotApplicable
from roadworthy.statistics import (
    cross_validated_mean,
    crossed_mean,
    difference_of,
    nadeau_bengio,
    rate,
)

UNIT = "share of rows"


def test_the_corrected_resampled_t_is_that_of_nadeau_and_bengio() -> None:
    # Bouckaert & Frank (2004, PAKDD, section 2.3) write it t = mean / sqrt((1 / k + n2 / n1) s^2).
    scores = np.array([0.02, -0.01, 0.03, 0.015, 0.0, 0.01, 0.025, -0.005, 0.02, 0.005])
    found = nadeau_bengio(scores, 1 / 9, unit=UNIT)
    error = sqrt((1 / 10 + 1 / 9) * scores.var(ddof=1))
    half = student.ppf(0.975, 9) * error
    assert found.value == pytest.approx(0.011)
    assert error == pytest.approx(
        0.0061071, abs=1e-7
    )  # deviations^2: 1590e-6; sqrt(19/90 x 1590e-6 / 9)
    assert (found.low, found.high) == pytest.approx((0.011 - half, 0.011 + half))


def _null_scores(rng: np.random.Generator, n: int, repeats: int, folds: int) -> np.ndarray:
    """Differences per fold of two learners that are equally good: each sees its own half of like columns."""
    y = rng.permutation(np.arange(n) % 2)
    x = rng.normal(size=(n, 10)) + 0.4 * (2 * y[:, None] - 1)
    scores = []
    for _ in range(repeats):
        fold = rng.permutation(n) % folds
        for k in range(folds):
            train, test = fold != k, fold == k
            right = []
            for half in (x[:, :5], x[:, 5:]):
                up, down = (half[train & (y == c)].mean(axis=0) for c in (1, 0))
                score = (half[test] - (up + down) / 2) @ (up - down)
                right.append(((score > 0) == y[test]).mean())
            scores.append(right[0] - right[1])
    return np.array(scores)


def test_under_a_true_null_the_naive_t_rejects_often_and_the_corrected_one_seldom() -> None:
    rng = np.random.default_rng(0)
    runs, naive, corrected = 300, 0, 0
    for _ in range(runs):
        scores = _null_scores(rng, 100, 3, 10)
        low, high = (f(nadeau_bengio(scores, 1 / 9, unit=UNIT)) for f in (_low, _high))
        corrected += not low <= 0.0 <= high
        low, high = (f(nadeau_bengio(scores, 0.0, unit=UNIT)) for f in (_low, _high))
        naive += not low <= 0.0 <= high
    assert naive / runs > 0.15
    assert corrected / runs < 0.05 + 3 * sqrt(0.05 * 0.95 / runs)


def _low(measurement: object) -> float:
    return measurement.low  # type: ignore[attr-defined]


def _high(measurement: object) -> float:
    return measurement.high  # type: ignore[attr-defined]


def test_one_split_says_nothing_of_the_spread() -> None:
    with pytest.raises(NotApplicable, match="at least two"):
        nadeau_bengio([0.5], 0.25, unit=UNIT)


def test_folds_that_are_all_right_are_no_certainty() -> None:
    found = cross_validated_mean(np.ones(50, bool), np.arange(50) % 5, 1 / 4, unit=UNIT)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(rate(50, 50).low)


def test_folds_that_differ_widen_the_interval_of_the_pooled_rows() -> None:
    folds = np.repeat(np.arange(5), 40)
    alike = np.tile(np.arange(40) < 32, 5)
    differ = np.concatenate([np.arange(40) < hits for hits in (40, 36, 32, 28, 24)])
    pooled = rate(160, 200)
    by_rows = cross_validated_mean(alike, folds, 1 / 4, unit=UNIT)
    assert (by_rows.low, by_rows.high) == pytest.approx((pooled.low, pooled.high))
    by_folds = cross_validated_mean(differ, folds, 1 / 4, unit=UNIT)
    expected = nadeau_bengio([1.0, 0.9, 0.8, 0.7, 0.6], 1 / 4, unit=UNIT)
    assert by_folds.low == pytest.approx(expected.low)
    assert by_folds.high == 1.0  # a share is no more than all


def test_the_difference_of_two_rates_is_newcombes() -> None:
    from roadworthy.statistics import exact_newcombe

    found = difference_of(rate(297, 300), rate(85, 100), unit=UNIT)
    assert (found.low, found.high) == pytest.approx(tuple(exact_newcombe(297, 300, 85, 100)))


@pytest.mark.parametrize("of_trainings", [0.0, 0.3])
def test_a_mean_over_rows_and_trainings_covers_both_kinds_of_luck(of_trainings: float) -> None:
    rng = np.random.default_rng(1)
    misses = 0
    for _ in range(600):
        values = (
            rng.normal(size=(1, 60))
            + of_trainings * rng.normal(size=(4, 1))
            + 0.5 * rng.normal(size=(4, 60))
        )
        found = crossed_mean(values, unit="points")
        assert found.seeds == 4
        misses += not found.low <= 0.0 <= found.high
    assert misses / 600 < 0.05 + 3 * sqrt(0.05 * 0.95 / 600)


def test_equal_values_leave_no_interval() -> None:
    found = crossed_mean(np.ones((3, 5)), unit="points")
    assert (found.low, found.high) == (1.0, 1.0)
