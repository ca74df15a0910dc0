"""The checks of calibration on small cases."""

import numpy as np
import pytest

from roadworthy.challenges.uncertainty.calibration import (
    calibration_error,
    classwise_calibration_error,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Bars, Curve, Intervals
from roadworthy.statistics import judge
from roadworthy.subject import Task

BINARY = Task("binary", ("no", "yes"), 1)
THREE = Task("multiclass", ("a", "b", "c"))
BOUND = AtMost(0.05, "test")


def two(chance: np.ndarray) -> np.ndarray:
    return np.stack([1 - chance, chance], axis=1)


def test_a_calibrated_model_of_five_thousand_rows_passes() -> None:
    rng = np.random.default_rng(0)
    chance = rng.beta(0.5, 0.5, 5_000)
    measurement = calibration_error(two(chance), (rng.random(5_000) < chance).astype(int), BINARY)
    assert judge(measurement, BOUND).verdict == "pass"
    assert measurement.value < 0.02


def test_probabilities_pushed_to_the_ends_fail_and_the_picture_shows_it() -> None:
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.2, 0.8, 3_000)
    labels = (rng.random(3_000) < chance).astype(int)
    pushed = chance**3 / (chance**3 + (1 - chance) ** 3)
    measurement = calibration_error(two(pushed), labels, BINARY)
    assert judge(measurement, BOUND).verdict == "fail"
    curve = measurement.evidence[0]
    assert isinstance(curve, Curve)
    assert curve.reference == "diagonal"
    low_end, high_end = curve.series[0].y[0], curve.series[0].y[-1]
    assert low_end is not None
    assert high_end is not None
    assert low_end > curve.series[0].x[0]
    assert high_end < curve.series[0].x[-1]


def test_over_confidence_at_both_ends_is_seen_though_the_mean_claim_is_right() -> None:
    # claims 0.1 and 0.9 where 0.25 and 0.75 happen: prevalence is right, calibration is 15 points off
    rng = np.random.default_rng(2)
    high = rng.random(4_000) < 0.5
    labels = (rng.random(4_000) < np.where(high, 0.75, 0.25)).astype(int)
    measurement = calibration_error(two(np.where(high, 0.9, 0.1)), labels, BINARY)
    assert measurement.value == pytest.approx(0.15, abs=0.02)
    assert judge(measurement, BOUND).verdict == "fail"


def test_the_positive_class_may_be_the_first_one() -> None:
    rng = np.random.default_rng(3)
    chance = rng.uniform(0, 1, 400)
    labels = (rng.random(400) < chance**2).astype(int)
    first = calibration_error(two(chance), labels, BINARY)
    other = calibration_error(two(1 - chance), 1 - labels, Task("binary", ("yes", "no"), 0))
    assert (other.value, other.low, other.high) == pytest.approx(
        (first.value, first.low, first.high)
    )


def test_ten_rows_leave_the_verdict_open_or_below_the_least_n() -> None:
    rng = np.random.default_rng(4)
    chance = rng.uniform(0.4, 0.6, 10)
    measurement = calibration_error(two(chance), (rng.random(10) < chance).astype(int), BINARY)
    assert judge(measurement, BOUND, least=100).verdict == "inconclusive"
    assert judge(measurement, BOUND).verdict == "inconclusive"


def test_one_row_is_no_calibration() -> None:
    with pytest.raises(NotApplicable, match="at least two"):
        calibration_error(two(np.array([0.4])), np.array([1]), BINARY)


def test_one_class_alone_in_the_labels_is_measured() -> None:
    measurement = calibration_error(two(np.full(300, 0.9)), np.ones(300, int), BINARY)
    assert measurement.low <= 0.1 <= measurement.high


def test_two_classes_have_no_classwise_error_of_their_own() -> None:
    with pytest.raises(NotApplicable, match="same number"):
        classwise_calibration_error(two(np.full(3, 0.5)), np.array([0, 1, 1]), BINARY)


def test_the_class_that_is_claimed_too_often_is_named() -> None:
    rng = np.random.default_rng(5)
    truth = np.tile([0.2, 0.3, 0.5], (3_000, 1))
    labels = (rng.random((3_000, 1)) >= truth.cumsum(axis=1)[:, :-1]).sum(axis=1)
    claimed = np.tile([0.2, 0.15, 0.65], (3_000, 1))
    measurement = classwise_calibration_error(claimed, labels, THREE)
    assert measurement.value == pytest.approx(0.15, abs=0.02)  # half of 0.15 + 0.15
    errors, bias = measurement.evidence
    assert isinstance(errors, Bars)
    assert errors.values[2] == pytest.approx(0.15, abs=0.03)
    assert sum(errors.values) / 2 == pytest.approx(measurement.value, abs=0.02)
    assert measurement.details.startswith('Class "c" is furthest off')
    assert isinstance(bias, Intervals)
    assert bias.labels == ("a", "b", "c")
    assert bias.values[2] == pytest.approx(0.15, abs=0.03)
    assert bias.lows[0] < 0 < bias.highs[0]
