"""Losses against scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from roadworthy.errors import UserError
from roadworthy.training.objective import (
    adjusted_cross_entropy,
    cross_entropy,
    cross_entropy_of_probabilities,
    gives_probabilities,
    logit_shift,
    relative_weights,
    squared_error,
    with_classes,
)

RNG = np.random.default_rng(0)
LABELS = torch.tensor(RNG.integers(0, 3, 40))


def test_cross_entropy_is_the_log_loss_of_scikit_learn() -> None:
    logits = torch.tensor(RNG.normal(size=(40, 3)))
    expected = log_loss(LABELS.numpy(), logits.softmax(1).numpy(), labels=[0, 1, 2])
    assert float(cross_entropy(logits, LABELS, 0.0)) == pytest.approx(expected)
    of_shares = cross_entropy_of_probabilities(logits.softmax(1), LABELS, 0.0)
    assert float(of_shares) == pytest.approx(expected)


def test_members_are_averaged_in_loss_not_in_logits() -> None:
    logits = torch.tensor(RNG.normal(size=(40, 5, 3)))
    each = [float(cross_entropy(logits[:, m], LABELS, 0.0)) for m in range(5)]
    assert float(cross_entropy(logits, LABELS, 0.0)) == pytest.approx(np.mean(each))


def test_a_single_output_stands_for_class_one() -> None:
    log_odds = torch.tensor([[2.0], [-1.0]])
    assert with_classes(log_odds).tolist() == [[[0, 2]], [[0, -1]]]
    assert with_classes(log_odds[:, 0]).tolist() == [[[0, 2]], [[0, -1]]]
    shares = torch.tensor([[0.8], [0.3]], dtype=torch.float64)
    expected = np.log([[[0.2, 0.8]], [[0.7, 0.3]]])
    assert with_classes(shares, probabilities=True).numpy() == pytest.approx(expected)


def test_squared_error_by_hand() -> None:
    target = torch.tensor([1.0, 3.0])
    assert float(squared_error(2.0)(torch.tensor([2.0, 7.0]), target, 0.0)) == (1 + 16) / 4 / 2
    members = torch.tensor([[2.0, 1.0], [7.0, 3.0]])
    assert float(squared_error(2.0)(members, target, 0.0)) == (1 + 0 + 16 + 0) / 4 / 4


def test_probabilities_are_told_from_logits() -> None:
    logits = torch.tensor(RNG.normal(size=(40, 3)))
    assert gives_probabilities(logits.softmax(1))
    assert not gives_probabilities(logits)
    assert not gives_probabilities(logits.log_softmax(1))
    assert gives_probabilities(torch.sigmoid(logits[:, :1] / 3))
    assert not gives_probabilities(torch.full((40, 1), 0.05))
    assert not gives_probabilities(logits[:, None].expand(-1, 2, -1).softmax(-1))


def test_weights_of_rows_are_those_of_scikit_learn() -> None:
    logits, weights = torch.tensor(RNG.normal(size=(40, 3))), RNG.uniform(0, 2, 40)
    given = relative_weights(weights)
    assert given.mean() == pytest.approx(1)
    expected = log_loss(
        LABELS.numpy(), logits.softmax(1).numpy(), labels=[0, 1, 2], sample_weight=weights
    )
    found = cross_entropy(logits, LABELS, 0.0, torch.tensor(given))
    assert float(found) == pytest.approx(expected)
    for smoothing in (0.0, 0.2):
        ones = cross_entropy(logits, LABELS, smoothing, torch.ones(40))
        assert float(ones) == pytest.approx(float(cross_entropy(logits, LABELS, smoothing)))
    members, target = torch.tensor([[2.0, 1.0], [7.0, 3.0]]), torch.tensor([1.0, 3.0])
    found = squared_error(2.0)(members, target, 0.0, torch.tensor([0.5, 1.5]))
    assert float(found) == (0.5 * 1 + 1.5 * 16) / 4 / 4


@pytest.mark.parametrize("weights", [[1, -1], [1, np.nan], [0, 0]])
def test_weights_that_cannot_count_are_refused(weights: list[float]) -> None:
    with pytest.raises(UserError, match="must be finite, at least 0 and not all 0, but"):
        relative_weights(np.array(weights))


def test_logit_adjustment_by_the_formula() -> None:
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    logits = torch.tensor(RNG.normal(size=(10, 3)))
    # Menon et al. 2021, equation 10: -log(e^(f_y + tau log pi_y) / sum_j e^(f_j + tau log pi_j))
    shares = np.array([0.6, 0.3, 0.1])
    weighed = np.exp(logits.numpy()) * shares**0.7
    expected = -np.log(weighed[np.arange(10), labels] / weighed.sum(axis=1)).mean()
    shift = logit_shift(labels, 3, 0.7)
    found = adjusted_cross_entropy(shift, probabilities=False)(logits, labels, 0.0)
    assert float(found) == pytest.approx(expected)
    of_shares = adjusted_cross_entropy(shift, probabilities=True)
    assert float(of_shares(logits.softmax(1), labels, 0.0)) == pytest.approx(expected)
    assert logit_shift(labels, 4, 1.0)[3] == pytest.approx(np.log(0.05))
