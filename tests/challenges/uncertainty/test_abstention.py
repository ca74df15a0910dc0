"""Selective risk and conformal coverage against small cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.uncertainty.abstention import (
    area_under_risk,
    conformal_shortfall,
    risk_coverage_curve,
    selective_risk,
)
from roadworthy.challenges.uncertainty.artifacts import conformal_threshold, nonconformity
from roadworthy.errors import NotApplicable
from roadworthy.results import Bars
from roadworthy.statistics import clopper_pearson


def sure(confidence: list[float] | np.ndarray) -> np.ndarray:
    c = np.asarray(confidence)
    return np.stack([c, 1 - c], axis=1)


def test_the_surest_four_fifths_of_ten_rows() -> None:
    # sorted by confidence the two least sure rows (0.55, 0.6) are left out; one of the other eight is wrong
    confidence = [0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    correct = np.array([False, True, True, False, True, True, True, True, True, True])
    measurement = selective_risk(sure(confidence), correct)
    # of two mistakes one is left out
    assert (measurement.value, measurement.n) == (1 / 2, 2)
    assert (measurement.low, measurement.high) == pytest.approx(clopper_pearson(1, 2))
    assert "12.5 % of these rows are wrong" in measurement.details


def test_rows_tied_at_the_cut_are_all_answered() -> None:
    correct = np.arange(10) > 0
    measurement = selective_risk(sure([0.9] * 3 + [0.6] * 7), correct)
    assert (measurement.value, measurement.n) == (1.0, 1)


def test_a_confidence_that_says_nothing_spares_a_fifth_whatever_the_number_of_mistakes() -> None:
    rng = np.random.default_rng(0)
    for error in (0.05, 0.4):
        correct = rng.random(20_000) >= error
        found = selective_risk(sure(rng.uniform(0.5, 1, 20_000)), correct)
        assert found.low <= 0.8 <= found.high


def test_a_model_without_mistakes_has_none_to_leave_out() -> None:
    with pytest.raises(NotApplicable, match="none of 20"):
        selective_risk(sure([1.0] * 20), np.full(20, True))
    assert selective_risk(sure([1.0] * 20), np.full(20, False)).value == 1.0


def test_area_under_the_risk_coverage_curve_is_the_mean_of_its_risks() -> None:
    rng = np.random.default_rng(0)
    confidence, wrong = rng.random(200), rng.random(200) < 0.3
    order = np.argsort(-confidence)
    by_definition = np.mean(np.cumsum(wrong[order]) / np.arange(1, 201))
    area, (low, high) = area_under_risk(confidence, wrong)
    assert area == pytest.approx(by_definition)
    assert low < area < high


def test_area_with_ties_is_the_mean_over_their_orders() -> None:
    # two tied rows, one wrong: risks (1, 1/2) or (0, 1/2) by order, mean (0.75 + 0.25) / 2
    area, _ = area_under_risk(np.array([0.7, 0.7]), np.array([True, False]))
    assert area == pytest.approx(0.5)


def test_the_interval_of_the_area_covers_it() -> None:
    rng = np.random.default_rng(1)
    confidence = np.sort(rng.uniform(0.5, 1.0, 400))
    draws = [area_under_risk(confidence, rng.random(400) > confidence) for _ in range(300)]
    truth = np.mean([area for area, _ in draws])
    covered = np.mean([low <= truth <= high for _, (low, high) in draws])
    assert covered >= 0.92


def test_the_curve_ends_at_the_error_rate_of_all_rows() -> None:
    rng = np.random.default_rng(2)
    wrong = rng.random(97) < 0.2
    curve = risk_coverage_curve(rng.random(97), wrong)
    assert curve.series[0].x[-1] == 1.0
    assert curve.series[0].y[-1] == pytest.approx(wrong.mean(), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_permuting_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, correct = sure(np.round(rng.random(40), 1)), rng.random(40) < 0.7
    rows = rng.permutation(40)
    first, other = selective_risk(p, correct), selective_risk(p[rows], correct[rows])
    assert (first.value, first.n, first.details) == (other.value, other.n, other.details)


def test_the_threshold_is_the_ceiling_of_nine_tenths_of_n_plus_one() -> None:
    # n = 19: 0.9 x 20 = 18, the 18th smallest of 0..18 is 17
    assert conformal_threshold(np.arange(19.0)[::-1].copy()) == 17.0
    assert conformal_threshold(np.arange(9.0)) == 8.0  # 0.9 x 10 = 9, the largest of nine
    with pytest.raises(NotApplicable, match="at least 9"):
        conformal_threshold(np.arange(8.0))


def test_nonconformity_of_classes_and_of_numbers() -> None:
    p = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert nonconformity(p, np.array([1, 1])) == pytest.approx([0.2, 0.6])
    assert nonconformity(residuals=np.array([-2.0, 1.0])) == pytest.approx([2.0, 1.0])
    with pytest.raises(NotApplicable):
        nonconformity(p)


def test_shortfall_is_target_minus_coverage_with_sizes_of_sets() -> None:
    p = sure([0.9, 0.7, 0.6, 0.5, 0.2])
    missed = np.array([0.1, 0.3, 0.4, 0.5, 0.8])
    measurement = conformal_shortfall(0.45, missed, np.zeros(30), p)
    assert measurement.value == pytest.approx(0.9 - 3 / 5)
    low, high = clopper_pearson(3, 5)
    assert (measurement.low, measurement.high) == pytest.approx((0.9 - high, 0.9 - low))
    sizes = measurement.evidence[0]
    assert isinstance(sizes, Bars)
    # a class is in the set from a probability of 0.55 on: rows 1, 2, 3 and 5 (its second class), not row 4
    assert dict(zip(sizes.labels, sizes.values, strict=True)) == {"0": 1, "1": 4}


def test_a_numeric_target_needs_no_probabilities() -> None:
    measurement = conformal_shortfall(3.0, np.arange(10.0), np.arange(40.0))
    assert measurement.value == pytest.approx(0.9 - 0.4)
    assert "± 3" in measurement.details


def test_coverage_is_kept_where_validation_and_test_come_from_one_place() -> None:
    rng = np.random.default_rng(5)
    kept = [
        conformal_shortfall(conformal_threshold(v := rng.normal(size=200)), rng.normal(size=500), v)
        for _ in range(200)
    ]
    assert np.mean([m.value for m in kept]) == pytest.approx(0.0, abs=0.005)
