"""Randomized smoothing against the closed form of a linear classifier."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.certify.smoothing import Smoothing, least_samples, votes
from roadworthy.perturbation.model import AttackedModel
from roadworthy.perturbation.noise import RowNoise
from roadworthy.statistics import clopper_pearson


def linear(n: int = 40) -> tuple[nn.Linear, Points, np.ndarray]:
    """A linear network of two classes, its rows, and their distance to the boundary."""
    torch.manual_seed(0)
    module = nn.Linear(6, 2).requires_grad_(False)
    inputs = torch.randn(n, 6)
    logits = module(inputs)
    weight = module.weight[1] - module.weight[0]
    distance = (logits[:, 1] - logits[:, 0]).abs() / weight.norm()
    noise = RowNoise(np.arange(n, dtype=np.uint64) * 977 + 5, 0)
    return module, Points(inputs, logits.argmax(1), noise), distance.numpy().astype(float)


def radii(smoothing: Smoothing, hits: Tensor) -> np.ndarray:
    n = np.full(len(hits), float(smoothing.samples))
    level = 1 - 2 * smoothing.alpha
    return smoothing.radius(np.asarray(clopper_pearson(hits.numpy().astype(float), n, level).low))


def test_the_certified_radius_is_the_margin_of_a_linear_classifier_and_never_beyond() -> None:
    module, rows, distance = linear()
    smoothing = Smoothing(0.5, 1000, 4000)
    guessed, hits = votes(AttackedModel(module, 2), rows, smoothing)
    # Under Gaussian noise of sigma, a linear classifier answers as without it with probability Phi(distance / sigma).
    clear = distance > 0.1
    assert torch.equal(guessed[torch.from_numpy(clear)], rows.labels[torch.from_numpy(clear)])
    share = hits.numpy() / 4000
    assert np.abs(share - norm.cdf(distance / 0.5))[clear].max() < 0.035
    radius = radii(smoothing, hits)
    assert (radius[clear] <= distance[clear] + 1e-9).all()  # alpha .001 on 40 rows
    reachable = clear & (distance < 0.8)  # beyond, 4,000 samples bound the radius
    assert reachable.sum() > 10
    assert (distance - radius)[reachable].max() < 0.15


def test_noise_belongs_to_the_row_in_any_company() -> None:
    module, rows, _ = linear(40)
    smoothing, model = Smoothing(0.7, 20, 300), AttackedModel(module, 2)
    whole = votes(model, rows, smoothing)
    for cut in (torch.arange(3, 21), torch.tensor([39, 0])):
        part = votes(model, rows.take(cut), smoothing)
        for of_part, of_whole in zip(part, whole, strict=True):
            assert torch.equal(of_part, of_whole[cut])


def test_no_answer_is_no_vote() -> None:
    def undefined(inputs: Tensor) -> Tensor:
        logits = torch.stack([inputs[:, 0], -inputs[:, 0]], 1)
        return torch.where(inputs[:, :1] > 0, logits, torch.nan)

    rows = Points(
        torch.zeros(2, 3),
        torch.zeros(2, dtype=torch.int64),
        RowNoise(np.arange(2, dtype=np.uint64)),
    )
    _, hits = votes(AttackedModel(undefined, 2), rows, Smoothing(1.0, 10, 400))
    assert ((hits > 140) & (hits < 260)).all()


def test_too_few_samples_are_refused_with_the_least_that_can_do() -> None:
    assert least_samples(0.0, 1.0, 0.001) == 10  # .001^(1/9) = .464, .001^(1/10) = .501
    assert least_samples(0.5, 0.25, 0.001) == 301  # log(.001) / log(.97725) = 300.2
    least = least_samples(0.5, 0.5, 0.001)
    assert least == 40  # log(.001) / log(.84134) = 39.99
    Smoothing(0.5, 10, least).require(0.5)
    with pytest.raises(
        UserError, match=r"10 samples can never certify a radius of 0.5 .* at least 40"
    ):
        Smoothing(0.5, 10, 10).require(0.5)
    unanimous = radii(Smoothing(0.5, 10, least), torch.tensor([least]))
    assert unanimous[0] >= 0.5
    assert radii(Smoothing(0.5, 10, least - 1), torch.tensor([least - 1]))[0] < 0.5


def test_impossible_plans_are_refused() -> None:
    for plan in ((0.0, 1, 1, 0.1), (1.0, 0, 1, 0.1), (1.0, 1, 1, 0.0), (1.0, 1, 1, 0.6)):
        with pytest.raises(UserError):
            Smoothing(*plan)
    with pytest.raises(UserError, match="more noise"):
        least_samples(10.0, 0.1, 0.001)


def test_half_of_the_votes_certify_nothing() -> None:
    found = Smoothing(2.0, 1, 100).radius(np.array([0.0, 0.5, norm.cdf(1.0)]))
    np.testing.assert_allclose(found, [0, 0, 2.0])
