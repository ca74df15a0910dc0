"""Likeness of explanations: Spearman's as scipy's, and scrambled weights."""

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn

from roadworthy.attribution.likeness import rank_correlations, scrambled


def test_as_scipy_with_ties_and_with_values_left_out() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, (6, 30)).astype(float), rng.normal(size=(6, 30))
    seen = rng.random((6, 30)) < 0.6
    whole, part = rank_correlations(one, other), rank_correlations(one, other, seen)
    for i in range(6):
        assert np.isclose(whole[i], spearmanr(one[i], other[i]).statistic)
        assert np.isclose(part[i], spearmanr(one[i][seen[i]], other[i][seen[i]]).statistic)


def test_ties_at_the_reference_would_look_like_agreement() -> None:
    rng = np.random.default_rng(0)
    far = np.where(rng.random((50, 200)) < 0.5, 0.0, rng.random((50, 200)))
    one, other = (far * rng.normal(size=far.shape) for _ in range(2))
    naive = rank_correlations(np.abs(one), np.abs(other)).mean()
    honest = rank_correlations(one, other, far > 0).mean()
    assert naive > 0.7  # two explanations that share nothing but the background
    assert abs(honest) < 0.05


def test_nothing_to_rank_is_no_number() -> None:
    one = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    seen = np.array([[True, True, False], [True, True, True]])
    assert np.isnan(rank_correlations(one, one[::-1].copy(), seen)).all()


def test_scrambled_weights_are_the_same_numbers_elsewhere() -> None:
    layer = nn.Linear(6, 4)
    found = scrambled(layer, 3)
    again = scrambled(layer, 3)
    assert torch.equal(found.weight, again.weight)
    assert not torch.equal(found.weight, layer.weight)
    assert torch.equal(found.weight.flatten().sort().values, layer.weight.flatten().sort().values)
