"""Wrong labels: estimated rate, honest intervals, ranking."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.cross_fitting import (
    cross_fitted_probabilities,
    stratified_folds,
)
from roadworthy.challenges.data_quality.label_errors import (
    label_errors_in_test,
    label_errors_in_train,
)
from roadworthy.challenges.data_quality.label_noise import (
    confident_disagreement,
    fit_noise,
    noise_rate,
    suspicion,
)
from roadworthy.errors import NotApplicable
from roadworthy.subject import Task

CLASSES = 4
TASK = Task("multiclass", tuple("abcd"))


def model(n: int, sharpness: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, CLASSES))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1)[:, :-1] < rng.random((n, 1))).sum(axis=1)
    return p, labels


def flipped(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + rng.integers(1, CLASSES, len(rows))) % CLASSES
    return wrong, rows


def measured(p: np.ndarray, labels: np.ndarray):
    fit = fit_noise(p[None], labels, np.random.default_rng(0))
    return noise_rate(fit, labels, unit="share of labels")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_a_sharp_model_estimates_the_share_of_flipped_labels(share: float) -> None:
    p, labels = model(4000, 8.0, 1)
    wrong, _ = flipped(labels, share, 2)
    found = measured(p, wrong)
    assert found.value == pytest.approx(share, abs=0.008)
    assert found.low <= share <= found.high
    assert found.high - found.low < 0.06


def test_an_overconfident_model_is_recalibrated_first() -> None:
    p, labels = model(4000, 5.0, 3)
    sharp = p**4 / (p**4).sum(axis=1, keepdims=True)  # says .99 where .9 is true
    assert measured(sharp, labels).low < 0.005


def test_a_weak_model_is_wide_and_does_not_accuse() -> None:
    p, labels = model(2000, 1.0, 4)  # right on half of its own draws
    found = measured(p, labels)
    assert (p.argmax(axis=1) != labels).mean() > 0.3  # what a count of contradictions would say
    assert found.low == 0.0
    assert found.high > 0.05


def test_errors_that_follow_the_class_are_kept_from_passing() -> None:
    # half of class a is labelled b; a model that has learnt it is calibrated to it
    p, labels = model(4000, 8.0, 5)
    moved = p.copy()
    moved[:, 1] += 0.5 * moved[:, 0]
    moved[:, 0] *= 0.5
    wrong = np.where((labels == 0) & (np.random.default_rng(6).random(4000) < 0.5), 1, labels)
    assert measured(moved, wrong).high > 0.03


def test_confident_disagreement_asks_half_of_each_predicted_class() -> None:
    clean = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.55, 0.45], [0.1, 0.9], [0.4, 0.6]])
    # predicted a: rows 0 to 3, the confident half 0 and 1; predicted b: rows 4, 5, the half is 4
    labels = np.array([0, 1, 1, 1, 1, 0])
    assert confident_disagreement(clean, labels) == (1, 3)


def test_flipped_labels_come_first_in_the_ranking() -> None:
    p, labels = model(2000, 8.0, 7)
    wrong, rows = flipped(labels, 0.03, 8)
    first = np.argsort(-suspicion(p, wrong))[:60]
    assert np.isin(first, rows).mean() > 0.7


def test_names_of_classes_do_not_matter() -> None:
    p, labels = model(1000, 5.0, 9)
    names = np.array([3, 1, 0, 2])
    renamed = np.empty_like(p)
    renamed[:, names] = p
    one, other = measured(p, labels), measured(renamed, names[labels])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    centres = 4 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    return (centres[labels] + rng.normal(size=(n, 2))).astype(np.float32), labels


def test_label_errors_in_train_end_to_end() -> None:
    features, labels = blobs(1200, 0)
    wrong, rows = flipped(labels, 0.08, 1)
    p = cross_fitted_probabilities(features, wrong, TASK, np.random.default_rng(0))
    assert p.shape == (2, 1200, CLASSES)
    assert p.sum(axis=2) == pytest.approx(1.0)
    found = label_errors_in_train(p, wrong, TASK, np.random.default_rng(0))
    assert found.low > 0.03
    assert found.low <= 0.08 <= found.high
    named = [e.row for e in found.evidence[0].examples]
    assert np.isin(named, rows).mean() > 0.9


def test_clean_labels_do_not_fail() -> None:
    features, labels = blobs(1200, 2)
    p = cross_fitted_probabilities(features, labels, TASK, np.random.default_rng(0))
    found = label_errors_in_train(p, labels, TASK, np.random.default_rng(0))
    assert found.low <= 0.001
    assert found.high < 0.03


def test_folds_hold_every_class_alike() -> None:
    labels = np.repeat([0, 1], [50, 7])
    fold = stratified_folds(labels, 5, np.random.default_rng(0))
    assert sorted(np.bincount(fold[labels == 0]).tolist()) == [10] * 5
    assert sorted(np.bincount(fold[labels == 1]).tolist()) == [1, 1, 1, 2, 2]


def test_one_class_and_ten_rows_are_not_applicable() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(NotApplicable, match="two classes"):
        cross_fitted_probabilities(np.zeros((100, 2)), np.zeros(100, int), TASK, rng)
    with pytest.raises(NotApplicable, match="10 training rows"):
        cross_fitted_probabilities(np.zeros((10, 2)), np.arange(10) % 2, TASK, rng)
    with pytest.raises(NotApplicable, match="50 rows"):
        label_errors_in_test(np.full((10, 4), 0.25), np.arange(10) % 4, TASK, rng)
