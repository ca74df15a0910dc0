"""The checks of generalization on cases worked by hand, at their edges, and under permutation."""

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

from roadworthy.challenges.generalization.checks import (
    errors_left,
    overfitting_gap,
    parameters_per_row,
    ranking_error,
    shortfall_to_simple_models,
    underfitting,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Intervals
from roadworthy.statistics import exact_newcombe, judge
from roadworthy.subject import Task

BINARY = Task("binary", ("no", "yes"), 1)
THREE = Task("multiclass", ("a", "b", "c"))
NUMBER = Task("regression")


def right(hits: int, n: int) -> np.ndarray:
    return np.arange(n) < hits


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_gap_is_train_minus_test_with_newcombes_interval_and_all_splits_beside_it() -> None:
    measurement = overfitting_gap(right(297, 300), right(85, 100), right(90, 100))
    assert measurement.value == pytest.approx(0.14)
    low, high = exact_newcombe(297, 300, 85, 100)
    assert (measurement.low, measurement.high) == pytest.approx((low, high))
    shown = measurement.evidence[0]
    assert isinstance(shown, Intervals)
    assert shown.labels == ("train", "validation", "test")
    assert shown.values == pytest.approx((0.99, 0.9, 0.85))
    assert "test: 85.0 % right" in measurement.details


def test_the_gap_of_a_numeric_target_is_a_difference_of_means() -> None:
    r = rng()
    train, test = r.normal(0.7, 0.2, 2_000), r.normal(0.5, 0.4, 1_000)
    measurement = overfitting_gap(train, test)
    welch = ttest_ind(train, test, equal_var=False).confidence_interval()
    assert measurement.value == pytest.approx(train.mean() - test.mean())
    assert (measurement.low, measurement.high) == pytest.approx((welch.low, welch.high), abs=0.002)
    assert "median" in measurement.unit


@pytest.mark.parametrize("hits", [0, 10])
def test_ten_rows_all_right_or_all_wrong_leave_the_gap_open(hits: int) -> None:
    measurement = overfitting_gap(right(hits, 10), right(hits, 10))
    assert measurement.value == 0.0
    assert judge(measurement, AtMost(0.1, "test")).verdict == "inconclusive"


def test_no_test_rows_no_gap() -> None:
    with pytest.raises(NotApplicable):
        overfitting_gap(right(5, 10), right(0, 0))


def test_underfitting_compares_only_the_rows_that_the_simple_model_was_tried_on() -> None:
    train_merit = np.array([True] * 50 + [False] * 150)
    rows = np.arange(100)  # the model: 50 of these right
    simple = {"linear": np.ones(100, bool), "boosting": np.zeros(100, bool)}
    measurement = underfitting(train_merit, simple, "linear", rows)
    assert (measurement.value, measurement.n) == (0.5, 100)
    ahead = underfitting(train_merit, simple, "boosting", rows)
    assert ahead.value == -0.5


def test_the_shortfall_shows_all_rivals_and_the_constant_answer() -> None:
    model = right(80, 100)
    simple = {"linear": right(82, 100), "boosting": right(90, 100)}
    measurement = shortfall_to_simple_models(
        model, simple, "boosting", (~right(60, 100)).astype(float)
    )
    assert measurement.value == pytest.approx(0.1)
    shown = measurement.evidence[0]
    assert isinstance(shown, Intervals)
    assert dict(zip(shown.labels, shown.values, strict=True)) == pytest.approx(
        {"model under audit": 0.8, "linear": 0.82, "boosting": 0.9, "same answer always": 0.6}
    )


def test_a_model_that_is_the_simple_model_falls_short_of_nothing() -> None:
    merit = right(700, 1000)
    measurement = shortfall_to_simple_models(merit, {"linear": merit, "boosting": merit}, "linear")
    assert measurement.value == 0.0
    assert measurement.low <= 0.0 <= measurement.high


def test_errors_left_is_the_ratio_of_mistakes() -> None:
    labels = np.repeat([0, 1, 2], [40, 30, 30])
    predicted = np.where(np.arange(100) % 10 == 0, (labels + 1) % 3, labels)
    measurement = errors_left(
        (predicted != labels).astype(float), (labels != 0).astype(float), THREE
    )
    assert measurement.value == pytest.approx(10 / 60)
    assert 0.05 < measurement.low < measurement.value < measurement.high < 0.35


def test_no_mistake_left_still_has_an_upper_limit() -> None:
    # none of 100 wrong: rate at most 1 - 0.025^(1/100) = 0.0362, over the guess's 0.5
    measurement = errors_left(np.zeros(100), np.repeat([0.0, 1.0], 50), BINARY)
    assert (measurement.value, measurement.low) == (0.0, 0.0)
    assert measurement.high == pytest.approx(0.0362 / 0.5, abs=1e-3)


def test_a_model_that_is_the_constant_answer_leaves_all_mistakes() -> None:
    guess = np.repeat([0.0, 1.0], 50)
    measurement = errors_left(guess, guess, BINARY)
    assert measurement.value == 1.0
    assert measurement.low <= 1.0 <= measurement.high
    assert judge(measurement, AtMost(0.9, "test")).verdict != "pass"


def test_a_single_class_leaves_nothing_to_compare_with() -> None:
    with pytest.raises(NotApplicable, match="no mistake"):
        errors_left(np.ones(20), np.zeros(20), BINARY)


def test_ranking_error_is_one_minus_the_area_under_the_roc_curve() -> None:
    r = np.random.default_rng(2)
    labels = r.integers(0, 2, 200)
    scores = labels + r.normal(size=200)
    measurement = ranking_error(scores, labels, BINARY)
    assert measurement.value == pytest.approx(1 - roc_auc_score(labels, scores))
    assert measurement.low < measurement.value < measurement.high
    swapped = ranking_error(-scores, labels, Task("binary", ("no", "yes"), 0))
    assert swapped.value == pytest.approx(measurement.value)


def test_ranking_needs_two_classes_in_the_task_and_in_the_rows() -> None:
    with pytest.raises(NotApplicable, match="two classes"):
        ranking_error(np.zeros(9), np.zeros(9, int), THREE)
    with pytest.raises(NotApplicable):
        ranking_error(np.zeros(9), np.zeros(9, int), BINARY)


def test_copies_and_entities_count_once_and_running_statistics_are_no_parameters() -> None:
    weights = {
        "layer.weight": np.zeros((3, 4)),
        "layer.bias": np.zeros(3),
        "bn.running_mean": np.zeros(3),
        "bn.num_batches_tracked": np.zeros(()),
    }
    hashes = np.array([[1, 1], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5]], np.uint64)
    assert parameters_per_row(weights, hashes).value == 3.0  # 15 over 5 different rows
    by_person = parameters_per_row(weights, hashes, np.array([0, 0, 0, 1, 1, 2]))
    assert by_person.value == 5.0
    assert "3 entities" in by_person.details


def test_permuting_rows_changes_nothing() -> None:
    r = np.random.default_rng(3)
    a, b = r.random(200) < 0.8, r.random(200) < 0.7
    rows = r.permutation(200)
    simple = {"linear": a, "boosting": b}
    moved = {name: m[rows] for name, m in simple.items()}
    first = shortfall_to_simple_models(b, simple, "linear")
    other = shortfall_to_simple_models(b[rows], moved, "linear")
    assert (first.value, first.low, first.high) == (other.value, other.low, other.high)
    gap, again = overfitting_gap(a, b), overfitting_gap(a[rows], b[rows])
    assert (gap.low, gap.high) == (again.low, again.high)
