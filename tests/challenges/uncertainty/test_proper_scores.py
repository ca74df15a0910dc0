"""Brier score and log loss against the class shares, with scikit-learn as oracle."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from roadworthy.challenges.uncertainty.proper_scores import (
    relative_brier_score,
    relative_log_loss,
)
from roadworthy.errors import NotApplicable
from roadworthy.results import Intervals
from roadworthy.subject import Task

BINARY = Task("binary", ("no", "yes"), 1)
THREE = Task("multiclass", ("a", "b", "c"))


def a_model(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 2], n)
    return p, (rng.random((n, 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1)


def scores(measurement: object) -> tuple[float, float]:
    evidence = measurement.evidence[0]  # type: ignore[attr-defined]
    assert isinstance(evidence, Intervals)
    return tuple(float(v) for v in evidence.values)  # type: ignore[return-value]


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    chance, labels = np.array([0.1, 0.4, 0.8, 0.9, 0.3]), np.array([0, 0, 1, 1, 1])
    measurement = relative_brier_score(np.stack([1 - chance, chance], 1), labels, BINARY)
    # summed over both classes it is twice the usual binary number
    assert scores(measurement)[0] == pytest.approx(2 * brier_score_loss(labels, chance))


def test_the_log_loss_is_that_of_scikit_learn() -> None:
    p, labels = a_model()
    losses = -np.log(p[np.arange(len(labels)), labels])
    measurement = relative_log_loss(losses, labels, THREE)
    assert scores(measurement)[0] == pytest.approx(log_loss(labels, p))


def test_the_class_shares_themselves_score_one_and_the_truth_scores_nothing() -> None:
    labels = np.repeat([0, 1, 2], [20, 30, 50])
    shares = (np.array([20, 30, 50]) + 0.5) / 101.5
    known = np.tile(shares, (100, 1))
    assert relative_brier_score(known, labels, THREE).value == pytest.approx(1.0)
    perfect = relative_brier_score(np.eye(3)[labels], labels, THREE)
    assert (perfect.value, perfect.low) == (0.0, 0.0)
    assert 0.0 < perfect.high < 0.2  # 100 rows without a mistake do not prove that there is none


def test_the_class_shares_are_those_of_training_where_known() -> None:
    labels = np.array([0, 1] * 50)
    wrong_shares = np.array([0] * 99 + [1])
    p = np.full((100, 2), 0.5)
    beside_own = relative_brier_score(p, labels, BINARY)
    beside_training = relative_brier_score(p, labels, BINARY, wrong_shares)
    assert beside_own.value == pytest.approx(1.0)
    assert beside_training.value < 0.6  # shares of 99:1 are a bad forecast of 50:50


def test_permuting_rows_changes_nothing() -> None:
    p, labels = a_model()
    rows = np.random.default_rng(1).permutation(len(labels))
    first, other = (
        relative_brier_score(p, labels, THREE),
        relative_brier_score(p[rows], labels[rows], THREE),
    )
    assert (other.value, other.low, other.high) == pytest.approx(
        (first.value, first.low, first.high)
    )


def test_labels_that_were_given_no_chance_are_counted_and_keep_the_loss_finite() -> None:
    labels = np.array([0, 1] * 30)
    losses = np.where(np.arange(60) < 2, 36.04, 0.1)
    measurement = relative_log_loss(losses, labels, BINARY)
    assert "2 of 60 labels had been given a probability of zero" in measurement.details


def test_one_class_is_no_test_of_probabilities() -> None:
    with pytest.raises(NotApplicable, match="two classes"):
        relative_brier_score(np.full((20, 2), 0.5), np.zeros(20, int), BINARY)
