"""The calibration error by cells: oracles by hand, its luck, and its limits at the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.challenges.uncertainty.reliability import (
    binary_claims,
    calibration_error_of,
    cells_of_like_claims,
    classwise_claims,
    null_floor,
    top_label_claims,
)
from roadworthy.statistics import interval_of


def drawn(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random((len(p), 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def unsure_model(n: int, c: int, rng: np.random.Generator, scale: float = 2.0) -> np.ndarray:
    z = rng.normal(size=(n, c)) * scale
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def test_the_uncorrected_error_of_two_cells_worked_by_hand() -> None:
    # 40 rows claimed 0.6 of which 32 happen (20 points too low), 60 rows claimed 0.9 of which 45 do (15 too high):
    # 0.4 x 0.2 + 0.6 x 0.15 = 0.17.
    claimed = np.repeat([0.6, 0.9], [40, 60])
    happened = np.concatenate([np.arange(40) < 32, np.arange(60) < 45])
    p = np.stack([1 - claimed, claimed], axis=1)
    error = calibration_error_of(top_label_claims(p, happened.astype(np.int64)))
    assert error.plugged_in == pytest.approx(0.17)
    # luck: sqrt(2/pi) (sqrt(40 x .24) + sqrt(60 x .09)) / 100
    assert error.floor == pytest.approx(np.sqrt(2 / np.pi) * (9.6**0.5 + 5.4**0.5) / 100)


def test_with_one_cell_the_error_is_the_distance_of_mean_confidence_from_accuracy() -> None:
    p = np.tile([0.3, 0.7], (50, 1))
    labels = (np.arange(50) < 40).astype(np.int64)
    error = calibration_error_of(top_label_claims(p, labels))
    assert error.plugged_in == pytest.approx(0.1)
    assert error.value == pytest.approx(0.1)


def test_the_floor_is_what_simulated_calibrated_labels_show() -> None:
    rng = np.random.default_rng(0)
    p = unsure_model(800, 4, rng)
    for claims_of in (top_label_claims, classwise_claims):
        shown = [calibration_error_of(claims_of(p, drawn(p, rng))).plugged_in for _ in range(200)]
        assert null_floor(claims_of(p, drawn(p, rng))) == pytest.approx(np.mean(shown), rel=0.08)


def test_two_classes_give_the_same_number_by_class_as_by_the_positive_class() -> None:
    rng = np.random.default_rng(1)
    p = unsure_model(500, 2, rng)
    labels = drawn(p, rng)
    by_class = calibration_error_of(classwise_claims(p, labels))
    positive = calibration_error_of(binary_claims(p[:, 1], labels == 1))
    assert by_class.plugged_in == pytest.approx(positive.plugged_in, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(20, 300))
def test_permuting_rows_or_classes_changes_nothing(seed: int, c: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = unsure_model(n, c, rng)
    labels = drawn(p, rng)
    rows, classes = rng.permutation(n), rng.permutation(c)
    place = np.argsort(classes)
    for claims_of in (top_label_claims, classwise_claims):
        first = calibration_error_of(claims_of(p, labels))
        for other in (claims_of(p[rows], labels[rows]), claims_of(p[:, classes], place[labels])):
            again = calibration_error_of(other)
            assert again.value == pytest.approx(first.value, abs=1e-9)
            assert interval_of(again.distribution) == pytest.approx(
                interval_of(first.distribution), abs=1e-9
            )


def test_equal_claims_share_a_cell_and_groups_never_do() -> None:
    claimed = np.repeat([0.2, 0.5, 0.8], 100)
    groups = np.tile([0, 1], 150)
    cells = cells_of_like_claims(claimed, groups)
    assert len({(a, b) for a, b in zip(claimed, cells, strict=True)}) == len(set(cells.tolist()))
    assert not set(cells[groups == 0].tolist()) & set(cells[groups == 1].tolist())


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("certain", [True, False])
def test_extreme_probabilities_have_an_interval_that_holds_what_is_known(
    right: bool, certain: bool
) -> None:
    claim = 1.0 if certain else 0.5
    labels = np.full(50, int(right))
    error = calibration_error_of(binary_claims(np.full(50, claim), labels == 1))
    low, high = interval_of(error.distribution)
    truth = abs(claim - float(right))
    assert low <= truth <= high
    assert high - low > 0.02  # 50 rows cannot know more: 1 - 0.025^(1/50) = 0.071
    assert high - low < 0.5


def test_the_limits_hold_at_the_truth_for_errors_of_three_shapes() -> None:
    """Of 600 subjects with a true error of 0.05, at most 2.5 % on either side (3.5 % in this sample)."""
    rng = np.random.default_rng(3)
    n, s = 600, 0.05
    outside = {"even": np.zeros(2), "one half": np.zeros(2), "both ways": np.zeros(2)}
    for name, missed in outside.items():
        for _ in range(600):
            claimed = rng.uniform(0.6, 0.9, n)
            short = {
                "even": np.full(n, s),
                "one half": np.where(claimed > 0.75, 2 * s, 0.0),
                "both ways": np.where(claimed > 0.75, s, -s),
            }[name]
            happened = rng.random(n) < claimed - short
            p = np.stack([1 - claimed, claimed], axis=1)
            error = calibration_error_of(top_label_claims(p, happened.astype(np.int64)))
            low, high = interval_of(error.distribution)
            missed += (low > s, high < s)
        assert (missed / 600 <= 0.035).all(), f"{name}: {missed / 600}"
